"""What the tree is told and whom it tells: the words between it, its sessions, the store and the roof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace
from pykka import ActorDeadError

from greenroom.actors.events import ProcessEvent, SayTimers
from greenroom.actors.model import Generation, Receipt, SessionId, SessionKey, StoredInbound
from greenroom.actors.runtime import Failure, MailboxFull, Solicited
from greenroom.actors.store import Committed, ReadAnswer, RefusalKind, Refused
from greenroom.supervisor.drain import CloseBoot, Intent
from greenroom.supervisor.recovery import Account, Decided

if TYPE_CHECKING:
    from greenroom.actors.ref import Ref
    from greenroom.supervisor.wards import Ward


DECISIONS_PER_WRITE = 512
"""Decisions of a boot that share one transaction."""

DRAIN_LOOK_S = 0.2
"""How often a drain looks what still runs and what is still owed."""

READ_AGAIN_S = 1.0
"""How long a question waits that the store could not answer; doubled for each next time. Nothing is decided unread."""

READ_DOUBLINGS_MAX = 4
"""So that it is asked every 16 s at last: a disk that is back is to be noticed soon."""

DOOM_S = 5.0
"""How long a closed store may take to be opened again by the roof, which then builds a new tree."""

OF_ONE_SESSION = frozenset({RefusalKind.CONFLICT, RefusalKind.STALE_WRITER})
"""Refusals of a decision that say nothing about the store."""


def in_batches(decided: Sequence[Decided]) -> list[tuple[Decided, ...]]:
    """Divide the decisions of a boot into those that share a transaction; there is always a last one."""
    starts = range(0, max(1, len(decided)), DECISIONS_PER_WRITE)
    return [tuple(decided[at : at + DECISIONS_PER_WRITE]) for at in starts]


class Pulse(Struct, Solicited, frozen=True):
    """Say that you live: call `then`, which returns at once."""

    then: Callable[[None], None]


class TimersAsked(Struct, Solicited, frozen=True):
    """Which timers are armed in a session? `then` is told, and returns at once; of one that rests: none."""

    session_id: SessionId
    then: Callable[[Mapping[str, float]], None]

    def pass_on(self, ward: Ward | None) -> None:
        """Let the session's actor say so."""
        try:
            if ward is not None:
                ward.ref.tell(SayTimers(self.then))
                return
        except (ActorDeadError, MailboxFull):
            pass  # It is being replaced, or has other troubles.
        self.then({})


class InboundCommitted(Struct, Solicited, frozen=True):
    """An inbound is on disk: wake its session."""

    receipt: Receipt
    inbound: StoredInbound


class ProcessReported(Struct, Solicited, frozen=True):
    """Something became of a session's background process."""

    session_id: SessionId
    key: SessionKey
    event: ProcessEvent


class OpenRead(Struct, Solicited, frozen=True):
    """The store's answer to what is open."""

    answer: ReadAnswer
    due: Due

    def again(self) -> tuple[float, Due]:
        """Say in how many seconds it is asked again, and by what."""
        doublings = min(self.due.tries, READ_DOUBLINGS_MAX)
        return READ_AGAIN_S * 2**doublings, replace(self.due, tries=self.due.tries + 1)


class DecisionsWritten(Struct, Solicited, frozen=True):
    """Decisions are on disk: now they take effect."""

    decided: tuple[Decided, ...]
    answer: Committed | Refused
    boot: bool


class RunReported(Struct, Solicited, frozen=True):
    """A run of a session became live; or it ended, waits for its user, or never was (`for_good`: nor will be)."""

    session_id: SessionId
    live: bool
    for_good: bool


class SessionFollowed(Struct, Solicited, frozen=True):
    """A chat has a new session, which has what waits."""

    key: SessionKey
    successor: SessionId


class ReleaseOrdered(Struct, Solicited, frozen=True):
    """An operator gives a session back that was set aside."""

    session_id: SessionId


class ReleaseWritten(Struct, Solicited, frozen=True):
    """A session is given back, on disk; or the store refused that."""

    session_id: SessionId
    answer: Committed | Refused = Committed()
    interrupted: Generation | None = None  # the run of a living session that is open, and that nobody works at


class RestOffered(Struct, Solicited, frozen=True):
    """A session's actor is idle and has handled `told` messages of ours."""

    actor: Ref[Any]
    told: int


class DeliveryDied(Struct, Solicited, frozen=True):
    """A delivery is a dead letter now: its session may wait for an answer to it."""

    session_id: SessionId
    key: str


class ActorFailed(Struct, Solicited, frozen=True):
    """The runtime reports a failure."""

    failure: Failure


class Due(Struct, Solicited, frozen=True):
    """It is time to look what is open, and to decide: at a boot, after a back-off, or when something has changed."""

    of: SessionId | None  # None: of all, at a boot
    gave_up: bool = False  # its restarts are spent
    tries: int = 0  # so often the store had no answer before
    interrupted: Generation | None = None  # at this run nobody works, whoever lives


class Doomed(Struct, Solicited, frozen=True):
    """The store is closed and nobody has opened it again."""

    why: str


class PlatformConnected(Struct, Solicited, frozen=True):
    """A platform account can be reached."""

    account: Account


class PlatformDisconnected(Struct, Solicited, frozen=True):
    """A platform account cannot be reached."""

    account: Account


class DrainOrdered(Struct, Solicited, frozen=True):
    """The process is to end. Ordered again, it ends at once."""

    intent: Intent


class DrainLooked(Struct, Solicited, frozen=True):
    """Something may have changed for the drain."""


class TreeHooks(Struct, frozen=True):
    """Whom the tree tells; each call returns at once."""

    take_up: Callable[[SessionKey], None]  # the outbox of this session's platform should read what is owed
    concluded: Callable[[SessionKey], None]  # whoever waits for an answer in this chat should look
    set_aside: Callable[[SessionId, SessionKey], None]  # and this one answers nothing more in this life of the process
    released: Callable[[SessionId, Committed | Refused], None]  # whoever ordered this should hear what became of it
    owed: Callable[[], int]  # deliveries that could be sent now and are not yet
    drained: Callable[[CloseBoot], None]
    began: Callable[[tuple[Decided, ...]], None]  # the boot's decisions are on disk
    fatal: Callable[[str], None]

    def died(self, key: SessionKey) -> None:
        """A session's actor is gone: let those who wait read what it wrote, and may have told nobody of."""
        self.take_up(key)
        self.concluded(key)
