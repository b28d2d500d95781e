"""Putting a copy in a database's place, so that nobody who had the old one goes on, and no number means two things.

What may not be taken for the past: the epoch is beyond that of both databases, which fences whoever still has the old
one open. The store has a new uid, since all that platforms were told by names made of it (keys of messages, of keyed
calls) may be given out again for something else. Numbers of sessions and inbound go on behind those of both.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import apsw

from greenroom.actors.atomic import sync_folder
from greenroom.actors.model import Epoch
from greenroom.storage.backup import MADE_AT, Told, copy_database, open_source, read_made_at
from greenroom.storage.boots import end_boot, read_ownership, take_ownership
from greenroom.storage.lock import WriterLock
from greenroom.storage.migrate import NewerSchema, migrate, read_migrations, read_version
from greenroom.storage.placing import JOURNALS, NO_LINKS, placing
from greenroom.storage.rows import one_row
from greenroom.storage.search import throw_away
from greenroom.storage.sqlite import SMALLEST_BYTES, CannotOpen, Malformed, open_writer, quick_check
from greenroom.storage.trouble import classify_error
from greenroom.storage.views import StoreStatus, read_store_status
from greenroom.storage.writer import let_go

LEAP = 1_000
"""How far numbers are carried on where it cannot be read which ones the database that was there has given out."""

PATIENCE_MS = 5_000
"""How long somebody else may be in the middle of reading or writing what is to be replaced."""

_HEAD = b"SQLite format 3\0"


class Given(NamedTuple):
    """The numbers that a store has given out."""

    epoch: int = 0
    session: int = 0
    inbox: int = 0


@dataclass(frozen=True, slots=True)
class Heir:
    """Who makes a store, and when. `uid` names it."""

    uid: str
    pid: int
    version: str
    now: float


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. `aside` is where lies what was there; `fenced`: whoever has that open will end.

    Where only a journal was there, `aside` is that.
    """

    database: Path
    backup: Path
    made_at: float | None
    aside: Path | None
    fenced: bool
    status: StoreStatus


def put_back(database: Path, backup: Path, heir: Heir, *, told: Told) -> Restored:
    """Put a whole copy of `backup` at `database`; what was there is kept aside.

    If it raises, what was there is there still, and at most has a new epoch.
    Raises Held where a process serves the database, and CannotOpen (also Malformed, NewerSchema, NotPlaced).
    """
    database, backup = database.resolve(), backup.resolve()
    with WriterLock(database), contextlib.ExitStack() as stack:
        source = _open_backup(database, backup)
        stack.callback(source.close, force=True)
        with _told_politely(database):
            with placing(database, overwrite=True) as new:
                copy_database(source, new, told)
                made_at, given = _look_over(new, backup)
                there, fenced = _fence(database, given.epoch)
                given = Given(*map(max, given, there))
                status = _make_ours(new, given, heir, f"restored from {backup}")
                aside = _put_aside(database, heir.now)
            throw_away(str(database))
    return Restored(database, backup, made_at, aside, fenced, status)


def _open_backup(database: Path, backup: Path) -> apsw.Connection:
    """Open what is to be put in place, if it can be."""
    if backup == database or (backup.exists() and database.exists() and backup.samefile(database)):
        raise CannotOpen(f"{backup} is the database itself; name a backup of it")
    if not backup.is_file():
        what = "is a folder" if backup.is_dir() else "there is no such file"
        raise CannotOpen(f"{backup}: {what}; name a file that `greenroom backup` made")
    if backup.stat().st_size < SMALLEST_BYTES:
        raise CannotOpen(f"{backup}: too short for a database: no whole backup; name another one")
    source = open_source(backup)
    try:
        _judge(source, backup)
    except BaseException:  # Invariant: a connection that is not returned is not left open.
        source.close(force=True)
        raise
    return source


def _judge(source: apsw.Connection, backup: Path) -> None:
    found, known = read_version(source), len(read_migrations())
    if found > known:
        raise NewerSchema(
            f"{backup}: of a newer greenroom (schema {found}; this one knows up to {known}); nothing was changed. "
            "Restore it with that release"
        )
    if read_ownership(source) is None:
        raise CannotOpen(f"{backup}: nothing was ever stored in it; name another backup")


def _look_over(new: Path, backup: Path) -> tuple[float | None, Given]:
    """Check the copy, and read of which moment it is and what numbers were given out by then."""
    copy = open_source(new)
    try:
        quick_check(copy, limit_s=math.inf)
        return read_made_at(copy), _read_given(copy)
    except Malformed as error:
        raise CannotOpen(
            f"{backup}: this backup is damaged ({error.detail}); nothing was changed. Take another one"
        ) from error
    finally:
        copy.close(force=True)


def _read_given(db: apsw.Connection) -> Given:
    owned = read_ownership(db)
    if owned is None:
        return Given()
    session, inbox = (
        one_row(db, "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)) for table in ("sessions", "inbox")
    )
    return Given(owned.epoch, session[0] if session else 0, inbox[0] if inbox else 0)


def _fence(database: Path, backed_up: int) -> tuple[Given, bool]:
    """Move what is there to the epoch that the restored one will have, and empty its journal into it.

    Where it cannot be read nobody is fenced, and nobody knows its numbers: then far greater ones are returned.
    """
    if not database.exists() or not (head := _read_head(database)):
        return (_unknown(backed_up), False) if _read_journals(database) else (Given(), True)
    if head != _HEAD:  # SQLite would open it for an empty one, and throw its journal away.
        return _unknown(backed_up), False
    try:
        db = open_writer(str(database), missing="refuse", busy_timeout_ms=PATIENCE_MS)
    except Malformed:
        return _unknown(backed_up), False
    try:
        given = _read_given(db)
        if given.epoch:
            db.execute("UPDATE ownership SET epoch = ? WHERE shard = 0", (max(given.epoch, backed_up) + 1,))
        elif read_version(db):
            return _unknown(backed_up), False
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return given, True
    except (apsw.CorruptError, apsw.NotADBError):
        return _unknown(backed_up), False
    finally:
        let_go(db)


def _read_head(database: Path) -> bytes:
    with database.open("rb") as file:
        return file.read(len(_HEAD))


def _unknown(backed_up: int) -> Given:
    return Given(backed_up + LEAP, LEAP, LEAP)


def _make_ours(new: Path, given: Given, heir: Heir, reason: str) -> StoreStatus:
    """Let the copy be a store of its own, whose last boot says where it comes from."""
    db = open_writer(str(new), missing="refuse")
    try:
        migrate(db, copy_first=False)
        with db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'uid'", (heir.uid,))
            db.execute("DELETE FROM meta WHERE key = ?", (MADE_AT,))
            db.execute("UPDATE ownership SET epoch = ? WHERE shard = 0", (given.epoch,))
            for table, number in (("sessions", given.session), ("inbox", given.inbox)):
                db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (number, table))
                db.execute(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2"
                    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
                    (table, number),
                )
        owned = take_ownership(db, uid_if_new=heir.uid, at=heir.now, pid=heir.pid, version=heir.version)
        end_boot(db, Epoch(owned.epoch), at=heir.now, reason=reason)
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return read_store_status(db)
    finally:
        let_go(db)


def _read_journals(database: Path) -> dict[str, Path]:
    """The journals beside it in which something may stand, by their endings."""
    journals = {end: Path(f"{database}{end}") for end in JOURNALS}
    return {end: journal for end, journal in journals.items() if journal.exists() and journal.stat().st_size}


def _put_aside(database: Path, now: float) -> Path | None:
    """Give what is there a second name, and take its journals away: a new database must not meet an old journal."""
    aside, kept = _free_name(database, now), None
    for end, journal in _read_journals(database).items():  # Of one that is damaged or gone: not emptied into it.
        kept = journal.rename(f"{aside}{end}")
    for end in (*JOURNALS, "-shm"):
        Path(f"{database}{end}").unlink(missing_ok=True)
    if not database.exists():
        sync_folder(database.parent)
        return kept
    try:
        os.link(database, aside)  # There is no moment without a database, in which a start would make an empty one.
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        database.rename(aside)
    sync_folder(database.parent)
    return aside


def _free_name(database: Path, now: float) -> Path:
    at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    names = (
        database.with_name(f"{database.name}.replaced-{at}{end}") for end in ("", *(f"-{n}" for n in range(2, 99)))
    )
    return next(name for name in names if not name.exists() and not _read_journals(name))


@contextlib.contextmanager
def _told_politely(database: Path) -> Iterator[None]:
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise CannotOpen(f"nothing was restored: {classify_error(error, path=str(database)).refusal}") from error
