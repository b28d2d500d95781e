"""A page of sessions, narrowed by what an operator looks for, and how many stand where. Each by index.

Open work is found over partial indexes that hold only what is open; a platform or a part of a name over the index of
keys, which is read as a whole only where nothing narrower is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import apsw
from msgspec import Struct

from greenroom.actors.model import Epoch, SessionId
from greenroom.storage.boots import read_ownership
from greenroom.storage.rows import Row, one_row
from greenroom.storage.views import PAGE_MAX, SessionRow, SessionState, read_session

PLATFORMS_MAX = 100

PART_MAX = 200
"""Characters of a name that are looked for."""


class Sought(Struct, frozen=True):
    """What sessions are listed: those in a state, of a platform, with a part of a name (or a number)."""

    state: SessionState | None = None
    platform: str | None = None
    part: str = ""


def read_listed(
    db: apsw.Connection, sought: Sought, *, live: bool, before: SessionId | None = None, limit: int = 50
) -> tuple[SessionRow, ...]:
    """List what is sought, the newest number first, from below `before`. `live`: a process writes to this store now.

    A state is the one that was found in one moment; what a writer does until a row is read shows in that row.
    """
    sql, values = _select(sought, _current(db, live=live))
    below = 2**62 if before is None else before
    ids: list[Row] = db.execute(sql, {**values, "before": below, "limit": min(limit, PAGE_MAX)}).fetchall()
    rows = [read_session(db, SessionId(id_), live=live) for (id_,) in ids]
    return tuple(row for row in rows if row is not None)


def count_states(db: apsw.Connection, *, live: bool) -> Mapping[SessionState, int]:
    """Count the sessions in each state. Costs what is open, and one look at each page of the index of keys."""
    current = _current(db, live=live)
    busy = [state for state in SessionState if state is not SessionState.IDLE]
    counts = {state: _count(db, state, current) for state in busy}
    everyone = one_row(db, "SELECT count(*) FROM sessions", ())
    total = 0 if everyone is None else int(everyone[0])
    return counts | {SessionState.IDLE: max(0, total - sum(counts.values()))}


def read_platforms(db: apsw.Connection) -> tuple[str, ...]:
    """The platforms that have sessions. Costs a look at the index for each."""
    return tuple(_platforms(db))


def _platforms(db: apsw.Connection) -> Iterator[str]:
    after = ""
    for _ in range(PLATFORMS_MAX):
        row = one_row(db, "SELECT min(key) FROM sessions WHERE key >= ?", (after,))
        if row is None or row[0] is None:
            return
        platform = row[0].partition(":")[0]
        yield platform
        after = platform + ";"  # The character that follows the colon.


def _current(db: apsw.Connection, *, live: bool) -> Epoch:
    owned = read_ownership(db) if live else None
    return Epoch(-1) if owned is None else owned.epoch


def _count(db: apsw.Connection, state: SessionState, current: Epoch) -> int:
    return int(db.execute(_select_count(state), {"current": current, "before": 2**62}).get)


def _select_count(state: SessionState) -> str:
    return f"SELECT count(DISTINCT s.id) FROM {_source(state)}"  # noqa: S608 - our own words


def _select(sought: Sought, current: Epoch) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"current": current}
    narrowed = ""
    if sought.platform is not None:
        narrowed += " AND s.key >= :platform || ':' AND s.key < :platform || ';'"
        values["platform"] = sought.platform
    if part := sought.part.strip()[:PART_MAX]:
        narrowed += " AND (instr(lower(s.key), lower(:part)) > 0 OR s.id = :number)"
        values["part"], values["number"] = part, _number(part)
    source = _source(sought.state)
    if narrowed and sought.state is None:
        source = source.replace("sessions s WHERE", "sessions s INDEXED BY sessions_by_key WHERE s.key >= '' AND")
    return f"SELECT DISTINCT s.id FROM {source}{narrowed} ORDER BY s.id DESC LIMIT :limit", values  # noqa: S608 - ours


def _number(part: str) -> int:
    digits = part.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else -1  # noqa: PLR2004 - SQLite's


# CROSS JOIN: what is open comes first, and its sessions are looked up. SQLite would rather read all sessions.
_IN_LINE = "s.suspended_at IS NULL AND s.quarantined_at IS NULL"
_NO_RUN = "NOT EXISTS (SELECT 1 FROM runs WHERE session_id = s.id AND open = 1)"
_OWED = "d.state NOT IN ('delivered', 'dead') AND d.state <> 'open'"
_WAITS = "i.generation IS NULL AND i.change IS NULL"
_NONE_WAITS = f"NOT EXISTS (SELECT 1 FROM inbox i WHERE i.session_id = s.id AND {_WAITS})"  # noqa: S608 - our own words
_ASIDE = "sessions s INDEXED BY sessions_set_aside WHERE (s.suspended_at IS NOT NULL OR s.quarantined_at IS NOT NULL)"
_OPEN = f"runs r INDEXED BY runs_open CROSS JOIN sessions s ON s.id = r.session_id WHERE r.open = 1 AND {_IN_LINE}"
_FOUND = {
    SessionState.QUARANTINED: f"{_ASIDE} AND s.quarantined_at IS NOT NULL",
    SessionState.SUSPENDED: f"{_ASIDE} AND s.quarantined_at IS NULL",
    SessionState.ASKING: f"{_OPEN} AND r.tail_kind = 'ASKED'",
    SessionState.RUNNING: f"{_OPEN} AND r.tail_kind <> 'ASKED' AND r.epoch = :current",
    SessionState.INTERRUPTED: f"{_OPEN} AND r.tail_kind <> 'ASKED' AND r.epoch <> :current",
    SessionState.WAITING: (
        "inbox i INDEXED BY inbox_waiting CROSS JOIN sessions s ON s.id = i.session_id"
        f" WHERE {_WAITS} AND {_IN_LINE} AND {_NO_RUN}"
    ),
    SessionState.OWING: (
        "deliveries d INDEXED BY deliveries_owed CROSS JOIN sessions s ON s.id = d.session_id"
        f" WHERE {_OWED} AND {_IN_LINE} AND {_NO_RUN} AND {_NONE_WAITS}"
    ),
    SessionState.IDLE: (
        f"sessions s WHERE {_IN_LINE} AND {_NO_RUN} AND {_NONE_WAITS} AND s.id NOT IN"  # noqa: S608 - our own words
        f" (SELECT d.session_id FROM deliveries d INDEXED BY deliveries_owed WHERE {_OWED})"
    ),
}


def _source(state: SessionState | None) -> str:
    """Where sessions in a state are found; `s` is the session."""
    match state:
        case None:
            return "sessions s WHERE s.id < :before"
        case SessionState():
            return f"{_FOUND[state]} AND s.id < :before"
        case _:
            assert_never(state)
