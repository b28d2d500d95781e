"""Bringing a database to the schema of this release: forward only, one transaction for each step, a backup first."""

import contextlib
import logging
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import apsw

from greenroom.storage.sqlite import FILE_MODE, CannotOpen

logger = logging.getLogger("greenroom.storage")


class NewerSchema(CannotOpen):
    """The file was written by a newer release; nothing was changed."""


class BrokenMigration(Exception):
    """A migration of ours is wrong; it was rolled back and the database is as it was."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    sql: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done: nothing if `before == after`. `backup` is the path of the copy taken, if there was anything."""

    before: int
    after: int
    backup: str | None


def read_migrations(folder: Traversable | None = None) -> tuple[Migration, ...]:
    """The steps `001.sql`, `002.sql`, ... in order, without a gap; by default those of this release."""
    folder = folder or resources.files("greenroom.storage") / "schema"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    for number, file in enumerate(files, start=1):
        if file.name != f"{number:03}.sql":
            raise BrokenMigration(f"{folder}: expected {number:03}.sql, found {file.name}")
    return tuple(Migration(n, file.read_text(encoding="utf-8")) for n, file in enumerate(files, start=1))


@cache
def _of_this_release() -> tuple[Migration, ...]:
    """They do not change while it runs: a house that is built anew need not read them anew."""
    return read_migrations()


def migrate(
    connection: apsw.Connection,
    migrations: tuple[Migration, ...] | None = None,
    *,
    vfs: str | None = None,
    copy_first: bool = True,
) -> Migrated:
    """Run the missing steps on a connection from `open_writer`; `vfs` is the one it was opened with.

    `copy_first` is False only for what is a copy itself.

    A crash at any point leaves one of the whole versions. Raises NewerSchema, BrokenMigration, apsw.Error.
    """
    migrations = _of_this_release() if migrations is None else migrations
    before, newest = read_version(connection), len(migrations)
    if before > newest:
        raise NewerSchema(
            f"{connection.filename}: written by a newer greenroom (schema {before}; this one knows up to {newest}); "
            f"nothing was changed. Install that release again{_advise_going_back(connection.filename, newest)}"
        )
    if before == newest:
        return Migrated(before, newest, None)
    backup = _back_up(connection, before, vfs) if before and copy_first else None
    for migration in migrations[before:]:
        _run(connection, migration)
    if backup is not None:
        words = "%s: brought up to this release (schema %s, before %s); as it was it lies at %s until you remove it"
        logger.warning(words, connection.filename, newest, before, backup)
    return Migrated(before, newest, backup)


def _advise_going_back(path: str, version: int) -> str:
    """Name the copy that was made before the newer release changed the file, if there is one."""
    copy = Path(_copy_path(path, version))
    if not copy.exists():
        return ""
    return f", or go back to how it was before that release: greenroom restore {shlex.quote(str(copy))}"


def _copy_path(path: str, version: int) -> str:
    """Where a file of this version is copied to before it is changed."""
    return f"{path}.before-{version + 1:03}.backup"


def read_version(connection: apsw.Connection) -> int:
    """The schema version of the file; 0 is an empty database."""
    version = connection.pragma("user_version")
    assert isinstance(version, int)  # noqa: S101 - SQLite stores it as one.
    return version


def _run(connection: apsw.Connection, migration: Migration) -> None:
    with _foreign_keys_off(connection):  # Rebuilding a table drops it for a moment; all are checked before the commit.
        connection.execute("BEGIN IMMEDIATE")
        try:
            _step(connection, migration)
            connection.execute("COMMIT")
        except apsw.SQLError as error:
            _roll_back(connection)
            raise BrokenMigration(f"{migration.number:03}.sql: {error}") from error
        except BaseException:  # Invariant: whatever happened, no transaction stays open.
            _roll_back(connection)
            raise


def _step(connection: apsw.Connection, migration: Migration) -> None:
    connection.execute(migration.sql).fetchall()  # To its end: apsw pauses at the first row of a statement.
    if not connection.in_transaction:
        raise BrokenMigration(f"{migration.number:03}.sql ends the transaction that it runs in")
    dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    if dangling:
        raise BrokenMigration(f"{migration.number:03}.sql breaks foreign keys: {dangling[:3]}")
    connection.execute(f"PRAGMA user_version = {migration.number}")


def _roll_back(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(apsw.Error):  # The first error is the one to report; closing rolls back anyway.
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def _foreign_keys_off(connection: apsw.Connection) -> Iterator[None]:
    connection.pragma("foreign_keys", 0)
    try:
        yield
    finally:
        connection.pragma("foreign_keys", 1)


def _back_up(connection: apsw.Connection, version: int, vfs: str | None) -> str:
    """Copy the whole database in one transaction of the copy: a crash leaves a whole copy or an empty file."""
    path = _copy_path(connection.filename, version)
    if vfs is None:
        Path(path).touch(mode=FILE_MODE)
    copy = apsw.Connection(path, vfs=vfs)
    try:
        # The copy must be durable before the original is changed: with less, a power cut can bring the copy's
        # rollback journal back, which undoes the copy. EXCLUSIVE also opens an earlier copy, which is in WAL mode.
        copy.execute("PRAGMA locking_mode = EXCLUSIVE")
        copy.execute("PRAGMA synchronous = EXTRA")
        with copy.backup("main", connection, "main") as running:
            running.step(-1)
    finally:
        copy.close()
        if vfs is None and Path(path).stat().st_size == 0:
            Path(path).unlink()  # Nothing was copied: an empty backup would only mislead.
    return path
