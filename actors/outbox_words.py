"""The words of the outbox: what its actor is told, what its steps ask for, and what a lane is. Values only."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from greenroom.actors.calls import Call, Outcome
from greenroom.actors.entry import Entry
from greenroom.actors.facts import DeliveryMoved
from greenroom.actors.model import Delivery, SessionId, SessionKey
from greenroom.actors.ports import Outgoing
from greenroom.actors.runtime import Solicited


class Opened(Struct, Solicited, frozen=True):
    """A delivery's row is on disk, its text is not known yet: post the anchor."""

    delivery: Delivery

    @property
    def session(self) -> SessionKey:
        return self.delivery.session


class Filled(Struct, Solicited, frozen=True):
    """A delivery's text is on disk: make it visible. Its row may have been opened before, or be new."""

    delivery: Delivery

    @property
    def session(self) -> SessionKey:
        return self.delivery.session


class Revived(Struct, Solicited, frozen=True):
    """Whoever runs the service has this delivery sent again, or at once; that is on disk."""

    delivery: Delivery

    @property
    def session(self) -> SessionKey:
        return self.delivery.session


class Dropped(Struct, Solicited, frozen=True):
    """Whoever runs the service gave this delivery up; that is on disk. A call that is under way may still work."""

    delivery: Delivery

    @property
    def session(self) -> SessionKey:
        return self.delivery.session


class Forgotten(Struct, Solicited, frozen=True):
    """These sessions of a chat are forgotten, on disk: nothing of them is to be shown, or known, any more."""

    session: SessionKey
    ids: frozenset[SessionId]


class LiveText(Struct, frozen=True):
    """Let an open delivery's anchor say this for now: all words so far, or a notice. May be lost."""

    session: SessionKey
    key: str
    text: str


class TypingWanted(Struct, frozen=True):
    """Let the platform show that somebody is typing. May be lost."""

    session: SessionKey


class NoticeWanted(Struct, frozen=True):
    """Show a line that no row stands for. It is tried once, and may be lost."""

    message: Outgoing


class TroubleTold(Struct, Solicited, frozen=True):
    """The disk refuses: say so where words are awaited; or only in `session`, where somebody has just written.

    `unheard` is told of the chats where nothing stands that could say it; it returns at once.
    """

    line: str
    session: SessionKey | None
    unheard: Callable[[SessionKey], None]


class TroubleOver(Struct, Solicited, frozen=True):
    """The disk takes writes again: this line is not true any more, nor a notice of this key that is not out yet."""

    key: str
    line: str


class Remarked(Struct, Solicited, frozen=True):
    """Let this line stand below the words so far, until others come; or, where it does not hold any more, go."""

    session: SessionKey
    line: str
    holds: bool


class PlatformUp(Struct, Solicited, frozen=True):
    """The platform can be reached: what waits for a retry is tried now."""


class PlatformDown(Struct, Solicited, frozen=True):
    """The platform cannot be reached: nothing is tried until it can."""


class Reread(Struct, Solicited, frozen=True):
    """Look again for what is owed: somebody died before it could tell of its row."""


class WhenFlushed(Struct, Solicited, frozen=True):
    """Call `then` once, on the actor's thread, when no text waits to become visible. It must be short."""

    then: Callable[[], None]


class ReadStatus(Struct, frozen=True):
    """Ask (with a timeout, from outside) how the outbox is. Answer: OutboxStatus."""


class OutboxStatus(Struct, frozen=True):
    """One platform account's outbox at a glance."""

    owed: int  # texts that wait to become visible
    open: int  # anchors of runs that have not concluded
    in_flight: int  # calls under way
    up: bool
    paused_s: float  # how long the platform asked us to stay away, from now


class TakenUp(Struct, Solicited, frozen=True):
    """Rows that the store says are owed, of one session, oldest first."""

    session: SessionKey
    deliveries: tuple[Delivery, ...]


class Woke(Struct, Solicited, frozen=True):
    """The time came that the lane asked to be woken at."""

    session: SessionKey


class SlotGranted(Struct, frozen=True):
    """The account has room for one call of this lane."""


class CallEnded(Struct, frozen=True):
    """The lane's call ended."""

    outcome: Outcome


Event = (
    Opened
    | Filled
    | Revived
    | Dropped
    | Forgotten
    | LiveText
    | Remarked
    | TakenUp
    | Woke
    | PlatformUp
    | SlotGranted
    | CallEnded
)


class AskSlot(Struct, frozen=True):
    """Ask the account for room for a call; answered by `SlotGranted`, once."""


class YieldSlot(Struct, frozen=True):
    """Give the granted room back: there is nothing to call any more."""


class Perform(Struct, frozen=True):
    """Make the call; answered by `CallEnded`, once."""

    call: Call


class WakeIn(Struct, frozen=True):
    """Ring for this lane in `after_s` seconds; replaces what was armed."""

    after_s: float


class Pause(Struct, frozen=True):
    """Let the whole account make no call for so long."""

    after_s: float


class Conclude(Struct, frozen=True):
    """Remember that this delivery is delivered: a late word of it means nothing."""

    key: str


class Bury(Struct, frozen=True):
    """This delivery is dead, and whoever waits for it hears so; if somebody revives its row, it is news again."""

    delivery: Delivery


Act = AskSlot | YieldSlot | Perform | WakeIn | Pause | Conclude | Bury


class Effects(Struct, frozen=True):
    """Write all `facts` in one transaction; only then do the `acts`, in order."""

    facts: tuple[DeliveryMoved, ...] = ()
    acts: tuple[Act, ...] = ()


NOTHING = Effects()


class Moment(Struct, frozen=True):
    """What a step may know of the world: both clocks, and a number from 0 to 1 drawn by chance."""

    now: float  # monotonic seconds
    at: float  # UTC epoch seconds
    chance: float


class Lane(Struct, frozen=True):
    """What one session has to show. `busy` names the entry whose call is under way."""

    entries: tuple[Entry, ...] = ()
    busy: tuple[str, Call] | None = None
    asked: bool = False  # for a slot

    @property
    def keys(self) -> tuple[str, ...]:
        """Every delivery in the lane."""
        return tuple(entry.delivery.key for entry in self.entries)

    @property
    def rests(self) -> bool:
        """Whether it may be forgotten. A slot that it asked for will come, and must find a lane that asked once."""
        return not self.entries and not self.asked

    @property
    def owes(self) -> bool:
        """Whether a text waits to become visible."""
        return any(entry.parts is not None and not entry.confirms for entry in self.entries)

    @property
    def awaited(self) -> bool:
        """Whether somebody sees that there will be words."""
        return any(entry.parts is None for entry in self.entries)
