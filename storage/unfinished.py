"""What is open: the one question of a boot. Its cost grows with the open work, never with what is stored."""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import apsw
from msgspec.structs import replace

from greenroom.actors.model import Generation, OpenRun, SessionId, TailKind
from greenroom.actors.store import Unfinished
from greenroom.storage.boots import read_fell
from greenroom.storage.processes import read_untold
from greenroom.storage.rows import (
    RUN_COLUMNS,
    RUN_WIDTH,
    TAIL_COLUMNS,
    TAIL_WIDTH,
    Row,
    knows_tail,
    one_row,
    read_key,
    read_run,
    read_tail,
)
from greenroom.storage.segments import SEGMENTS_DONE
from greenroom.storage.transcript import read_tail_of

logger = logging.getLogger("greenroom.storage")

_RUN_AND_TAIL = RUN_WIDTH + TAIL_WIDTH


class _Waits(NamedTuple):
    """What waits for a session: so many inbound, orders among it, the last since then, and ends of its processes."""

    inbound: int = 0
    commands: int = 0
    last_at: float = 0.0
    untold: int = 0


_NONE_WAITS = _Waits()

# The delivery's key is written as `actors.keys.answer_key` does; a test compares the two.
_OPEN_RUNS = f"""
SELECT *, EXISTS (SELECT 1 FROM deliveries
    WHERE deliveries.key
    = found.id || '.' || found.work || '.answer' || iif(found.segment, '.' || found.segment, ''))
FROM (SELECT {RUN_COLUMNS}, {TAIL_COLUMNS}, sessions.id, sessions.key, sessions.generation AS newest,
    EXISTS (SELECT 1 FROM routes WHERE routes.key = sessions.key AND routes.session_id = sessions.id),
    sessions.suspended_at IS NOT NULL, sessions.quarantined_at IS NOT NULL,
    sessions.restart_budget,
    {SEGMENTS_DONE.format(session="runs.session_id", work="runs.work")} AS segment
FROM runs INDEXED BY runs_open CROSS JOIN sessions ON sessions.id = runs.session_id
WHERE runs.open = 1
"""  # noqa: S608 - constants

_WAITING = (
    "SELECT session_id, count(*), count(command), max(at) FROM inbox INDEXED BY inbox_waiting"
    " WHERE generation IS NULL AND change IS NULL"
)

_SESSION = """
SELECT sessions.key, sessions.generation,
    EXISTS (SELECT 1 FROM routes WHERE routes.key = sessions.key AND routes.session_id = sessions.id),
    sessions.suspended_at IS NOT NULL, sessions.quarantined_at IS NOT NULL, sessions.restart_budget
FROM sessions WHERE sessions.id = ?
"""


def read_unfinished(db: apsw.Connection, session_id: SessionId | None) -> tuple[Unfinished, ...]:
    """Sessions with an open run or waiting inbound, the most recently active first; of one session, or of all.

    With one session come those that took over from it, however many: it may have died before it could say so.
    One that cannot be read is left out and logged: it costs no other session its decision.
    """
    found = _read_found(db, session_id)
    while session_id is not None:
        session_id = _successor(db, session_id)
        if session_id is not None:
            found += _read_found(db, session_id)
    return tuple(found)


def _read_found(db: apsw.Connection, session_id: SessionId | None) -> list[Unfinished]:
    waiting = _read_waiting(db, session_id)
    found = _with_open_run(db, session_id, waiting)
    for session, waits in waiting.items():
        _read_into(found, session, partial(_without_run, db, session, waits))
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [unfinished for _, unfinished in found]


def _successor(db: apsw.Connection, session_id: SessionId) -> SessionId | None:
    row = one_row(db, "SELECT id FROM sessions WHERE predecessor = ?", (session_id,))
    return None if row is None else SessionId(row[0])


def _read_waiting(db: apsw.Connection, session_id: SessionId | None) -> dict[SessionId, _Waits]:
    only, bindings = ("", ()) if session_id is None else (" AND session_id = ?", (session_id,))
    rows = db.execute(f"{_WAITING}{only} GROUP BY session_id", bindings)
    found = {SessionId(session): _Waits(*waits) for session, *waits in rows}
    for session, untold in read_untold(db, session_id).items():
        found[session] = found.get(session, _NONE_WAITS)._replace(untold=untold)
    return found


def _with_open_run(
    db: apsw.Connection, session_id: SessionId | None, waiting: dict[SessionId, _Waits]
) -> list[tuple[float, Unfinished]]:
    """Takes the sessions that it finds out of `waiting`."""
    only, bindings = ("", ()) if session_id is None else (" AND runs.session_id = ?", (session_id,))
    rows: list[Row] = db.execute(f"{_OPEN_RUNS}{only}) AS found", bindings).fetchall()
    fell = {epoch: read_fell(db, epoch) for epoch in {row[1] for row in rows}}
    found: list[tuple[float, Unfinished]] = []
    for row in rows:
        session = SessionId(row[_RUN_AND_TAIL])
        waits = waiting.pop(session, _NONE_WAITS)
        _read_into(found, session, partial(_read_open, db, row, waits, fell))
    return found


def _read_into(
    found: list[tuple[float, Unfinished]], session_id: SessionId, read: Callable[[], tuple[float, Unfinished]]
) -> None:
    try:
        found.append(read())
    except apsw.Error:
        raise
    except Exception:  # Invariant: one row that means nothing to us keeps no other session waiting.
        logger.exception("session %s is left alone: what is open in it cannot be read", session_id)


def _read_open(db: apsw.Connection, row: Row, waits: _Waits, fell: dict[int, bool]) -> tuple[float, Unfinished]:
    run, kept = read_run(row[:RUN_WIDTH]), row[RUN_WIDTH:_RUN_AND_TAIL]
    session_id, key, generation, routed, suspended, quarantined, budget, segment, anchored = row[_RUN_AND_TAIL:]
    tail = read_tail(kept) if knows_tail(kept) else read_tail_of(db, session_id)
    if tail.kind is TailKind.TOOL_CALLS:
        tail = replace(tail, open_calls=_open_calls(db, session_id, run))
    return max(run.last_progress_at, tail.at, waits.last_at), Unfinished(
        session_id=session_id,
        key=read_key(key),
        generation=generation,
        run=run,
        tail=tail,
        waiting=waits.inbound,
        commands=waits.commands,
        routed=bool(routed),
        suspended=bool(suspended),
        quarantined=bool(quarantined),
        fell=fell[run.epoch],
        segment=segment,
        anchored=bool(anchored),
        untold=waits.untold,
        restart_budget=budget,
    )


def _without_run(db: apsw.Connection, session_id: SessionId, waits: _Waits) -> tuple[float, Unfinished]:
    key, generation, routed, suspended, quarantined, budget = _read_session(db, session_id)
    tail = read_tail_of(db, session_id)
    return max(tail.at, waits.last_at), Unfinished(
        session_id=session_id,
        key=read_key(key),
        generation=Generation(generation),
        run=None,
        tail=tail,
        waiting=waits.inbound,
        commands=waits.commands,
        routed=bool(routed),
        suspended=bool(suspended),
        quarantined=bool(quarantined),
        untold=waits.untold,
        restart_budget=budget,
    )


def _open_calls(db: apsw.Connection, session_id: SessionId, run: OpenRun) -> frozenset[str]:
    """What the run called and got no result of; what an attempt before it called was closed when it began."""
    rows = db.execute(
        "SELECT key FROM tool_calls WHERE session_id = ? AND work = ? AND generation = ?"
        " AND result IS NULL AND ended_at IS NULL",
        (session_id, run.work, run.generation),
    )
    return frozenset(key for (key,) in rows)


def _read_session(db: apsw.Connection, session_id: SessionId) -> Row:
    rows: list[Row] = db.execute(_SESSION, (session_id,)).fetchall()
    return rows[0]
