"""The nouns of the house: frozen records that every room shares. Values only; nothing here decides or does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NewType

from msgspec import Struct

from greenroom.actors.commands import Command
from greenroom.actors.rules import Busy
from greenroom.actors.session_key import SessionKey as SessionKey  # noqa: PLC0414 - as all nouns, it is found here

if TYPE_CHECKING:
    from greenroom.actors.process import Awaited

Epoch = NewType("Epoch", int)
"""Counts ownerships of a store (boots of the daemon). Only ever grows; the first boot is 1."""

Generation = NewType("Generation", int)
"""Counts the runs of one session. Only ever grows; 0 means never run."""

SessionId = NewType("SessionId", int)
"""The store's number for a session. Small, stable, never reused."""

InboxId = NewType("InboxId", int)
"""The store's number for one inbound; its order is the order in which inbound became durable."""

Seq = NewType("Seq", int)
"""Position of a message in its transcript, counted from 1 without gaps; 0 means before the first."""


class Role(StrEnum):
    """Who speaks in a row of the transcript."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class MessageKind(StrEnum):
    """What a row of the transcript is for. Most are plain text; the others are typed so that no one parses prose."""

    TEXT = "text"
    RECOVERY_NOTE = "recovery_note"  # system: tells the agent that it was interrupted; never the user's words
    CHANGED = "changed"  # system: the user changed a message that a run has, or had
    QUESTION = "question"  # assistant: asks the user, the run waits for the answer
    LAPSED = "lapsed"  # system: a question is over without an answer
    STOPPED = "stopped"  # system: the user stopped the run
    FAILED = "failed"  # system: the run ended in a reported error
    PROCESS = "process"  # system: what a background process has to tell; never the user's words
    OPERATOR = "operator"  # system: what whoever runs the service said in the chat; answers nothing
    SUMMARY = "summary"  # system: stands for the rows before it that a window leaves out; see its key


class Attachment(Struct, frozen=True):
    """Something that came with a message, as a reference: it is never downloaded, opened or copied here."""

    where: str  # a path or URL that the agent can use
    media_type: str = "application/octet-stream"  # such as image/png
    size: int | None = None  # bytes, if the platform says so
    name: str | None = None  # as its sender calls it


class ToolPolicy(StrEnum):
    """What may happen to a tool call whose result was not stored (docs/architecture.md, invariant 7)."""

    PURE = "pure"  # it is simply called again
    KEYED = "keyed"  # it is called again with the same key
    ONCE = "once"  # it is never called again; the agent is told that it is in doubt
    ASK = "ask"  # its person is asked, and says whether it is called again


class ToolCall(Struct, frozen=True):
    """One call of one tool. `key` is the same for the same call of every attempt at the same work."""

    key: str  # the same in every attempt at the same work
    name: str  # of the tool
    args: str  # canonical JSON object
    policy: ToolPolicy  # what may happen to it after a crash
    beside: str = ""  # what its model is to be given back with it, as the agent wrote it; no chat is shown it


class Message(Struct, frozen=True):
    """One row of a transcript.

    `key` makes a repeated write harmless. `answers_upto` is set on rows that conclude work (an answer, a failure,
    a stop) and names the last user message they concluded: row order alone misleads.
    """

    seq: Seq  # its row, counted from 1
    generation: Generation  # the run it is of
    key: str  # makes a repeated write harmless
    role: Role  # who speaks
    text: str  # the words
    at: float  # when it was written, in UTC epoch seconds
    kind: MessageKind = MessageKind.TEXT  # what the row is for
    finish: str | None = None  # why the model ended, in its provider's word
    answers_upto: Seq | None = None  # the last row of the user that this one concludes
    author: str | None = None  # who wrote it, as the platform names them
    tool_calls: tuple[ToolCall, ...] = ()  # tools that the agent called with it
    tool_key: str | None = None  # on tool rows: the call that this is the result of
    attachments: tuple[Attachment, ...] = ()  # what came with the user's words, which may then be none


class Change(StrEnum):
    """What a user did to a message that is there already."""

    EDIT = "edit"
    DELETE = "delete"


class Inbound(Struct, frozen=True):
    """What a platform received, before it is a message. Identified by (platform, account, update id)."""

    key: SessionKey
    update_id: str
    text: str
    author: str | None = None
    sent_at: float | None = None  # UTC epoch seconds, as the platform says
    reply_to: str | None = None  # the platform's id of the user's message, to anchor the answer to
    attachments: tuple[Attachment, ...] = ()  # with one, the text may be empty
    answers: str | None = None  # it is a press of a button: the `Choices.question` of what was pressed
    change: Change | None = None  # of the message whose id is `reply_to`; its text now is `text`
    ordered: Command | None = None  # by whoever runs the service, and no platform received it; `text` is to be sent


class StoredInbound(Struct, frozen=True):
    """An inbound that is on disk and waits: to be handed to a run, or as a `command` to be carried out."""

    id: InboxId
    text: str
    author: str | None
    at: float  # UTC epoch seconds at which it became durable
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    answers: str | None = None  # the key of the delivery whose button was pressed
    change: Change | None = None  # then it is no message, and never handed to a run
    edits: tuple[InboxId, ...] = ()  # the changes that made this text of it; handed to the run with it
    command: Command | None = None
    by_operator: bool = False  # the command is of whoever runs the service: its person is not told why it was refused
    busy: Busy | None = None  # what its person wants if it meets a running agent; None: nothing was said of it


class Receipt(Struct, frozen=True):
    """Proof that an inbound is on disk. `repeated` says that it had been there before."""

    inbox_id: InboxId
    session_id: SessionId
    key: SessionKey
    repeated: bool = False


class RunCause(StrEnum):
    """Why a run was started."""

    INBOUND = "inbound"
    RESUME = "resume"
    ANSWERED_QUESTION = "answered_question"
    PROVIDER_RETRY = "provider_retry"  # the run before could not reach what it needs
    PROCESS = "process"  # a background process has something to tell
    COMMAND = "command"  # its user ordered it: /resume, /retry


class FreshCause(StrEnum):
    """Why a conversation began anew, in a session of its own."""

    IDLE = "idle"  # nothing was said for long
    DAILY = "daily"  # a new day began
    ASKED = "asked"  # its user asked for it


class InterruptReason(StrEnum):
    """Why a run that is open is not running."""

    RESTART_TIMEOUT = "restart_timeout"  # a restart drained, and the run did not finish in time
    SHUTDOWN_TIMEOUT = "shutdown_timeout"  # a shutdown drained, and the run did not finish in time
    RESTART_INTERRUPTED = "restart_interrupted"  # the last boot ended without a clean end
    ACTOR_CRASHED = "actor_crashed"  # the session's actor died and was started again
    PROVIDER_ERROR = "provider_error"  # what the agent needs could not be reached
    USER_WROTE = "user_wrote"  # its user said more, and the host's policy is to begin again with both
    SUSPENDED = "suspended"  # the session's user ordered it to rest


class Ending(StrEnum):
    """How a run ended. Only some endings conclude the work: see `RunClosed`."""

    ANSWERED = "answered"
    FAILED = "failed"
    EMPTY = "empty"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class FailCause(StrEnum):
    """Why a run ended without an answer."""

    CRASHED = "crashed"  # its agent raised, or returned no text
    EMPTY = "empty"  # it ended, and had said nothing
    INCOMPLETE = "incomplete"  # its text was cut short
    GAVE_UP = "gave_up"  # its agent cancelled itself
    SILENT = "silent"  # no sign of life for too long
    ENDLESS = "endless"  # it went on for too long
    UNREACHABLE = "unreachable"  # what it needs could not be reached, for too long
    UNANSWERED = "unanswered"  # its question had no answer


class Budget(StrEnum):
    """What a piece of work may not spend without end."""

    TOOL_CALLS = "tool_calls"
    REPEATS = "repeats"  # the same call with the same arguments, in one run
    MODEL_CALLS = "model_calls"
    COST = "cost"


class Spent(Struct, frozen=True):
    """What a piece of work spent so far, in all its attempts."""

    tool_calls: int = 0
    model_calls: int = 0
    tokens: int = 0
    cost: float = 0.0


NOTHING_SPENT = Spent()


class TailKind(StrEnum):
    """How a transcript ends. Exactly one is true of any transcript (docs/resume.md)."""

    EMPTY = "nothing was ever said"
    USER = "the user waits for an answer"
    TOOL_CALLS = "the agent called a tool and has no result"
    TOOL_RESULTS = "tools answered, the agent has not concluded"
    FINAL = "the agent concluded"
    PARTIAL = "the agent's text was cut short"
    ASKED = "the agent asked the user something"
    STOPPED = "the user stopped the run"
    RECOVERY_NOTE = "nothing but our own note since the last attempt"
    FAILED = "the run ended in a reported error"
    PROCESS = "a background process told the agent something, and the agent has not concluded"


class Tail(Struct, frozen=True):
    """How a transcript ends, and all that is needed to keep it true when one more row is added.

    `at` is the time of the last row that is not our own note, so that a restart never makes old work look fresh.
    """

    kind: TailKind = TailKind.EMPTY
    at: float = 0.0
    seq: Seq = Seq(0)
    user_seq: Seq = Seq(0)
    answered_upto: Seq = Seq(0)
    open_calls: frozenset[str] = frozenset()
    asking: bool = False  # the question is open: what tools do beside it leaves the tail ASKED

    @property
    def unanswered(self) -> bool:
        """Whether the user said something that no concluding row covers."""
        return self.user_seq > self.answered_upto


class OpenRun(Struct, frozen=True):
    """A run that was started and not concluded: what a dead process leaves behind.

    `work` is the generation of the first attempt at the same request: tool calls, the anchor and the delivery belong
    to the work, so that the second attempt finds what the first left. `attempt` counts attempts since the last
    progress, this one included.
    """

    generation: Generation
    epoch: Epoch
    work: Generation
    cause: RunCause
    attempt: int
    opened_at: float
    last_progress_at: float  # UTC epoch seconds, stamped by the running agent, never by a boot
    interrupted_by: InterruptReason | str | None = None
    ending: Ending | None = None  # this attempt ended by itself without concluding the work
    reply_to: str | None = None


class DeliveryKind(StrEnum):
    """What a delivery says."""

    ANSWER = "answer"
    QUESTION = "question"
    LINE = "line"  # words that belong to no run: expired, set aside, what came of an order, what an operator sends


class DeliveryState(StrEnum):
    """Where a delivery stands. `OPEN` has an anchor or wants one, and no text yet."""

    OPEN = "open"
    PENDING = "pending"
    SENDING = "sending"
    RETRY = "retry"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    DEAD = "dead"


class Delivery(Struct, frozen=True):
    """Outgoing text that must become visible exactly once; a row of the outbox.

    `message_ids` are the platform's ids of the parts that exist already (placeholders or texts), in order.
    """

    key: str
    session_id: SessionId
    session: SessionKey
    kind: DeliveryKind
    text: str | None
    state: DeliveryState
    message_ids: tuple[str, ...] = ()
    attempts: int = 0
    retry_at: float | None = None  # UTC epoch seconds
    reply_to: str | None = None
    created_at: float = 0.0
    choices: tuple[str, ...] = ()  # of a question; shown as buttons, or listed under the text


class DeliveryClass(StrEnum):
    """What a platform offers against doubled messages (docs/platforms.md)."""

    NATIVE_KEY = "native_key"
    EDIT_ANCHOR = "edit_anchor"
    RECONCILE = "reconcile"
    NONE = "none"


class Lapse(StrEnum):
    """Why a question is over without an answer."""

    TIMED_OUT = "timed_out"
    UNDELIVERED = "undelivered"  # its delivery is a dead letter: nobody was asked
    ENDED = "ended"  # the work in which it was asked was concluded: by its user, or by its agent


class Question(Struct, frozen=True):
    """Something the agent asked and waits for, durable. `key` is the same in every attempt at the same work."""

    key: str
    prompt: str
    choices: tuple[str, ...] = ()
    answer: str | None = None
    after: InboxId = InboxId(0)  # the last inbound known when it was asked; what came before answers something else
    asked_at: float = 0.0  # UTC epoch seconds
    timeout_s: float = 0.0  # how long the agent waits; 0: for ever
    lapsed: Lapse | None = None
    delivery: str = ""  # the key of the delivery that shows it


class ToolRecord(Struct, frozen=True):
    """A row of the tool ledger. `result` is None while the outcome is not stored."""

    call: ToolCall
    result: str | None = None
    failed: bool = False
    attempts: int = 1  # how often it was started


class Snapshot(Struct, frozen=True):
    """All that the store knows of one session and its actor needs, read in one go."""

    id: SessionId
    key: SessionKey
    epoch: Epoch
    generation: Generation
    tail: Tail
    run: OpenRun | None = None
    waiting: tuple[StoredInbound, ...] = ()
    inbox_cursor: InboxId = InboxId(0)
    suspended: bool = False
    quarantined: bool = False
    told_aside: InboxId | None = None  # of what waits, the message whose writer was told that the session is set aside
    question: Question | None = None  # the open run's work waits for its answer, or would: it may have lapsed
    segment: int = 0  # parts of the open run's work that are complete: each question ends one; names the next delivery
    anchored: bool = False  # that delivery's row exists already
    fell: bool = False  # the process that opened the run lives; only what stood on the store of then fell
    calls: tuple[ToolRecord, ...] = ()  # the tool calls of that work, if one of them has no result
    active_at: float | None = None  # the last sign of life of user or agent; never of a boot or of a note of ours
    in_doubt: bool = False  # nobody knows, and nobody was told, what became of a call
    spent: Spent = NOTHING_SPENT  # on the open run's work
    succeeded: bool = False  # another session has the chat
    because: FreshCause | None = None  # why it took over from another session, while no run of its own has begun
    awaited: tuple[Awaited, ...] = ()  # background processes that may have something to tell
