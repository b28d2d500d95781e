"""Prints a store of this release as SQL. `python -m tests.storage.golden.make > tests/storage/golden/001.sql`.

Made anew while its schema is not released; from then on it never changes, and each later release must open it.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
from tests.storage.full_house import fill
from tests.storage.store_house import House

from greenroom.storage.rows import Row


def dump(db: apsw.Connection) -> Iterator[str]:
    """The tables, then their rows, then what watches over them, which would not let them in."""
    for pragma in ("application_id", "user_version"):
        yield f"PRAGMA {pragma} = {db.pragma(pragma)};"
    yield "BEGIN;"
    tables: list[Row] = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY rowid").fetchall()
    for name, sql in tables:
        if not name.startswith("sqlite_"):
            yield f"{sql};"
    names = [name for name, _ in tables if name != "sqlite_sequence"]
    for name in (*names, "sqlite_sequence"):
        if name == "sqlite_sequence":  # It has rows already, of the tables whose rows came before.
            yield f"DELETE FROM {name};"
        for row in db.execute(f"SELECT * FROM {name} ORDER BY rowid"):
            yield f"INSERT INTO {name} VALUES ({', '.join(map(apsw.format_sql_value, row))});"
    for sql in db.execute("SELECT sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL ORDER BY rowid"):
        yield f"{sql[0]};"
    yield "COMMIT;"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bot.db"
        fill(House(path)).close()
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        sys.stdout.write("\n".join(dump(db)) + "\n")
        db.close()


if __name__ == "__main__":
    main()
