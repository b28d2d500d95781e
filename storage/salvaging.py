"""Saves what can be read of a damaged file, row by row, into a new one.

A damaged page takes the rows on it, and those that are only reached through it; all others are there and are found
by their numbers. So each table is read from both ends to the first damage, and what lies between in halves.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from greenroom.storage.mending import mend
from greenroom.storage.migrate import migrate
from greenroom.storage.sqlite import FILE_MODE, CannotOpen, open_writer

PROBES_MAX = 200_000
"""So often a table is asked again after damage; what is not found by then is given up."""

ROWS_OF_PAGE_MAX = 100
"""So many rows a page has at most, for a table that neither itself nor an index says the end of."""

FILL_UP_MAX = 2**40
"""A head that claims to be of a longer file is not believed."""

_HEAD_BYTES = 100

Told = Callable[[int, int, str], None]
"""Hears how many tables are read, of how many, and which is next."""

_DAMAGE = (apsw.Error, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one table. `lost` counts numbers of rows that could not be read: no more rows than that."""

    table: str  # its name
    rows: int  # that were saved
    lost: int  # at most so many could not be read


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of all tables, and what had to be mended in the new file, in sentences."""

    tables: tuple[Saved, ...]
    mended: tuple[str, ...]


def salvage(path: Path, new: Path, told: Told) -> Salvaged:
    """Save what can be read of the database at `path` into the new file `new`.

    Nothing is changed at `path`. Raises CannotOpen where nothing can be read at all, or `new` cannot be written.
    """
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(contextlib.closing(_open_damaged(stack.enter_context(_of_full_length(path, new)))))
        target = stack.enter_context(contextlib.closing(open_writer(str(new))))
        migrate(target, copy_first=False)
        target.pragma("foreign_keys", 0)  # What is missing may come later, or is mended in the end.
        target.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)  # These rows were written under the fence.
        tables = [str(name) for (name,) in target.execute(_TABLES).fetchall()]
        saved = []
        with target:
            for number, table in enumerate(tables):
                told(number, len(tables), table)
                saved.append(_save_table(source, target, table))
            if not any(each.rows for each in saved):
                raise CannotOpen(f"{path}: nothing in it can be read; restore a backup (`greenroom restore`)")
            mended = mend(target)
        told(len(tables), len(tables), "done")
        return Salvaged(tuple(saved), mended)


_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"


@contextlib.contextmanager
def _of_full_length(path: Path, new: Path) -> Iterator[Path]:
    """Lend a copy that is filled up with zeros, where the end of a file was cut off: SQLite opens no other."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    wanted = int.from_bytes(head[28:32]) * int.from_bytes(head[16:18])
    if wanted <= path.stat().st_size or wanted > FILL_UP_MAX:
        yield path
        return
    filled = Path(f"{new}.filled")
    try:
        shutil.copyfile(path, filled)
        filled.chmod(FILE_MODE)
        os.truncate(filled, wanted)
        yield filled
    finally:
        for left in (filled, Path(f"{filled}-wal"), Path(f"{filled}-shm")):
            left.unlink(missing_ok=True)


def _open_damaged(path: Path) -> apsw.Connection:
    """Open it however it is, for reading only."""
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.Error as error:
        raise CannotOpen(
            f"{path}: not even its list of tables can be read ({error}); restore a backup (`greenroom restore`)"
        ) from error
    return db


def _save_table(source: apsw.Connection, target: apsw.Connection, table: str) -> Saved:
    columns = [str(name) for (name,) in target.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()]
    insert, select = _write_sql(table, columns)
    reader = _Reader(source, select)
    rows = refused = 0
    for row in reader.read(*_bounds(source, table)):
        try:
            target.execute(insert, row)
            rows += 1
        except (apsw.ConstraintError, apsw.MismatchError):  # It was read from a page that is not what it was.
            refused += 1
    return Saved(table, rows, reader.lost + refused)


def _write_sql(table: str, columns: list[str]) -> tuple[str, str]:
    """How a row goes in, and how those between two numbers come out; all names are of our own schema."""
    names, marks = ", ".join(f'"{column}"' for column in columns), ", ".join("?" * (len(columns) + 1))
    return (
        f'INSERT INTO "{table}" (rowid, {names}) VALUES ({marks})',  # noqa: S608
        f'SELECT rowid, {names} FROM "{table}" WHERE rowid BETWEEN ? AND ? ORDER BY rowid',  # noqa: S608
    )


def _bounds(source: apsw.Connection, table: str) -> tuple[int, int]:
    """The numbers between which its rows are; by an index, if the table itself does not tell."""
    numbers = f'SELECT min(rowid), max(rowid) FROM "{table}"'  # noqa: S608 - names of our own schema
    for sql in (numbers, *(f'{numbers} INDEXED BY "{index}"' for index in _indexes(source, table))):
        try:
            low, high = source.execute(sql).fetchall()[0]
        except _DAMAGE:
            continue
        return (1, 0) if low is None or high is None else (int(low), int(high))
    return 0, int(source.pragma("page_count")) * ROWS_OF_PAGE_MAX


def _indexes(source: apsw.Connection, table: str) -> list[str]:
    """Those that name every row."""
    sql = "SELECT name FROM pragma_index_list(?) WHERE NOT partial"
    return [str(name) for (name,) in source.execute(sql, (table,)).fetchall()]


class _Reader:
    """Reads the rows of one table that can be read."""

    def __init__(self, source: apsw.Connection, sql: str) -> None:
        """`sql` names two bounds, and ends in the order of numbers."""
        self._source = source
        self._up, self._down = sql, f"{sql} DESC"
        self._probes = 0
        self.lost = 0

    def read(self, low: int, high: int) -> Iterator[tuple[Any, ...]]:
        """All rows between these numbers that can be read; `lost` counts the numbers of those that cannot."""
        ranges = [(low, high)]
        while ranges:
            low, high = ranges.pop()
            low = yield from self._take(self._up, low, high, step=1)
            if low <= high:
                high = yield from self._take(self._down, low, high, step=-1)
            if low == high or (low < high and self._probes > PROBES_MAX):
                self.lost += high - low + 1
            elif low < high:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]

    def _take(self, sql: str, low: int, high: int, *, step: int) -> Generator[tuple[Any, ...], None, int]:
        """Read up to the first damage; returns the first number that was not reached, beyond the bounds if none was."""
        self._probes += 1
        reached = low if step > 0 else high
        try:
            for row in self._source.execute(sql, (low, high)):
                reached = int(str(row[0])) + step
                yield row
        except _DAMAGE:
            return reached
        return high + 1 if step > 0 else low - 1
