"""Looks a database over: the file, and what must be true of its rows. Each check has a name, a meaning, and an advice.

Nothing is changed here; `mending.py` and `salvaging.py` do that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw

from greenroom.storage.invariants import INVARIANTS, Invariant
from greenroom.storage.migrate import NewerSchema, migrate, read_migrations, read_version
from greenroom.storage.rows import Row
from greenroom.storage.search import count_strays, index_path, read_indexable, read_indexed
from greenroom.storage.sqlite import FILE_MODE, CannotOpen, Malformed, open_reader
from greenroom.storage.trouble import classify_error

FINDINGS_MAX = 5
"""So many findings of one check are told; the others are counted."""

REPAIR = "`greenroom doctor --repair` (after `greenroom stop`)"
DAMAGED = "the_file_is_whole"

Told = Callable[[int, int, str], None]
"""Hears how many checks are done, of how many, and which is next."""


OTHERS_NAMES = ("sqlite_", "_litestream_")
"""How tables are called that SQLite makes, and Litestream where it replicates the database; neither is in our way."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one check. `count` is of all that is wrong, `found` of the first few. No problem: only said."""

    check: str
    sentence: str
    count: int
    found: tuple[str, ...]
    means: str
    do: str
    problem: bool = True

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.count and self.problem)


def examine(path: Path, *, served: bool, told: Told = lambda *_: None) -> tuple[Finding, ...]:
    """Look everything over; `served`: a process writes to it now. Raises CannotOpen for what is no database of ours.

    Where the file is damaged, what its rows say is not asked.
    """
    findings = [_modes(path), _journal(path, served=served)]
    steps = 2 + len(INVARIANTS)
    try:
        db = _open(path)
    except Malformed as error:
        return (*findings, _whole([error.detail]))
    try:
        told(0, steps, DAMAGED)
        findings.append(_whole(_integrity(db)))
        if not findings[-1].good:
            return tuple(findings)
        findings += [_schema(db), _search(db, path, served=served)]
        for number, invariant in enumerate(INVARIANTS, 1):
            told(number, steps, invariant.name)
            findings.append(_ask(db, invariant))
        told(steps, steps, "done")
        return tuple(findings)
    finally:
        db.close(force=True)


def _open(path: Path) -> apsw.Connection:
    """Open what is of this release, however little of it can be read. Raises CannotOpen (also Malformed)."""
    try:
        db = open_reader(str(path))
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Malformed(str(path), str(error)) from error
    except apsw.Error as error:
        raise CannotOpen(classify_error(error, path=str(path)).refusal) from error
    try:
        found, known = read_version(db), len(read_migrations())
    except (apsw.CorruptError, apsw.NotADBError) as error:
        db.close(force=True)
        raise Malformed(str(path), str(error)) from error
    if found == known:
        return db
    db.close(force=True)
    if found > known:
        raise NewerSchema(f"{path}: of a newer greenroom (schema {found}; this one knows up to {known}); ask that one")
    raise CannotOpen(f"{path}: not yet a greenroom database of this release; run `greenroom up` on it once")


def _integrity(db: apsw.Connection) -> list[str]:
    try:
        lines = [str(line) for (line,) in db.execute(f"PRAGMA integrity_check({FINDINGS_MAX + 1})")]
    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
        return [str(error)]
    return [] if lines == ["ok"] else [part for line in lines for part in line.splitlines()]


def _whole(found: list[str]) -> Finding:
    return _finding(
        DAMAGED,
        "SQLite finds every page and every index as it must be",
        found,
        "parts of the file were overwritten or lost, by a disk, a copy, or another program; nothing is started on it",
        f"restore a backup (`greenroom restore`), or save what can be read: {REPAIR}",
    )


def _modes(path: Path) -> Finding:
    found = []
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(index_path(str(path)))):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        mode = stat.S_IMODE(status.st_mode)
        if mode & ~FILE_MODE:
            found.append(f"{file.name} has mode {mode:o}")
        if status.st_uid != os.geteuid():
            found.append(f"{file.name} belongs to user {status.st_uid}, this is user {os.geteuid()}")
    return _finding(
        "the_files_are_private",
        "only the user that runs greenroom can read the database and what lies beside it",
        found,
        "others on this machine may read what was said, or greenroom cannot write it",
        f"chmod 600 and chown them; the mode is mended by the next start, and by {REPAIR}",
    )


def _journal(path: Path, *, served: bool) -> Finding:
    journal = Path(f"{path}-wal")
    left = not served and journal.exists() and journal.stat().st_size > 0
    found = [f"{journal.name} has {journal.stat().st_size:,} bytes"] if left else []
    return _finding(
        "no_journal_is_left",
        "where nothing runs, all that was written is in the file itself",
        found,
        "the last process was killed; the newest part of the database is in the journal, and nothing is lost",
        "never copy the one without the other; the next start takes it in",
        problem=False,
    )


def _schema(db: apsw.Connection) -> Finding:
    fresh = apsw.Connection(":memory:")
    try:
        migrate(fresh)
        wanted, there = _objects(fresh), _objects(db)
    finally:
        fresh.close()
    found = [f"{name} is missing" for name in wanted if name not in there]
    found += [f"{name} is another one" for name, sql in wanted.items() if there.get(name, sql) != sql]
    found += [f"{name} is not ours" for name in there if name not in wanted]
    return _finding(
        "the_schema_is_this_releases",
        "every table, index and trigger is there as this release made it",
        found,
        "somebody changed the database by hand; without its triggers nothing keeps an old owner from writing",
        f"missing indexes and triggers are made again by {REPAIR}; for the rest restore a backup",
    )


def _objects(db: apsw.Connection) -> dict[str, str]:
    rows: Iterator[Row] = db.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    return {f"{kind} {name}": str(sql) for kind, name, sql in rows if not str(name).startswith(OTHERS_NAMES)}


def _search(db: apsw.Connection, path: Path, *, served: bool) -> Finding:
    return _finding(
        "the_search_knows_all",
        "every message can be found by `greenroom search`",
        [] if served else list(_search_lacks(db, path)),
        "a search does not find what was said last, or anything; nothing else needs the index",
        f"the next start makes up for it; {REPAIR} throws the index away, and the next start makes it again",
        problem=False,
    )


def _search_lacks(db: apsw.Connection, path: Path) -> Iterator[str]:
    store = read_indexable(db)
    index = Path(index_path(str(path)))
    if not index.exists():
        if store.newest:
            yield "there is no index"
        return
    try:
        reader = open_reader(str(index))
    except (CannotOpen, apsw.Error) as error:
        yield f"the index is damaged: {error}"
        return
    try:
        found = read_indexed(reader)
        if found.name != store.name:
            yield "the index is of another store, or from before something was forgotten"
        elif found.newest != store.newest:
            yield f"the index goes to message {found.newest:,}, the newest is {store.newest:,}"
        elif strays := count_strays(db, reader):
            yield f"the index does not hold the messages that are there, but {strays:+,}"
    except (apsw.Error, ValueError) as error:
        yield f"the index is damaged: {error}"
    finally:
        reader.close(force=True)


def _ask(db: apsw.Connection, invariant: Invariant) -> Finding:
    found, count = [], 0
    try:
        for row in db.execute(invariant.sql):
            count += 1
            if count <= FINDINGS_MAX:
                found.append(invariant.says.format(*row))
    except apsw.SQLError as error:
        count, found = 1, [f"it cannot be asked: {error}"]  # An index or a table is missing, which is told as well.
    return Finding(invariant.name, invariant.sentence, count, tuple(found), invariant.means, invariant.do)


def _finding(check: str, sentence: str, found: list[str], means: str, do: str, *, problem: bool = True) -> Finding:
    return Finding(check, sentence, len(found), tuple(found[:FINDINGS_MAX]), means, do, problem)
