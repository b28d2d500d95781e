"""What enters a session's mailbox: events, in the past tense. Those of a run carry its generation.

None is ever refused by a full mailbox: the door bounds what may wait for a session, and a run waits for its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from math import inf

from msgspec import Struct

from greenroom.actors.agent_rows import AgentRow
from greenroom.actors.model import (
    Budget,
    Epoch,
    FailCause,
    Generation,
    InboxId,
    InterruptReason,
    Question,
    Seq,
    Spent,
    StoredInbound,
    ToolCall,
)
from greenroom.actors.process import Match, Order, ProcessEnding, ProcessId
from greenroom.actors.runtime import Solicited
from greenroom.actors.store import Past


class Alarm(StrEnum):
    """The timers of a run. All belong to its generation."""

    PLACEHOLDER = "placeholder"  # the run shows no life yet: post the anchor
    TYPING = "typing"  # time to let the platform show that somebody is typing
    NOTICE = "notice"  # time to say that the work goes on
    SILENCE = "silence"  # no sign of life for too long
    LIMIT = "limit"  # it goes on and on
    QUESTION = "question"  # the user was waited for long enough


class SayTimers(Struct, Solicited, frozen=True):
    """Whoever looks at a session wants to know its timers: name -> in how many seconds. `then` returns at once."""

    then: Callable[[Mapping[str, float]], None]


class Arrived(Struct, Solicited, frozen=True):
    """An inbound is on disk and waits."""

    inbound: StoredInbound


class Woke(Struct, Solicited, frozen=True):
    """The session was loaded, to handle what waits."""


class Released(Struct, Solicited, frozen=True):
    """An operator gives the session back that was set aside; what counted against it is to be forgotten."""


class Resumed(Struct, Solicited, frozen=True):
    """The supervisor decided that interrupted work goes on."""

    reason: InterruptReason | str


class Drained(Struct, Solicited, frozen=True):
    """The process is about to end: no new run, and the running one is marked with why."""

    reason: InterruptReason


class CutShort(Struct, Solicited, frozen=True):
    """The drain is over: whatever runs is interrupted now."""


class Undelivered(Struct, Solicited, frozen=True):
    """A delivery of this session became a dead letter: its person does not see it."""

    key: str


class LifeShown(Struct, Solicited, frozen=True):
    """The run showed its first life that is not words (a tool, progress)."""

    generation: Generation


class Spoke(Struct, Solicited, frozen=True):
    """The agent streamed words. `text` is all that it said since its last question."""

    generation: Generation
    text: str


class Reported(Struct, Solicited, frozen=True):
    """The agent said what is going on; not part of the answer."""

    generation: Generation
    text: str


class Added(Struct, Solicited, frozen=True):
    """The agent had concluded by a row of its own, and said more before it ended. Another run may be open by now."""

    generation: Generation
    text: str
    reply_to: str | None = None


class Progressed(Struct, Solicited, frozen=True):
    """The running agent gave a sign of life that is to be written down."""

    generation: Generation


class Listened(Struct, Solicited, frozen=True):
    """The agent asks for what its user said meanwhile to steer it, and waits for the word under `key`."""

    generation: Generation
    key: str


class ToolCalled(Struct, Solicited, frozen=True):
    """The agent is about to call a tool, and waits until that is on disk.

    `doubts` are keys of calls just like it whose outcome is unknown: the user was asked, and said yes.
    """

    generation: Generation
    call: ToolCall
    doubts: tuple[str, ...] = ()
    nth: int = 0  # so often it was called just like this before, in this run


class ToolWithheld(Struct, Solicited, frozen=True):
    """The agent wanted to call a tool that may have taken effect already; it is told so when that is on disk.

    `doubts` are the keys of the calls of which nobody knows; the call's own may be among them.
    """

    generation: Generation
    call: ToolCall
    doubts: tuple[str, ...]
    nth: int = 0


class SpendingReported(Struct, Solicited, frozen=True):
    """The agent says what it spent, and waits for the word under `key`: on it goes, or too much."""

    generation: Generation
    key: str
    spent: Spent


class ToolReturned(Struct, Solicited, frozen=True):
    """A tool's outcome; the agent waits until it is on disk."""

    generation: Generation
    call: ToolCall
    result: str
    failed: bool


class Asked(Struct, Solicited, frozen=True):
    """The agent asks the user. `said` is what it had streamed since its last question."""

    generation: Generation
    question: Question
    said: str


class RowsWritten(Struct, Solicited, frozen=True):
    """The agent wrote rows of its own, all of them new; it waits until they are on disk. `batch` names the write."""

    generation: Generation
    batch: str
    rows: tuple[AgentRow, ...]


class Summarised(Struct, Solicited, frozen=True):
    """The host's summariser told in few words what the rows up to `upto` say."""

    generation: Generation
    upto: Seq
    text: str


class Answered(Struct, frozen=True):
    """The agent concluded. A `finish` that is not a conclusion (length, none) makes it a text cut short."""

    text: str
    finish: str | None = "stop"


class Failed(Struct, frozen=True):
    """The agent did not conclude. `line` is for the person: honest, short, without secrets or stack traces."""

    line: str
    said: str = ""
    cause: FailCause | Budget = FailCause.CRASHED


class Cancelled(Struct, frozen=True):
    """The run was stopped by us and ended."""


class PutOff(Struct, frozen=True):
    """The agent could not reach what it needs; the same work is tried again. `why` is for the person."""

    why: str
    retry_after_s: float | None = None
    said: str = ""


Outcome = Answered | Failed | Cancelled | PutOff


class RunEnded(Struct, Solicited, frozen=True):
    """The agent's coroutine is over."""

    generation: Generation
    outcome: Outcome


class Rang(Struct, Solicited, frozen=True):
    """A timer of the run rang. The agent had been at it, awake, for `ran_s`: 0 if it has not begun yet.

    It rang `late_s` too late: the host slept, or was too busy for anybody to be heard.
    """

    generation: Generation
    alarm: Alarm
    ran_s: float = inf
    late_s: float = 0.0
    question: str | None = None  # the key of the one that is over


class PastRead(Struct, Solicited, frozen=True):
    """What an order needs to know of the session's past; None: the store could not say."""

    inbox_id: InboxId
    past: Past | None


class IdleRang(Struct, Solicited, frozen=True):
    """Nothing happened for a while."""


class RetryRang(Struct, Solicited, frozen=True):
    """The time came to try again what this run could not do."""

    generation: Generation


class SpawnPlanned(Struct, Solicited, frozen=True):
    """The agent is about to start a background process, and waits until that is on disk."""

    generation: Generation
    order: Order


class ProcessHeard(Struct, Solicited, frozen=True):
    """The agent waited for a process, read it or ended it: it wants to be told nothing more of it."""

    generation: Generation
    id: ProcessId


class Matched(Struct, Solicited, frozen=True):
    """A process that this run started said what it is watched for."""

    generation: Generation
    epoch: Epoch
    id: ProcessId
    match: Match


class ProcessOver(Struct, Solicited, frozen=True):
    """A background process is over, and that is on disk. Whose run started it does not matter."""

    id: ProcessId
    ending: ProcessEnding


class WatchDropped(Struct, Solicited, frozen=True):
    """A process matched its patterns so often that they are watched no more."""

    id: ProcessId


RunEvent = (
    LifeShown
    | Spoke
    | Reported
    | Progressed
    | Listened
    | SpendingReported
    | ToolCalled
    | ToolWithheld
    | ToolReturned
    | RowsWritten
    | Summarised
    | Asked
    | SpawnPlanned
    | ProcessHeard
    | Matched
    | RunEnded
    | Rang
)
ProcessEvent = ProcessOver | WatchDropped
TreeEvent = Arrived | Woke | Released | Resumed | Drained | CutShort | Undelivered | ProcessEvent
"""What the tree tells; it counts them, to know when nothing is on its way to a session that wants to rest."""

Event = TreeEvent | IdleRang | RetryRang | PastRead | Added | RunEvent
