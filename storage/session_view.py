"""What operators see of one session: its transcript, runs, tools, questions, deliveries, why it was woken."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from greenroom.actors.model import (
    DeliveryKind,
    DeliveryState,
    Epoch,
    Generation,
    Lapse,
    Message,
    RunCause,
    Seq,
    SessionId,
    ToolPolicy,
)
from greenroom.actors.process import ProcessId, ProcessState
from greenroom.actors.wording import LAST_WORDS_MAX
from greenroom.storage.rows import MESSAGE_COLUMNS, Row, read_message
from greenroom.storage.views import PAGE_MAX, SessionRow, read_session


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `ending` is None while it is open and has not ended by itself."""

    generation: Generation  # its number in the session
    epoch: Epoch  # the boot it ran in
    work: Generation  # number of the first run of the same work
    cause: RunCause  # why it began
    attempt: int  # of the same work, counted from 1
    open: bool  # whether it is still to be concluded
    opened_at: float  # when it began
    last_progress_at: float  # when it last got anywhere
    closed_at: float | None  # when it was concluded
    ending: str | None  # how it ended by itself; null while it has not
    interrupted_by: str | None  # what cut it off
    failed_by: str | None  # what made it fail
    model_calls: int  # of its work so far, as its agent reported
    tokens: int  # of its work so far, as its agent reported
    cost: float  # of its work so far, in the currency that its agent reports


@dataclass(frozen=True, slots=True)
class ToolRow:
    """One call of a tool. `result` is None while its outcome is not known."""

    generation: Generation  # the run that called it last
    key: str  # the same in every attempt at the same work
    name: str  # of the tool
    args: str  # canonical JSON object
    policy: ToolPolicy  # what may happen to it after a crash
    attempts: int  # how often it was called
    started_at: float  # when it was called last
    ended_at: float | None  # when that call was over, with a result or without
    result: str | None  # what it answered; null while its outcome is not known
    failed: bool  # whether the result is an error


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """Something the agent asked. `answer` is None while the user has the word, and for ever if it `lapsed`."""

    generation: Generation  # the run that asked
    prompt: str  # what was asked
    choices: tuple[str, ...]  # answers that were offered
    asked_at: float  # when it was asked
    answer: str | None  # null while the user has the word, and for ever if it lapsed
    answered_at: float | None  # when it was answered
    lapsed: Lapse | None  # why it is over without an answer


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A background process. Where nothing serves the database, one that was `running` is not: it is not known yet."""

    generation: Generation  # the run that started it
    process: ProcessId  # its name
    command: tuple[str, ...]  # the program and its arguments
    state: ProcessState  # how it stands
    exit_code: int | None  # null while it has none
    output: str  # the end of what was kept
    started_at: float  # when it was asked for
    ended_at: float | None  # when it was over


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One row of the outbox. `delivery` is its name, as `greenroom dead` takes it."""

    delivery: str  # its name, as `greenroom dead` takes it
    kind: DeliveryKind  # what it says
    generation: Generation  # the run it is of
    state: DeliveryState  # where it stands
    attempts: int  # so many tries in a row got nowhere; 0 after one that did
    message_ids: tuple[str, ...]  # the platform's names of the messages that show it
    text: str | None  # null while it is not written yet
    error: str | None  # why the last try failed
    created_at: float  # when it was made
    retry_at: float | None  # when it is tried again
    delivered_at: float | None  # when the platform confirmed it


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One resume decision: the rule that answered, what was done, and all that it was decided from."""

    epoch: Epoch  # the boot that decided
    generation: Generation  # the run it is about
    rule: str  # the rule that answered
    outcome: str  # what was done
    at: float  # when it was decided
    inputs: dict[str, Any]  # all that it was decided from; what there is depends on the rule


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session and the last rows of everything that belongs to it, oldest first."""

    session: SessionRow  # the session
    messages: tuple[Message, ...]  # rows of its transcript
    runs: tuple[RunRow, ...]  # its runs
    tools: tuple[ToolRow, ...]  # its tool calls
    questions: tuple[QuestionRow, ...]  # what its agent asked
    processes: tuple[ProcessRow, ...]  # its background processes
    deliveries: tuple[DeliveryRow, ...]  # its deliveries


def read_session_view(
    db: apsw.Connection, session_id: SessionId, *, live: bool, last: int = 20, before: Seq | None = None
) -> SessionView | None:
    """The last rows of everything of one session; of the transcript those below `before`. None if unknown.

    All parts are of one moment, whatever a writer does meanwhile.
    """
    last = min(last, PAGE_MAX)
    db.execute("BEGIN")
    try:
        session = read_session(db, session_id, live=live)
        if session is None:
            return None
        return SessionView(
            session,
            read_transcript(db, session_id, last=last, before=before),
            tuple(_read_run(row) for row in _last(db, _RUNS, session_id, last)),
            tuple(_read_tool(row) for row in _last(db, _TOOLS, session_id, last)),
            tuple(_read_question(row) for row in _last(db, _QUESTIONS, session_id, last)),
            tuple(_read_process(row) for row in _last(db, _PROCESSES, session_id, last)),
            tuple(_read_delivery(row) for row in _last(db, _DELIVERIES, session_id, last)),
        )
    finally:
        db.execute("COMMIT")


def read_transcript(
    db: apsw.Connection, session_id: SessionId, *, last: int, before: Seq | None = None
) -> tuple[Message, ...]:
    """Rows of a transcript below `before`, the last ones, oldest first."""
    rows = db.execute(_MESSAGES, (session_id, 2**62 if before is None else before, last)).fetchall()
    return tuple(read_message(row) for row in reversed(rows))


def read_decisions(db: apsw.Connection, session_id: SessionId, *, last: int = 20) -> tuple[DecisionRow, ...]:
    """The last resume decisions of a session, oldest first."""
    return tuple(_read_decision(row) for row in _last(db, _DECISIONS, session_id, min(last, PAGE_MAX)))


def read_boot_decisions(db: apsw.Connection, epoch: Epoch) -> tuple[tuple[SessionId, DecisionRow], ...]:
    """The decisions of one boot, the newest of each session, at most PAGE_MAX. Costs what that boot decided."""
    found: dict[SessionId, DecisionRow] = {}
    sql = "SELECT session_id, epoch, generation, rule, outcome, at, inputs FROM decisions ORDER BY id DESC"
    rows: Iterable[Row] = db.execute(sql)
    for session_id, *row in rows:
        if row[0] < epoch or len(found) >= PAGE_MAX:
            break
        if row[0] == epoch:
            found.setdefault(SessionId(session_id), _read_decision(tuple(row)))
    return tuple(found.items())


_MESSAGES = f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?"  # noqa: S608 - our own columns
_RUNS = (
    "SELECT generation, epoch, work, cause, attempt, open, opened_at, last_progress_at, closed_at, ending,"
    " interrupted_by, failed_by, model_calls, tokens, cost FROM runs"
    " WHERE session_id = ? ORDER BY generation DESC LIMIT ?"
)
_TOOLS = (
    "SELECT generation, key, name, args, policy, attempts, started_at, ended_at, result, failed"
    " FROM tool_calls WHERE session_id = ? ORDER BY work DESC, id DESC LIMIT ?"
)
_QUESTIONS = (
    "SELECT generation, prompt, choices, asked_at, answer, answered_at, lapsed"
    " FROM questions WHERE session_id = ? ORDER BY work DESC, id DESC LIMIT ?"
)
_PROCESSES = (
    f"SELECT generation, process, command, state, exit_code, substr(output, -{LAST_WORDS_MAX}), started_at, ended_at"  # noqa: S608 - constant
    " FROM processes WHERE session_id = ? ORDER BY id DESC LIMIT ?"
)
_DELIVERIES = (
    "SELECT key, kind, generation, state, attempts, message_ids, text, error, created_at, retry_at, delivered_at"
    " FROM deliveries WHERE session_id = ? ORDER BY id DESC LIMIT ?"
)
_DECISIONS = (
    "SELECT epoch, generation, rule, outcome, at, inputs FROM decisions WHERE session_id = ? ORDER BY id DESC LIMIT ?"
)


def _last(db: apsw.Connection, sql: str, session_id: SessionId, last: int) -> list[Row]:
    return db.execute(sql, (session_id, last)).fetchall()[::-1]


def _read_run(row: Row) -> RunRow:
    generation, epoch, work, cause, attempt, is_open, *rest = row
    return RunRow(generation, epoch, work, RunCause(cause), attempt, bool(is_open), *rest)


def _read_tool(row: Row) -> ToolRow:
    generation, key, name, args, policy, attempts, started, ended, result, failed = row
    asked = ToolPolicy(policy)
    return ToolRow(generation, key, name, args, asked, attempts, started, ended, result, bool(failed))


def _read_question(row: Row) -> QuestionRow:
    generation, prompt, choices, asked_at, answer, answered_at, lapsed = row
    over = None if lapsed is None else Lapse(lapsed)
    return QuestionRow(generation, prompt, tuple(json.loads(choices)), asked_at, answer, answered_at, over)


def _read_process(row: Row) -> ProcessRow:
    generation, process, command, state, exit_code, output, started, ended = row
    words = tuple(json.loads(command))
    return ProcessRow(generation, process, words, ProcessState(state), exit_code, output, started, ended)


def _read_delivery(row: Row) -> DeliveryRow:
    key, kind, generation, state, attempts, ids, text, error, created, retry, delivered = row
    what, stands, posted = DeliveryKind(kind), DeliveryState(state), tuple(json.loads(ids))
    return DeliveryRow(key, what, generation, stands, attempts, posted, text, error, created, retry, delivered)


def _read_decision(row: Row) -> DecisionRow:
    epoch, generation, rule, outcome, at, inputs = row
    return DecisionRow(epoch, generation, rule, outcome, at, json.loads(inputs))
