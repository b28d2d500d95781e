"""What operators see of all sessions, read beside the running writer. Every question is bounded and answered by index.

A view costs what it shows, not what is stored: pages have a limit, and counts are taken over partial indexes that
hold only what is open.
"""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import apsw

from greenroom.actors.model import Epoch, Generation, SessionId, TailKind
from greenroom.storage.boots import Boot, read_boots, read_ownership
from greenroom.storage.migrate import NewerSchema, read_migrations, read_version
from greenroom.storage.rows import Row, one_row
from greenroom.storage.sqlite import CannotOpen, open_reader
from greenroom.storage.transcript import read_tail_of

PAGE_MAX = 1_000
"""Most rows of one page, whatever was asked for."""

OWED_LOOK = 100
"""Deliveries of one session leave in order: what is owed is among its last ones."""

BOOTS_SHOWN = 5


class SessionState(StrEnum):
    """Where a session stands, the most pressing word first."""

    QUARANTINED = "quarantined"  # set aside after attempts that got nowhere
    SUSPENDED = "suspended"  # set aside by its user or an operator
    ASKING = "asking"  # the agent asked, the user has the word
    RUNNING = "running"  # the agent works
    INTERRUPTED = "interrupted"  # a run is open and no process works on it
    WAITING = "waiting"  # messages are stored and no run has taken them
    OWING = "owing"  # answers are stored and not yet sent
    IDLE = "idle"


class Only(StrEnum):
    """Which sessions a list is narrowed to."""

    OPEN = "open"  # a run is open: running, asking or interrupted
    WAITING = "waiting"
    OWING = "owing"
    ASIDE = "aside"  # quarantined or suspended


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session in a list. `messages` counts its transcript's rows; times are UTC epoch seconds."""

    id: SessionId  # its number
    key: str  # names its chat: `platform:account:chat[:thread]`
    state: SessionState  # where it stands, the most pressing word
    generation: Generation  # number of its last run; 0 if it never ran
    messages: int  # rows of its transcript
    waiting: int  # messages not yet handed to a run
    owed: int  # deliveries not yet confirmed by the platform, among its last ones
    created_at: float  # when it began
    last_at: float  # when it last moved
    reason: str | None  # why it is interrupted or quarantined
    tail: TailKind  # how its transcript ends
    restarts: int  # of its actor, since it last made progress


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """The store at a glance. `sessions` and `messages` count all that were ever made."""

    epoch: Epoch  # number of the last boot
    boots: tuple[Boot, ...]  # the last ones, newest first
    bytes: int  # size of the database, without its journal
    sessions: int  # that were ever made
    messages: int  # rows of transcripts that were ever written
    runs_open: int  # that are under way, ask, or are interrupted
    asking: int  # open runs that wait for their user
    inbound_waiting: int  # messages not yet handed to a run
    deliveries_owed: int  # not yet confirmed by a platform
    set_aside: int  # sessions that are quarantined or suspended
    dead_letters: int  # deliveries that were given up
    refused: int  # messages of chats that may not write
    tool_calls_open: int = 0  # without a result: they work, or nobody knows what became of them


def open_views(path: Path) -> apsw.Connection:
    """Open a database for reading only. Never creates one. Raises CannotOpen with what to do."""
    try:
        db = open_reader(str(path))
    except apsw.Error as error:
        advice = (
            "it lies on a read-only file system; copy it with its -wal to a writable place, and name the copy"
            if os.statvfs(path).f_flag & os.ST_RDONLY
            else "check the rights on the file and its folder"
        )
        raise CannotOpen(f"{path}: cannot be read: {error}; {advice}") from error
    try:
        _check_schema(db, path)
    except BaseException:  # Invariant: a connection that is not returned is not left open.
        db.close()
        raise
    return db


def _check_schema(db: apsw.Connection, path: Path) -> None:
    try:
        found, known = read_version(db), len(read_migrations())
        owned = None if found != known else read_ownership(db)
    except apsw.Error as error:
        raise CannotOpen(f"{path}: cannot be read: {error}") from error
    if found > known:
        raise NewerSchema(
            f"{path}: written by a newer greenroom (schema {found}; this one knows up to {known}); "
            "read it with that release"
        )
    if owned is None:
        raise CannotOpen(f"{path}: not yet a greenroom database of this release; run `greenroom up` on it once")


_SESSION = """
SELECT s.id, s.key, s.generation, s.created_at, s.suspended_at, s.quarantined_at, s.quarantine_reason,
    ifnull((SELECT max(seq) FROM messages WHERE session_id = s.id), 0),
    (SELECT at FROM messages WHERE session_id = s.id ORDER BY seq DESC LIMIT 1),
    (SELECT count(*) FROM inbox WHERE session_id = s.id AND generation IS NULL AND change IS NULL),
    (SELECT max(at) FROM inbox WHERE session_id = s.id AND generation IS NULL AND change IS NULL),
    (SELECT count(*) FROM (SELECT state FROM deliveries WHERE session_id = s.id ORDER BY id DESC LIMIT ?)
     WHERE state NOT IN ('open', 'delivered', 'dead')),
    r.epoch, r.tail_kind, r.interrupted_by,
    iif(json_valid(s.restart_budget), json_array_length(s.restart_budget, '$.restarts'), 0)
FROM sessions s LEFT JOIN runs r ON r.session_id = s.id AND r.open = 1
WHERE s.id = ?
"""


def read_sessions(
    db: apsw.Connection, *, live: bool, only: Only | None = None, before: SessionId | None = None, limit: int = 50
) -> tuple[SessionRow, ...]:
    """List sessions, the newest number first, from below `before`. `live`: a process writes to this store now."""
    bounds = (2**62 if before is None else before, min(limit, PAGE_MAX))
    ids: list[Row] = db.execute(_select_ids(only), bounds).fetchall()
    rows = [read_session(db, SessionId(id_), live=live) for (id_,) in ids]
    return tuple(row for row in rows if row is not None)


def _select_ids(only: Only | None) -> str:
    match only:
        case None:
            return "SELECT id FROM sessions WHERE id < ? ORDER BY id DESC LIMIT ?"
        case Only.OPEN:
            return "SELECT session_id FROM runs WHERE open = 1 AND session_id < ? ORDER BY session_id DESC LIMIT ?"
        case Only.WAITING:
            return (
                "SELECT DISTINCT session_id FROM inbox WHERE generation IS NULL AND change IS NULL AND session_id < ?"
                " ORDER BY session_id DESC LIMIT ?"
            )
        case Only.OWING:
            return (
                "SELECT DISTINCT session_id FROM deliveries INDEXED BY deliveries_owed"
                " WHERE state NOT IN ('delivered', 'dead') AND state <> 'open' AND session_id < ?"
                " ORDER BY session_id DESC LIMIT ?"
            )
        case Only.ASIDE:
            return (
                "SELECT id FROM sessions WHERE (suspended_at IS NOT NULL OR quarantined_at IS NOT NULL) AND id < ?"
                " ORDER BY id DESC LIMIT ?"
            )
        case _:
            assert_never(only)


def read_session(db: apsw.Connection, session_id: SessionId, *, live: bool) -> SessionRow | None:
    """One session as a list shows it; None for an unknown number."""
    owned = read_ownership(db)
    row = one_row(db, _SESSION, (OWED_LOOK, session_id))
    if row is None or owned is None:
        return None
    id_, key, generation, created_at, _, _, why, messages, at, waiting, inbox_at, owed, _, kept, by, restarts = row
    tail = read_tail_of(db, id_).kind if kept is None else TailKind[kept]
    last_at = max(each for each in (created_at, at, inbox_at) if each is not None)
    state = _classify_state(row, current=owned.epoch if live else None)
    reason = why if state is SessionState.QUARANTINED else by
    return SessionRow(
        id_, key, state, generation, messages, waiting, owed, created_at, last_at, reason, tail, restarts or 0
    )


def _classify_state(row: Row, *, current: Epoch | None) -> SessionState:
    _, _, _, _, suspended_at, quarantined_at, _, _, _, waiting, _, owed, run_epoch, tail_kind, *_ = row
    if quarantined_at is not None:
        return SessionState.QUARANTINED
    if suspended_at is not None:
        return SessionState.SUSPENDED
    if run_epoch is not None:
        if tail_kind == "ASKED":
            return SessionState.ASKING
        return SessionState.RUNNING if run_epoch == current else SessionState.INTERRUPTED
    if waiting:
        return SessionState.WAITING
    return SessionState.OWING if owed else SessionState.IDLE


def read_store_status(db: apsw.Connection) -> StoreStatus:
    """Count what is open. Costs what is open, not what is stored."""
    owned = read_ownership(db)
    return StoreStatus(
        epoch=Epoch(0) if owned is None else owned.epoch,
        boots=read_boots(db, BOOTS_SHOWN),
        bytes=_count(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"),
        sessions=_count(db, "SELECT seq FROM sqlite_sequence WHERE name = 'sessions'"),
        messages=_count(db, "SELECT max(id) FROM messages"),
        runs_open=_count(db, "SELECT count(*) FROM runs WHERE open = 1"),
        asking=_count(db, "SELECT count(*) FROM runs WHERE open = 1 AND tail_kind = 'ASKED'"),
        inbound_waiting=_count(
            db, "SELECT count(*) FROM inbox WHERE generation IS NULL AND change IS NULL AND operator = 0"
        ),
        deliveries_owed=_count(
            db, "SELECT count(*) FROM deliveries WHERE state NOT IN ('delivered', 'dead') AND state <> 'open'"
        ),
        set_aside=_count(
            db, "SELECT count(*) FROM sessions WHERE suspended_at IS NOT NULL OR quarantined_at IS NOT NULL"
        ),
        dead_letters=_count(db, "SELECT count(*) FROM dead_letters"),
        refused=_count(db, "SELECT sum(count) FROM refusals"),
        tool_calls_open=_count(db, "SELECT count(*) FROM tool_calls WHERE result IS NULL AND ended_at IS NULL"),
    )


def _count(db: apsw.Connection, sql: str) -> int:
    row = one_row(db, sql, ())
    return 0 if row is None or row[0] is None else int(row[0])
