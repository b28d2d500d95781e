"""What actors need of the storage room: one port, its answers, and the questions that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from greenroom.actors.facts import DecisionStored, Fact
from greenroom.actors.model import (
    Delivery,
    Epoch,
    Generation,
    Inbound,
    Message,
    OpenRun,
    Question,
    Receipt,
    Seq,
    SessionId,
    SessionKey,
    Snapshot,
    Tail,
    ToolRecord,
)
from greenroom.actors.ports import Shown
from greenroom.actors.process import Leftover, ProcessRecord


class Committed(Struct, frozen=True):
    """The facts are on disk. `receipts` holds one entry for each `InboundStored` among them, in order."""

    receipts: tuple[Receipt, ...] = ()


class RefusalKind(StrEnum):
    """Why the store does not write these facts. But for CROWDED it never will, however often they are offered."""

    STALE_WRITER = "another owner of the store, or a newer run of the session, has taken over"
    CONFLICT = "the facts contradict what is on disk"
    CLOSED = "the store is closed"
    CROWDED = "too much of this chat waits already; it may be offered again later"


class Refused(Struct, frozen=True):
    """The facts are not on disk. Troubles that heal are waited for instead, and never seen here."""

    kind: RefusalKind
    detail: str


class GroupCommitted(Struct, frozen=True):
    """What one commit made true: the facts of everything in the group that was not refused, in order."""

    facts: tuple[Fact, ...]
    at: float  # UTC epoch seconds
    took_s: float  # from the beginning of the transaction to the end of its commit
    requests: int


class StoreRefusedError(Exception):
    """The store will never write what an actor decided: another owner or run has taken over, or we are wrong."""


class ReadFailed(Struct, frozen=True):
    """The question could not be answered now; nothing is known."""

    detail: str


class SnapshotOf(Struct, frozen=True):
    """Ask for all that a session's actor needs. Answer: Snapshot, or None for an unknown session."""

    session_id: SessionId


class TranscriptOf(Struct, frozen=True):
    """Ask for the last `last` rows of a transcript, oldest first. Answer: tuple[Message, ...].

    With `before`: of those before that row. Summaries are not among them, see `SummaryOf`.
    """

    session_id: SessionId
    last: int
    before: Seq | None = None


class OwnRowsOf(Struct, frozen=True):
    """Ask for the rows of a transcript that have these keys, in any order. Answer: tuple[Message, ...]."""

    session_id: SessionId
    keys: tuple[str, ...]


class SummaryOf(Struct, frozen=True):
    """Ask for the newest summary of a transcript. Answer: Message or None."""

    session_id: SessionId


class UnansweredOf(Struct, frozen=True):
    """Ask for the user's messages that no concluding row covers, oldest first. Answer: tuple[Message, ...].

    Those that answered a question of the agent are among them, and so is what background processes told since the last
    concluding row.
    """

    session_id: SessionId


class LedgerOf(Struct, frozen=True):
    """Ask for what earlier attempts at a piece of work left behind, and what earlier work left in doubt.

    Answer: Ledger.
    """

    session_id: SessionId
    work: Generation


class Ledger(Struct, frozen=True):
    """Tool calls and questions of one piece of work, oldest first.

    `doubts` are the `once` and `ask` calls of other work whose outcome is unknown, and of whom no agent was told.
    """

    tools: tuple[ToolRecord, ...] = ()
    questions: tuple[Question, ...] = ()
    doubts: tuple[ToolRecord, ...] = ()


class NeverAnswered(StrEnum):
    """Why no row will ever answer an inbound."""

    WITHDRAWN = "its user deleted it before anybody worked on it"
    CHANGE = "an edit or a deletion has no answer of its own; wait for the answer to its message"
    FORGOTTEN = "it is too old: which answer was its own is not known any more"


class AnswerTo(Struct, frozen=True):
    """Ask for the row that concluded the work in which an inbound was answered, or for the line that it was told.

    Answer: Message, or NeverAnswered, or None: it is not answered yet.
    """

    receipt: Receipt


class UnfinishedOf(Struct, frozen=True):
    """Ask for what is open: of one session, or of all when `session_id` is None. Answer: tuple[Unfinished, ...]."""

    session_id: SessionId | None = None


class Unfinished(Struct, frozen=True):
    """A session with an open run, or with inbound that waits: all that a resume decision reads from the store.

    The tail is the one kept with the run. `fell`: the process that opened the run lives; only what stood on the store
    of then fell.
    """

    session_id: SessionId
    key: SessionKey
    generation: Generation
    run: OpenRun | None
    tail: Tail
    waiting: int  # messages stored and not handed to a run
    routed: bool  # the chat's key still leads to this session
    suspended: bool = False
    quarantined: bool = False
    fell: bool = False
    segment: int = 0  # parts of the open run's work that are complete; names its unfinished delivery
    anchored: bool = False  # that delivery's row exists
    untold: int = 0  # ends of background processes that it has not been told of, and that may wake it
    restart_budget: str | None = None  # see facts.RestartsCounted
    commands: int = 0  # orders among what waits


class OwedOf(Struct, frozen=True):
    """Ask for the deliveries of one platform account that are not concluded, oldest first.

    Answer: tuple[Delivery, ...]. Those whose text is not known yet (OPEN) are among them.
    """

    platform: str
    account: str


class DeliveryOf(Struct, frozen=True):
    """Ask for one delivery, whatever became of it. Answer: Delivery | None."""

    key: str


class KinOf(Struct, frozen=True):
    """Ask whose chat a session is, and with `whole_chat` for all sessions that the chat ever had.

    Answer: Kin | None.
    """

    session_id: SessionId
    whole_chat: bool = False


class Kin(Struct, frozen=True):
    """Sessions of one chat, oldest first."""

    key: SessionKey
    ids: tuple[SessionId, ...]


class ShownOf(Struct, frozen=True):
    """Ask what is visible in a chat: its last `last` messages, oldest first, over all its sessions.

    Answer: tuple[Shown, ...].
    """

    session: SessionKey
    last: int


class SettledOf(Struct, frozen=True):
    """Ask whether nothing more will appear in a chat until the person speaks. Answer: bool."""

    session: SessionKey


class PastOf(Struct, frozen=True):
    """Ask what a session's user may ask about its past. Answer: Past."""

    session_id: SessionId


class MentionsOf(Struct, frozen=True):
    """Ask what user or agent said in a chat with all these words in it, the newest first, over all its sessions.

    Answer: tuple[Message, ...]. What was said in the last moment may be missing.
    """

    session: SessionKey
    words: str
    last: int


class Past(Struct, frozen=True):
    """The last resume decision, and the user's messages that were concluded last, oldest first."""

    decision: DecisionStored | None = None
    request: tuple[Message, ...] = ()


class OwnerNow(Struct, frozen=True):
    """Ask under which epoch the store is owned now. Answer: Epoch.

    Another one than the asker's own means that another process has taken over; the host of this one is told, too.
    """


class ProcessesOf(Struct, frozen=True):
    """Ask for the last `last` background processes of a session, oldest first. Answer: tuple[ProcessRecord, ...]."""

    session_id: SessionId
    last: int


class UnwantedOf(Struct, frozen=True):
    """Ask which background processes of a session live although its user ended them. Answer: tuple[Leftover, ...]."""

    session_id: SessionId


class LeftoversOf(Struct, frozen=True):
    """Ask for the processes that owners of the store before `epoch` left behind. Answer: tuple[Leftover, ...]."""

    epoch: Epoch


Query = (
    SnapshotOf
    | TranscriptOf
    | OwnRowsOf
    | SummaryOf
    | UnansweredOf
    | LedgerOf
    | AnswerTo
    | UnfinishedOf
    | OwedOf
    | DeliveryOf
    | KinOf
    | ShownOf
    | SettledOf
    | MentionsOf
    | PastOf
    | OwnerNow
    | ProcessesOf
    | UnwantedOf
    | LeftoversOf
)
ReadAnswer = (
    Snapshot
    | tuple[Message, ...]
    | Ledger
    | Message
    | NeverAnswered
    | tuple[Unfinished, ...]
    | tuple[Delivery, ...]
    | Delivery
    | Kin
    | tuple[Shown, ...]
    | tuple[ProcessRecord, ...]
    | tuple[Leftover, ...]
    | Past
    | Epoch
    | bool
    | ReadFailed
    | None
)


class Store(Protocol):
    """The one writer of truth, as actors see it. Every call returns at once; `then` is called on a storage thread.

    `then` must be short (a tell, a post) and must not raise. A write is answered only when it is on disk (Committed)
    or when it never can be (Refused); while the disk is full or busy it waits. Writes of one caller keep their order.
    """

    @property
    def epoch(self) -> Epoch:
        """The epoch under which this process owns the store."""

    @property
    def uid(self) -> str:
        """Names this store among all stores, in 8 characters; part of every key that a platform remembers."""

    def accept(self, inbound: Inbound, at: float, then: Callable[[Committed | Refused], None]) -> None:
        """Store one inbound. Raises MailboxFull when too many wait: then the platform must not be acknowledged."""

    def write(self, facts: Sequence[Fact], then: Callable[[Committed | Refused], None]) -> None:
        """Write facts as one transaction, beside those of others. Never refused for want of room."""

    def read(self, query: Query, then: Callable[[ReadAnswer], None]) -> None:
        """Answer from what is committed, the caller's own committed writes included."""
