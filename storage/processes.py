"""Background processes on disk: what each fact makes of their rows, and the questions that are asked of them."""

import json
from collections.abc import Callable
from typing import Any

import apsw

from greenroom.actors.model import Epoch, Generation, SessionId
from greenroom.actors.process import (
    Awaited,
    Leader,
    Leftover,
    ProcessEnding,
    ProcessId,
    ProcessRecord,
    ProcessState,
)
from greenroom.actors.process_facts import (
    ProcessBegan,
    ProcessConsumed,
    ProcessEnded,
    ProcessesDismissed,
    ProcessPlanned,
    WatchGivenUp,
)
from greenroom.actors.wording import LAST_WORDS_MAX
from greenroom.storage.rows import Row, must_agree, one_row

_OF_INTEREST = "unwanted = 0 AND (state IN ('starting', 'running') OR (consumed = 0 AND notify = 1))"
_AWAITED = f"""
SELECT process, generation, command, notify, reply_to, state, exit_code, substr(output, -?2), consumed
FROM processes INDEXED BY processes_awaited WHERE session_id = ?1 AND {_OF_INTEREST} ORDER BY id
"""  # noqa: S608 - constant
_RECORDS = """
SELECT process, command, state, exit_code, output, started_at, ended_at FROM processes
WHERE session_id = ? ORDER BY id DESC LIMIT ?
"""
_UNWANTED = """
SELECT session_id, process, pid, born, machine FROM processes INDEXED BY processes_live
WHERE session_id = ? AND unwanted = 1 AND state IN ('starting', 'running') ORDER BY id
"""
_LEFT = """
SELECT session_id, process, pid, born, machine FROM processes INDEXED BY processes_live
WHERE epoch < ? AND state IN ('starting', 'running') ORDER BY id
"""
_UNTOLD = f"""
SELECT processes.session_id, count(*) FROM processes INDEXED BY processes_awaited
JOIN sessions ON sessions.id = processes.session_id
WHERE consumed = 0 AND notify = 1 AND state IN ('ended', 'lost') AND suspended_at IS NULL AND {_OF_INTEREST}
"""  # noqa: S608 - constant


def read_awaited(db: apsw.Connection, session_id: SessionId) -> tuple[Awaited, ...]:
    """The processes that live, or have still something to tell their session, oldest first."""
    return tuple(_awaited(row) for row in db.execute(_AWAITED, (session_id, LAST_WORDS_MAX)))


def read_processes(db: apsw.Connection, session_id: SessionId, last: int) -> tuple[ProcessRecord, ...]:
    """The last processes of a session, oldest first."""
    rows = db.execute(_RECORDS, (session_id, last)).fetchall()
    return tuple(_record(row) for row in reversed(rows))


def read_leftovers(db: apsw.Connection, epoch: Epoch) -> tuple[Leftover, ...]:
    """The processes that no owner before this one saw to their end."""
    return tuple(map(_leftover, db.execute(_LEFT, (epoch,))))


def read_unwanted(db: apsw.Connection, session_id: SessionId) -> tuple[Leftover, ...]:
    """The processes of a session that live although its user ended them."""
    return tuple(map(_leftover, db.execute(_UNWANTED, (session_id,))))


def read_untold(db: apsw.Connection, session_id: SessionId | None) -> dict[SessionId, int]:
    """How many ends may wake each session; of one, or of all. Not one that is suspended."""
    only, bindings = ("", ()) if session_id is None else (" AND processes.session_id = ?", (session_id,))
    return {SessionId(session): n for session, n in db.execute(f"{_UNTOLD}{only} GROUP BY 1", bindings)}


def _leftover(row: Row) -> Leftover:
    session, name, pid, born, machine = row
    return Leftover(SessionId(session), ProcessId(name), None if pid is None else Leader(pid, born, machine))


def _awaited(row: Row) -> Awaited:
    name, generation, command, notify, reply_to, state, exit_code, output, consumed = row
    over = state not in {ProcessState.STARTING, ProcessState.RUNNING}
    return Awaited(
        ProcessId(name),
        Generation(generation),
        tuple(json.loads(command)),
        bool(notify),
        reply_to,
        ending=ProcessEnding(ProcessState(state), exit_code, output) if over else None,
        seen=bool(consumed),
    )


def _record(row: Row) -> ProcessRecord:
    name, command, state, exit_code, output, started_at, ended_at = row
    words = tuple(json.loads(command))
    return ProcessRecord(ProcessId(name), words, ProcessState(state), exit_code, output, started_at, ended_at)


def _planned(db: apsw.Connection, fact: ProcessPlanned) -> None:
    order = fact.order
    db.execute(
        "INSERT INTO processes (session_id, process, epoch, generation, command, notify, patterns, reply_to, state,"
        " started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'starting', ?) ON CONFLICT (session_id, process) DO NOTHING",
        (
            fact.session_id,
            order.id,
            fact.epoch,
            fact.generation,
            json.dumps(order.command, ensure_ascii=False),
            order.notify,
            json.dumps(order.patterns, ensure_ascii=False),
            order.reply_to,
            fact.at,
        ),
    )
    if not db.changes():
        sql = "SELECT epoch, command FROM processes WHERE session_id = ? AND process = ?"
        row = one_row(db, sql, (fact.session_id, order.id))
        wanted = (fact.epoch, json.dumps(order.command, ensure_ascii=False))
        must_agree(row, wanted, f"process {order.id} of session {fact.session_id} was planned otherwise")


def _began(db: apsw.Connection, fact: ProcessBegan) -> None:
    leader = fact.leader
    db.execute(
        "UPDATE processes SET state = 'running', pid = ?, born = ?, machine = ?"
        " WHERE session_id = ? AND process = ? AND state = 'starting'",
        (leader.pid, leader.born, leader.machine, fact.session_id, fact.id),
    )


def _ended(db: apsw.Connection, fact: ProcessEnded) -> None:
    """One that could not be started is told to the agent that tried, and to nobody else."""
    ending = fact.ending
    db.execute(
        "UPDATE processes SET state = ?1, exit_code = ?2, output = ?3, ended_at = ?4,"
        " consumed = iif(?1 = 'failed', 1, consumed)"
        " WHERE session_id = ?5 AND process = ?6 AND state IN ('starting', 'running')",
        (ending.state, ending.exit_code, ending.output, fact.at, fact.session_id, fact.id),
    )


def _consumed(db: apsw.Connection, fact: ProcessConsumed) -> None:
    db.execute("UPDATE processes SET consumed = 1 WHERE session_id = ? AND process = ?", (fact.session_id, fact.id))


def _watch_given_up(db: apsw.Connection, fact: WatchGivenUp) -> None:
    db.execute(
        "UPDATE processes SET notify = 1 WHERE session_id = ? AND process = ? AND consumed = 0",
        (fact.session_id, fact.id),
    )


def _dismissed(db: apsw.Connection, fact: ProcessesDismissed) -> None:
    db.execute(
        f"UPDATE processes INDEXED BY processes_awaited SET unwanted = 1 WHERE session_id = ? AND {_OF_INTEREST}",  # noqa: S608 - constant
        (fact.session_id,),
    )


PROCESS_STATEMENTS: dict[type, Callable[[apsw.Connection, Any], None]] = {
    ProcessPlanned: _planned,
    ProcessBegan: _began,
    ProcessEnded: _ended,
    ProcessConsumed: _consumed,
    WatchGivenUp: _watch_given_up,
    ProcessesDismissed: _dismissed,
}
