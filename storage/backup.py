"""A whole copy of a database, of one moment, made beside the running writer.

It is read in one transaction. (One that is read in many, as SQLite's backups usually are, begins anew after each
commit of another process: where somebody writes it never ends.) That keeps nobody waiting, but for as long as it lasts
the write-ahead log cannot start over, and grows by what is written. Each piece is on disk before the next is read: a
flush of all of it at the end would let the writer wait for some hundred milliseconds.
"""

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw

from greenroom.actors.model import Epoch
from greenroom.storage.boots import read_ownership
from greenroom.storage.migrate import read_version
from greenroom.storage.placing import NotPlaced, placing, refuse_journals
from greenroom.storage.rows import one_row
from greenroom.storage.search import index_path
from greenroom.storage.sqlite import CannotOpen, Malformed, open_reader, quick_check
from greenroom.storage.trouble import TroubleKind, classify_error

STEP_PAGES = 256
"""Pages of one piece: 2 MiB. Larger ones make who writes wait longer for the disk, smaller ones the copy."""

MADE_AT = "backup_made_at"
"""Under this the copy's `meta` says of which moment it is, in UTC epoch seconds."""

_BESIDE = ("-wal", "-shm", ".lock", ".holder.json", ".orders")

Told = Callable[[int, int], None]
"""Hears how many pages are copied, and of how many."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What the copy holds."""

    file: Path
    bytes: int
    made_at: float
    epoch: Epoch
    schema: int


def back_up(database: Path, file: Path, *, overwrite: bool, now: float, told: Told) -> BackedUp:
    """Copy the whole database as of now into `file`, look it over for damage, and only then let it have that name.

    `file` is one self-contained file (0600). Nothing is written to the database or asked of whoever serves it.
    Raises CannotOpen (also Malformed, NotPlaced).
    """
    source = open_source(database)
    try:
        _refuse_itself(database, file)
        refuse_journals(file.resolve())
        with placing(file, overwrite=overwrite) as new, _told_whose_fault(database, file):
            copy_database(source, new, told)
            return _seal(new, database, file.resolve(), now)
    finally:
        source.close(force=True)


def open_source(path: Path) -> apsw.Connection:
    """Open a database of ours, of whatever release, to read it whole. Raises CannotOpen (also Malformed)."""
    try:
        return open_reader(str(path))
    except apsw.Error as error:
        raise CannotOpen(classify_error(error, path=str(path)).refusal) from error


def copy_database(source: apsw.Connection, new: Path, told: Told) -> None:
    """Copy what `source` holds at this moment into the empty file `new`, durably. Raises apsw.Error, OSError."""
    with contextlib.ExitStack() as stack:
        target = apsw.Connection(str(new), flags=apsw.SQLITE_OPEN_READWRITE)
        stack.callback(target.close, force=True)
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):  # It is synced here, and worthless until whole.
            target.execute(f"PRAGMA {pragma}")
        descriptor = os.open(new, os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        stack.enter_context(_one_moment(source))
        with target.backup("main", source, "main") as running:
            while not running.done:
                running.step(STEP_PAGES)
                os.fdatasync(descriptor)
                told(running.page_count - running.remaining, running.page_count)


@contextlib.contextmanager
def _one_moment(source: apsw.Connection) -> Iterator[None]:
    source.execute("BEGIN")
    try:
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # The moment is that of the first reading.
        yield
    finally:
        if source.in_transaction:
            source.execute("ROLLBACK")


def _seal(new: Path, database: Path, file: Path, now: float) -> BackedUp:
    """Make one file of it that can be read anywhere, also where nothing can be written; and check it."""
    copy = apsw.Connection(str(new), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        copy.execute("PRAGMA locking_mode = EXCLUSIVE")
        copy.execute("PRAGMA journal_mode = DELETE")
        schema = read_version(copy)
        owned = read_ownership(copy)
        if owned is None:
            raise CannotOpen(f"{database}: nothing was ever stored in it; there is nothing to keep")
        copy.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (MADE_AT, repr(now)))
        _look_over(copy, database)
        size = copy.pragma("page_count") * copy.pragma("page_size")
        return BackedUp(file, size, now, owned.epoch, schema)
    finally:
        copy.close(force=True)


def _look_over(copy: apsw.Connection, database: Path) -> None:
    try:
        quick_check(copy, limit_s=math.inf)
    except Malformed as error:
        raise Malformed(str(database), f"as a copy of it shows: {error.detail}") from error


def read_made_at(db: apsw.Connection) -> float | None:
    """Of which moment a copy is; None for one that was not made by `back_up`."""
    row = one_row(db, "SELECT value FROM meta WHERE key = ?", (MADE_AT,))
    return None if row is None else float(row[0])


def _refuse_itself(database: Path, file: Path) -> None:
    """Refuse to write a copy over the database, or over what lies beside it and belongs to it."""
    target, source = file.resolve(), database.resolve()
    own = [source, Path(index_path(str(source))), *(Path(f"{source}{end}") for end in _BESIDE)]
    if target in own or (target.exists() and target.samefile(source)):
        raise NotPlaced(f"{target} is the database itself, or belongs to it; name another file")


@contextlib.contextmanager
def _told_whose_fault(database: Path, file: Path) -> Iterator[None]:
    """Say of an error which of the two files it is about, as far as SQLite lets us know."""
    try:
        yield
    except apsw.Error as error:
        kind = classify_error(error, path="").kind
        about = file if kind in {TroubleKind.FULL, TroubleKind.READ_ONLY, TroubleKind.CANNOT_OPEN} else database
        raise CannotOpen(f"no backup was made: {classify_error(error, path=str(about)).refusal}") from error
    except OSError as error:
        raise NotPlaced(f"no backup was made: {classify_error(error, path=str(file)).refusal}") from error
