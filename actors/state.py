"""The state of one session: what its actor remembers between two events. Everything here can be read back from disk."""

from __future__ import annotations

from msgspec import Struct

from greenroom.actors.model import (
    NOTHING_SPENT,
    Epoch,
    FreshCause,
    Generation,
    InboxId,
    InterruptReason,
    OpenRun,
    Question,
    Seq,
    SessionId,
    SessionKey,
    Spent,
    StoredInbound,
    Tail,
    ToolRecord,
)
from greenroom.actors.process import Awaited


class Idle(Struct, frozen=True):
    """No run is open."""


IDLE = Idle()
"""The one that all sessions share."""


class Interrupted(Struct, frozen=True):
    """A run is open, and nothing in this process works on it. With a question: it is the user's turn."""

    run: OpenRun
    segment: int
    question: Question | None = None
    anchored: bool = False
    calls: tuple[ToolRecord, ...] = ()  # of the work, if one of them has no result
    waited_s: float = 0.0  # in sum, for what the agent could not reach
    retrying: bool = False  # a timer is armed that goes on with it
    fell: bool = False  # the process that opened the run lives; what stood on the store of then fell


class Running(Struct, frozen=True):
    """The agent works. `upto` is the last user message that its answer will cover.

    A piece of work becomes visible in segments: each question ends one. `anchored` and `said` are of the segment that
    is not finished: whether its delivery row exists, and what it shows while words stream.
    """

    run: OpenRun
    segment: int
    upto: Seq
    anchored: bool = False
    said: str = ""
    remark: str = ""  # what the agent last said of its progress
    late_s: float = 0.0  # how long the oldest message had waited when the run began, if that is worth a word
    waited_s: float = 0.0  # in sum, for what the agent could not reach, since the work last moved


class Asking(Struct, frozen=True):
    """The agent's coroutine waits for the user's answer. `segment` is the one that comes after the question."""

    run: OpenRun
    question: Question
    segment: int
    upto: Seq
    anchored: bool = False
    said: str = ""


Phase = Idle | Interrupted | Running | Asking


class Session(Struct, frozen=True):
    """One conversation. `waiting` is on disk and not yet handed to a run; `cursor` is the last inbound known."""

    id: SessionId
    key: SessionKey
    epoch: Epoch
    generation: Generation
    tail: Tail
    phase: Phase
    cursor: InboxId
    waiting: tuple[StoredInbound, ...] = ()
    quarantined: bool = False
    draining: InterruptReason | None = None
    awaited: tuple[Awaited, ...] = ()  # background processes that may have something to tell
    spent: Spent = NOTHING_SPENT  # on the work that is open
    told_excess: bool = False  # the agent that runs knows that it went over a budget
    told_aside: InboxId | None = None  # while this waits, the user of a session set aside knows that nothing will come
    active_at: float | None = None  # the last sign of life of user or agent
    in_doubt: bool = False  # what became of a call may not be known
    because: FreshCause | None = None  # why it began anew, until it has said so
    succeeded: bool = False  # another session has the chat
    suspended: bool = False
    commands: tuple[StoredInbound, ...] = ()  # on disk and not yet carried out
    looking: tuple[StoredInbound, ...] = ()  # carried out when the store has said what they need to know
