"""Opening the database: one way for the writer, one for readers, and every setting verified.

The only file that knows pragmas. SQLite ignores a pragma it does not like without a word, so each is read back.
"""

import contextlib
import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

import apsw

from greenroom.storage.filesystem import Verdict, read_filesystem
from greenroom.storage.strangers import find_stranger
from greenroom.storage.trouble import advise_salvage

logger = logging.getLogger("greenroom.storage")

PAGE_BYTES = 8192
SMALLEST_BYTES = 512
BUSY_TIMEOUT_MS = 5_000
CACHE_KIB = 64_000
STATEMENTS_MAX = 256
JOURNAL_BYTES_MAX = 64 * 1024 * 1024  # A WAL that once grew larger is cut back to this when it starts over.
QUICK_CHECK_S = 5.0
_STEPS_BETWEEN_LOOKS = 10_000  # SQLite's virtual machine steps between two looks at the clock: about a millisecond.

APPLICATION_ID = 0x67726D31  # "grm1" in the file's header: what `file` and we know our databases by.

FILE_MODE = 0o600
FOLDER_MODE = 0o700

Synchronous = Literal["FULL", "NORMAL", "OFF"]
_SYNCHRONOUS: Mapping[Synchronous, int] = {"OFF": 0, "NORMAL": 1, "FULL": 2}

READER_PRAGMAS: dict[str, int] = {
    "trusted_schema": 0,  # A doctored file cannot call functions through its views and triggers.
    "temp_store": 2,  # Memory: no rows of a chat in a temporary file elsewhere.
    "cache_size": -CACHE_KIB,
}
REAL_DISK_PRAGMAS: dict[str, int] = {"mmap_size": 0}  # An I/O error is then an error code, not a SIGBUS.
WRITER_PRAGMAS: dict[str, int] = READER_PRAGMAS | {
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "cell_size_check": 1,
    "journal_size_limit": JOURNAL_BYTES_MAX,
}


class CannotOpen(Exception):
    """The database cannot be used as it is; the message says what, why, and what to do."""


class Malformed(CannotOpen):
    """The file is damaged. Nothing is started on it; the message says how to save what can be read."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(
            f"{path}: the database is damaged ({detail}); nothing was changed. First {advise_salvage(path)}"
        )
        self.detail = detail


class Checked(StrEnum):
    """How far a quick check came without finding damage."""

    WHOLE = "the whole file"
    TIME_RAN_OUT = "as far as the time allowed"


def open_writer(
    path: str,
    *,
    vfs: str | None = None,
    synchronous: Synchronous = "FULL",
    missing: Literal["create", "refuse"] = "create",
    wal_autocheckpoint_pages: int = 0,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
) -> apsw.Connection:
    """Open the writing connection: WAL, 8 KiB pages, foreign keys, every pragma verified.

    `vfs` names a simulated disk; there the connection locks the file for itself (such disks have no shared memory).
    `wal_autocheckpoint_pages=0`: a checkpointer does it. `missing="refuse"` is for reopening: a vanished
    database must not come back empty.
    Raises CannotOpen (also Malformed) for what an operator must change, apsw.Error for what may heal by itself.
    """
    if vfs is None:
        _prepare_file(Path(path), missing)
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if missing == "create" else 0)
    connection = apsw.Connection(path, flags=flags, vfs=vfs, statementcachesize=STATEMENTS_MAX)
    with _open_or_closed(connection, path):
        connection.set_busy_timeout(busy_timeout_ms)
        _take_to_disk(connection, path, vfs)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # Only a new file takes it.
        connection.execute("PRAGMA synchronous = EXTRA")  # Until it is WAL: a removed journal must not come back.
        _claim(connection, path)
        if vfs is None:
            _keep_private(Path(path))
        _switch_to_wal(connection, path)
        durability = {"synchronous": _SYNCHRONOUS[synchronous], "wal_autocheckpoint": wal_autocheckpoint_pages}
        _apply(connection, WRITER_PRAGMAS | durability, path)
        _forbid_sloppy_sql(connection)
    return connection


def open_reader(path: str, *, vfs: str | None = None, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> apsw.Connection:
    """Open a read-only connection beside the writer. It sees committed rows only and never delays the writer.

    On a simulated disk it can only open what no writer has open, such as a copy: `disk.reboot(Loss.NOTHING)`.
    """
    if vfs is None and not Path(path).exists():
        raise CannotOpen(f"{path}: there is no database here; start greenroom once, or name the right file")
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs, statementcachesize=STATEMENTS_MAX)
    with _open_or_closed(connection, path):
        connection.set_busy_timeout(busy_timeout_ms)
        _take_to_disk(connection, path, vfs)
        _refuse_strangers(connection, path)
        _apply(connection, READER_PRAGMAS | {"query_only": 1}, path)
        _forbid_sloppy_sql(connection)
    return connection


def quick_check(
    connection: apsw.Connection, *, limit_s: float = QUICK_CHECK_S, clock: Callable[[], float] = time.monotonic
) -> Checked:
    """Look for damage for at most `limit_s` seconds. Raises Malformed with the first finding."""
    path, end = connection.filename, clock() + limit_s
    connection.set_progress_handler(lambda: clock() >= end, _STEPS_BETWEEN_LOOKS)
    try:
        finding = connection.execute("PRAGMA quick_check(1)").get
    except apsw.InterruptError:
        return Checked.TIME_RAN_OUT
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Malformed(path, str(error)) from error
    finally:
        connection.set_progress_handler(None)
    if finding != "ok":
        raise Malformed(path, str(finding))
    return Checked.WHOLE


@contextlib.contextmanager
def _open_or_closed(connection: apsw.Connection, path: str) -> Iterator[None]:
    """Set a new connection up completely, or leave no open file behind."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        connection.close(force=True)
        raise Malformed(path, str(error)) from error
    except BaseException:  # Invariant: whatever happened (even a simulated power cut), nothing stays open.
        connection.close(force=True)
        raise


def _prepare_file(path: Path, missing: Literal["create", "refuse"]) -> None:
    """Create the file (0600) and its folder (0700) if they are not there; SQLite gives the WAL the same mode."""
    if stranger := find_stranger(path):
        raise CannotOpen(f"{stranger}. Nothing was changed")
    filesystem = read_filesystem(path)
    if filesystem.verdict is Verdict.UNFIT:
        raise CannotOpen(f"{path}: {filesystem.why}")
    if path.is_file() and 0 < path.stat().st_size < SMALLEST_BYTES:
        raise Malformed(str(path), "too short for a database")  # SQLite would take it for an empty one and fill it.
    if missing == "refuse":
        return
    with refused_politely(path):
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))


def _keep_private(path: Path) -> None:
    """Take from others what they may do with a database that was made elsewhere; its journals are to follow it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~FILE_MODE == 0:
        return
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with contextlib.suppress(FileNotFoundError):
            file.chmod(FILE_MODE)
    logger.warning("%s: others could read it (mode %o); now only its owner can (%o)", path, mode, FILE_MODE)


@contextlib.contextmanager
def refused_politely(path: Path) -> Iterator[None]:
    """Say what an operator can do when the operating system refuses to create something for the database at `path`."""
    try:
        yield
    except OSError as error:
        why = "its folder is a file" if isinstance(error, FileExistsError) else error.strerror or str(error)
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        advice = "free some space" if full else "name a writable place for it"
        raise CannotOpen(f"{path}: cannot be opened for writing: {why}; {advice}") from error


def _take_to_disk(connection: apsw.Connection, path: str, vfs: str | None) -> None:
    if vfs is None:
        _apply(connection, REAL_DISK_PRAGMAS, path)
    else:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")


def _claim(connection: apsw.Connection, path: str) -> None:
    """Mark a new file as ours; refuse another application's before anything in it is touched."""
    if connection.pragma("application_id") == 0 and connection.pragma("schema_version") == 0:
        connection.pragma("application_id", APPLICATION_ID)
    _refuse_strangers(connection, path)


def _refuse_strangers(connection: apsw.Connection, path: str) -> None:
    if connection.pragma("application_id") != APPLICATION_ID:
        raise CannotOpen(f"{path}: this is another application's database, not greenroom's; name another file")


def _switch_to_wal(connection: apsw.Connection, path: str) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").get
    if mode != "wal":
        raise CannotOpen(
            f"{path}: this file system cannot run SQLite's write-ahead log (journal mode stayed {mode!r}); "
            "move the database to a local disk"
        )
    connection.execute("SELECT count(*) FROM sqlite_schema")  # Opens the WAL, so that it has its mode and its inode.


def _apply(connection: apsw.Connection, pragmas: Mapping[str, int], path: str) -> None:
    for name, wanted in pragmas.items():
        connection.execute(f"PRAGMA {name} = {wanted}")
        found = connection.execute(f"PRAGMA {name}").get
        if found != wanted:
            raise CannotOpen(f"{path}: SQLite refused {name} = {wanted} and kept {found!r}; install a newer apsw")


def _forbid_sloppy_sql(connection: apsw.Connection) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)  # "text" is a column name, never a string.
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
