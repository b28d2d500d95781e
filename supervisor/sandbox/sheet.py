"""A copy of a database's rows, in memory. One is used again and again, so that what is asked of it is prepared once."""

from __future__ import annotations

from functools import cache

import apsw

from greenroom.storage.migrate import migrate
from greenroom.storage.rows import Row
from greenroom.storage.sqlite import STATEMENTS_MAX

_TABLES = """
SELECT name, (SELECT count(*) FROM pragma_table_info(tables.name)) FROM sqlite_schema AS tables
WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
"""


class Sheet:
    """Our tables without triggers, which refuse rows of runs that are over."""

    def __init__(self) -> None:
        """Make it empty."""
        self.db = apsw.Connection(":memory:", statementcachesize=STATEMENTS_MAX)
        migrate(self.db)
        self.db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        self.db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)  # Tables are filled one after the other.
        tables: list[Row] = self.db.execute(_TABLES).fetchall()
        self._copying = tuple(_copying(table, width) for table, width in tables)

    def write(self, db: apsw.Connection) -> None:
        """Hold the rows that a database has now, and no others."""
        with self.db:
            for delete, select, insert in self._copying:
                self.db.execute(delete)
                rows: list[Row] = db.execute(select).fetchall()
                self.db.executemany(insert, rows)


@cache
def shared_sheet() -> Sheet:
    """The one of this process."""
    return Sheet()


def insertion(table: str, width: int, *, unless_there: bool = False) -> str:
    """Put a row of so many columns into a table."""
    verb = "INSERT OR IGNORE" if unless_there else "INSERT"
    return f"{verb} INTO {table} VALUES ({', '.join('?' * width)})"


def _copying(table: str, width: int) -> tuple[str, str, str]:
    """How a table is emptied, read, and filled."""
    return f"DELETE FROM {table}", f"SELECT * FROM {table}", insertion(table, width)  # noqa: S608 - constants
