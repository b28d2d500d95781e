"""The nouns of the house: frozen records that every room shares. Values only; nothing here decides or does."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NewType, Self
from urllib.parse import quote, unquote

from msgspec import Struct

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

KEY_PART_MAX = 255
"""Longest part of a session key, in characters, before escaping."""


_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class InvalidKeyError(ValueError):
    """A session key that cannot name a session. The message says which part and what to write instead."""


class SessionKey(Struct, frozen=True, order=True):
    """Names a conversation: `platform:account:chat[:thread]`, each part percent-escaped where it holds `:` or `%`.

    >>> str(SessionKey("matrix", "bot", "!room:example.org"))
    'matrix:bot:!room%3Aexample.org'
    >>> SessionKey.parse("telegram:me:42:7")
    SessionKey(platform='telegram', account='me', chat='42', thread='7')
    """

    platform: str
    account: str
    chat: str
    thread: str | None = None

    def __post_init__(self) -> None:
        """Refuse empty, overlong and unprintable parts, so that a key inside the house is valid."""
        for name, part in (("platform", self.platform), ("account", self.account), ("chat", self.chat)):
            _check_part(name, part)
        if self.thread is not None:
            _check_part("thread", self.thread)

    def __str__(self) -> str:
        """Write the key as `parse` reads it."""
        parts = (self.platform, self.account, self.chat) + ((self.thread,) if self.thread is not None else ())
        plain = ":".join(parts)
        if plain.count(":") < len(parts) and "%" not in plain:
            return plain  # Most keys hold nothing that must be escaped.
        return ":".join([_escape(part) for part in parts])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `platform:account:chat[:thread]`. Raises InvalidKeyError."""
        parts = [_unescape(part) for part in text.split(":")]
        if len(parts) == 3:  # noqa: PLR2004 - the form in the docstring
            return cls(parts[0], parts[1], parts[2])
        if len(parts) == 4:  # noqa: PLR2004 - the form in the docstring
            return cls(parts[0], parts[1], parts[2], parts[3])
        msg = (
            f"session key {text[:80]!r}: write platform:account:chat or platform:account:chat:thread, "
            "and %3A for a colon inside a part"
        )
        raise InvalidKeyError(msg)


def _escape(part: str) -> str:
    return quote(part, safe="!@#$&'()*+,;=/?[]~ -._", encoding="utf-8") if _needs_escape(part) else part


def _unescape(part: str) -> str:
    try:
        if _BROKEN_ESCAPE.search(part) is None:
            return unquote(part, errors="strict")
    except UnicodeDecodeError:
        pass
    msg = f"session key: {part[:40]!r} holds a % that begins no character; write %25 for a percent sign"
    raise InvalidKeyError(msg)


def _needs_escape(part: str) -> bool:
    return ":" in part or "%" in part


def _check_part(name: str, part: str) -> None:
    if not part or len(part) > KEY_PART_MAX or not part.isprintable():
        msg = f"session key: {name} must be 1 to {KEY_PART_MAX} printable characters, got {part[:40]!r}"
        raise InvalidKeyError(msg)


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
    QUESTION = "question"  # assistant: asks the user, the run waits for the answer
    LAPSED = "lapsed"  # system: a question is over without an answer
    STOPPED = "stopped"  # system: the user stopped the run
    FAILED = "failed"  # system: the run ended in a reported error


class Attachment(Struct, frozen=True):
    """Something that came with a message, as a reference: it is never downloaded, opened or copied here."""

    where: str  # a path or URL that the agent can use
    media_type: str = "application/octet-stream"
    size: int | None = None  # bytes, if the platform says so
    name: str | None = None  # as its sender calls it


class ToolPolicy(StrEnum):
    """What may happen to a tool call whose result was not stored (DESIGN section 1, row D)."""

    PURE = "pure"
    KEYED = "keyed"
    ONCE = "once"
    ASK = "ask"


class ToolCall(Struct, frozen=True):
    """One call of one tool. `key` is the same for the same call of every attempt at the same work."""

    key: str
    name: str
    args: str  # canonical JSON object
    policy: ToolPolicy


class Message(Struct, frozen=True):
    """One row of a transcript.

    `key` makes a repeated write harmless. `answers_upto` is set on rows that conclude work (an answer, a failure,
    a stop) and names the last user message they concluded: row order alone misleads.
    """

    seq: Seq
    generation: Generation
    key: str
    role: Role
    text: str
    at: float  # UTC epoch seconds
    kind: MessageKind = MessageKind.TEXT
    finish: str | None = None
    answers_upto: Seq | None = None
    author: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_key: str | None = None  # on tool rows: the call that this is the result of
    attachments: tuple[Attachment, ...] = ()  # what came with the user's words, which may then be none


class Inbound(Struct, frozen=True):
    """What a platform received, before it is a message. Identified by (platform, account, update id)."""

    key: SessionKey
    update_id: str
    text: str
    author: str | None = None
    sent_at: float | None = None  # UTC epoch seconds, as the platform says
    reply_to: str | None = None  # the platform's id of the user's message, to anchor the answer to
    attachments: tuple[Attachment, ...] = ()  # with one, the text may be empty


class StoredInbound(Struct, frozen=True):
    """An inbound that is on disk and waits to be handed to a run."""

    id: InboxId
    text: str
    author: str | None
    at: float  # UTC epoch seconds at which it became durable
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()


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


class Ending(StrEnum):
    """How a run ended. Only some endings conclude the work: see `RunClosed`."""

    ANSWERED = "answered"
    FAILED = "failed"
    EMPTY = "empty"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class TailKind(StrEnum):
    """How a transcript ends. Exactly one is true of any transcript (DESIGN section 6)."""

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
    LINE = "line"  # one line of our own: expired, quarantined


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


class DeliveryClass(StrEnum):
    """What a platform offers against doubled messages (DESIGN section 7)."""

    NATIVE_KEY = "native_key"
    EDIT_ANCHOR = "edit_anchor"
    RECONCILE = "reconcile"
    NONE = "none"


class Lapse(StrEnum):
    """Why a question is over without an answer."""

    TIMED_OUT = "timed_out"
    UNDELIVERED = "undelivered"  # its delivery is a dead letter: nobody was asked


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
    told_aside: bool = False  # since it was set aside, somebody wrote and was told that nothing will come
    question: Question | None = None  # the open run's work waits for its answer, or would: it may have lapsed
    segment: int = 0  # questions that the open run's work has asked; names the delivery that comes next
    anchored: bool = False  # that delivery's row exists already
    calls: tuple[ToolRecord, ...] = ()  # the tool calls of that work, if one of them has no result
    active_at: float | None = None  # the last sign of life of user or agent; never of a boot or of a note of ours
    in_doubt: bool = False  # nobody knows, and nobody was told, what became of a call
    because: FreshCause | None = None  # why it took over from another session, while no run of its own has begun
