"""Forgetting for good: all rows of conversations, and then the bytes that they leave in free space and in journals."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import apsw

from greenroom.actors.facts import SessionsForgotten
from greenroom.actors.model import FreshCause, SessionId, SessionKey
from greenroom.actors.store import Kin
from greenroom.storage.lock import WriterLock
from greenroom.storage.pruning import PARTS
from greenroom.storage.requests import Scrubbed
from greenroom.storage.rows import Contradiction, one_row, read_attachments, read_key
from greenroom.storage.search import COUNT_FORGETTING, throw_away
from greenroom.storage.sqlite import CannotOpen, open_writer

SCRUB_BYTES_MAX = 256 * 1024 * 1024
"""A larger file is not written anew while somebody serves it: all writes would wait for that."""

SCRUB_OWED = "scrub_owed"
"""Under this `meta` says since when bytes of what was forgotten may be in the files, until they are scrubbed."""

_OF_SESSION = " WHERE session_id = ?"
_PER_INDEX = {"inbox": (" AND generation IS NULL", " AND generation IS NOT NULL")}
_DELETES = (
    *(
        f"DELETE FROM {table}{_OF_SESSION}{which}"  # noqa: S608 - constants
        for table in ("dead_letters", *PARTS, "routes")
        for which in _PER_INDEX.get(table, ("",))
    ),
    "DELETE FROM sessions WHERE id = ?",
)

_COUNTS = tuple(
    (table, f"SELECT count(*) FROM {table}{_OF_SESSION}{which}")  # noqa: S608 - constants
    for table in PARTS
    for which in _PER_INDEX.get(table, ("",))
)

# Who is set aside is not worked for, although a run may be open.
_AT_WORK = """
SELECT EXISTS (SELECT 1 FROM runs JOIN sessions ON sessions.id = runs.session_id WHERE session_id = ?1 AND open = 1
        AND suspended_at IS NULL AND quarantined_at IS NULL),
    EXISTS (SELECT 1 FROM processes WHERE session_id = ?1 AND state IN ('starting', 'running'))
"""


def sessions_forgotten(db: apsw.Connection, fact: SessionsForgotten) -> None:
    """Delete all that belongs to these sessions, with zeros in its place. Raises Contradiction while one is at work."""
    for session_id in fact.ids:
        row = one_row(db, _AT_WORK, (session_id,))
        if row is not None and any(row):
            what = "an agent works in it" if row[0] else "a background process of it runs"
            raise Contradiction(f"session {session_id} of {fact.key} cannot be forgotten now: {what}")
    before = db.pragma("secure_delete")
    db.pragma("secure_delete", 1)
    forgotten = 0
    try:
        for session_id in fact.ids:
            _unlink(db, session_id)
            for sql in _DELETES:
                db.execute(sql, (session_id,))
            forgotten += db.changes()  # Of the last one: the session itself.
        _begin_anew(db, fact)
        if forgotten:
            db.execute(COUNT_FORGETTING)
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (SCRUB_OWED, repr(fact.at)))
    finally:
        db.pragma("secure_delete", before)


def _unlink(db: apsw.Connection, session_id: SessionId) -> None:
    """Let who followed this session follow the one before it."""
    row = one_row(db, "SELECT predecessor FROM sessions WHERE id = ?", (session_id,))
    if row is not None:
        db.execute("UPDATE sessions SET predecessor = NULL WHERE id = ?", (session_id,))
        db.execute("UPDATE sessions SET predecessor = ? WHERE predecessor = ?", (row[0], session_id))


def _begin_anew(db: apsw.Connection, fact: SessionsForgotten) -> None:
    """Let a chat whose older conversations are left have a new one, as by `/new`: none of them is taken up again."""
    db.execute(
        "INSERT INTO sessions (key, created_at, epoch, predecessor, because)"
        " SELECT key, ?, (SELECT epoch FROM ownership WHERE shard = 0), max(id), ? FROM sessions"
        " WHERE key = ? AND because IS NOT 'imported' AND key NOT IN (SELECT key FROM routes) GROUP BY key",
        (fact.at, FreshCause.ASKED, str(fact.key)),
    )
    if db.changes():
        db.execute("INSERT INTO routes (key, session_id) VALUES (?, ?)", (str(fact.key), db.last_insert_rowid()))


def read_kin(db: apsw.Connection, session_id: SessionId, *, whole_chat: bool) -> Kin | None:
    """The chat of a session, and this session or all that its chat ever had."""
    row = one_row(db, "SELECT key FROM sessions WHERE id = ?", (session_id,))
    if row is None:
        return None
    if not whole_chat:
        return Kin(read_key(row[0]), (session_id,))
    ids = db.execute("SELECT id FROM sessions WHERE key = ? ORDER BY id", (row[0],)).fetchall()
    return Kin(read_key(row[0]), tuple(SessionId(int(id_ or 0)) for (id_,) in ids))


def is_scrub_owed(db: apsw.Connection) -> bool:
    """Whether something was forgotten and no scrub came to its end since: it was killed, or kept from it."""
    return one_row(db, "SELECT 1 FROM meta WHERE key = ?", (SCRUB_OWED,)) is not None


def scrub(db: apsw.Connection, *, bytes_max: int | None) -> Scrubbed:
    """Write the file anew if it is not too large (None: none is), and empty its journal if nobody reads in it.

    Where both are done no scrub is owed any more.
    """
    size = db.pragma("page_count") * db.pragma("page_size")
    whole = bytes_max is None or size <= bytes_max
    if whole:
        db.execute("VACUUM")
    emptied = False
    if db.filename_wal:
        with contextlib.suppress(apsw.BusyError):
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            emptied = True
    if whole and emptied:
        db.execute("DELETE FROM meta WHERE key = ?", (SCRUB_OWED,))
    return Scrubbed(file=whole, journal=emptied)


@dataclass(frozen=True, slots=True)
class Held:
    """What sessions hold, by table, and the files that came with their messages, which are no rows."""

    rows: dict[str, int]
    files: tuple[str, ...]


def read_held(db: apsw.Connection, ids: tuple[SessionId, ...]) -> Held:
    """Count what would be forgotten with these sessions."""
    rows = dict.fromkeys(PARTS, 0)
    for table, sql in _COUNTS:
        rows[table] += sum(int(db.execute(sql, (id_,)).get or 0) for id_ in ids)
    files: dict[str, None] = {}
    for id_ in ids:
        sql = "SELECT attachments FROM messages WHERE session_id = ? AND attachments IS NOT NULL"
        for (attached,) in db.execute(sql, (id_,)):
            files |= dict.fromkeys(each.where for each in read_attachments(str(attached)))
    return Held({table: count for table, count in rows.items() if count}, tuple(files))


def erase_unserved(path: Path, key: SessionKey, ids: tuple[SessionId, ...], *, now: float) -> Scrubbed:
    """Forget sessions in a database that nobody serves, and write the file anew, whatever its size.

    Raises CannotOpen, Contradiction, lock.Held, apsw.Error.
    """
    if not path.exists():
        raise CannotOpen(f"{path}: there is no database here; name the right file")
    with WriterLock(path):
        db = open_writer(str(path), missing="refuse")
        try:
            with db:
                for id_ in ids:  # Nobody works on what is open.
                    db.execute("UPDATE runs SET open = 0 WHERE session_id = ? AND open = 1", (id_,))
                sessions_forgotten(db, SessionsForgotten(key, ids, now))
            throw_away(str(path))
            if db.pragma("page_count") * db.pragma("page_size") > SCRUB_BYTES_MAX:
                db.execute("PRAGMA temp_store = FILE")
            scrubbed = scrub(db, bytes_max=None)
        finally:
            db.close(force=True)
    return Scrubbed(file=scrubbed.file, journal=scrubbed.journal, index=True)
