"""Forgetting old bookkeeping: a few rows at a time, oldest first, by the one writer, when nobody waits for it.

Rows lie in the order of their making, so that a look costs what it forgets, not what is stored: it begins at the oldest
row and ends at the first that is young enough. What must stay though it is old is few, and passed over.
"""

from dataclasses import dataclass

import apsw
from msgspec.structs import asdict

from greenroom.actors.facts import RowsForgotten
from greenroom.actors.retention import Retention
from greenroom.storage.pruning import DONE_WITH, PARTS, Pruning
from greenroom.storage.rows import Row

ROWS_MAX = 200
"""Rows of one look; one transaction forgets no more."""

EVERY_S = 600.0
"""Seconds between two rounds through all tables."""

_SHOWN = "NOT EXISTS (SELECT 1 FROM deliveries WHERE key = delivery AND state NOT IN ('delivered', 'dead')) AND "
_NOTHING_OPEN = (
    "NOT EXISTS (SELECT 1 FROM runs WHERE runs.session_id = {0}.session_id AND open = 1)"
    " AND NOT EXISTS (SELECT 1 FROM inbox AS waiting INDEXED BY inbox_waiting"
    " WHERE waiting.session_id = {0}.session_id AND waiting.generation IS NULL)"
)
"""No work, and nothing that waits for some: its chat was told of it once, and the line's row says so."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rows of one table: where their age stands, and which of them may go."""

    table: str
    id: str
    at: str
    may_go: str

    @property
    def find(self) -> str:
        """Look at the next rows after a number, and name those that are older than a time, and whether they may go."""
        rows = f"(SELECT * FROM {self.table} WHERE {self.id} > ? ORDER BY {self.id} LIMIT {ROWS_MAX})"  # noqa: S608 - constants
        return f"SELECT {self.id}, {self.may_go} FROM {rows} AS {self.table} WHERE {self.at} < ? ORDER BY {self.id}"  # noqa: S608

    @property
    def delete(self) -> str:
        """Delete one row by its number."""
        return f"DELETE FROM {self.table} WHERE {self.id} = ?"  # noqa: S608 - constants


_KINDS = (
    _Kind("decisions", "id", "at", _NOTHING_OPEN.format("decisions")),
    # A run that is open asks which boots ended how since its own; the boot that lives has no end.
    _Kind(
        "boots",
        "epoch",
        "coalesce(ended_at, started_at)",
        "epoch < (SELECT min(epoch) FROM (SELECT epoch FROM ownership UNION ALL"
        " SELECT epoch FROM runs INDEXED BY runs_open WHERE open = 1))",
    ),
    _Kind("inbox", "id", "at", "generation IS NOT NULL AND " + _NOTHING_OPEN.format("inbox")),
    _Kind(
        "deliveries",
        "id",
        "coalesce(delivered_at, created_at)",
        f"{DONE_WITH} AND " + _NOTHING_OPEN.format("deliveries"),
    ),
    # What was asked, as long as its message may still have to be shown: the choices are part of it.
    _Kind(
        "questions",
        "id",
        "coalesce(answered_at, lapsed_at, asked_at)",
        _SHOWN + _NOTHING_OPEN.format("questions"),
    ),
    _Kind(
        "processes",
        "id",
        "coalesce(ended_at, started_at)",
        "state NOT IN ('starting', 'running') AND (consumed = 1 OR notify = 0 OR unwanted = 1) AND "
        + _NOTHING_OPEN.format("processes"),
    ),
)
_DELETE = {
    **{table: f"DELETE FROM {table} WHERE id = ?" for table in (*PARTS, "sessions")},  # noqa: S608 - constants
    **{kind.table: kind.delete for kind in _KINDS},
}


class Forgetting:
    """Where a round stands. Used by the storage actor alone; reads, and lets it write."""

    def __init__(self, retention: Retention) -> None:
        """The first round is due at once."""
        ages: dict[str, float] = asdict(retention)
        self._ages = tuple(ages[f"{kind.table}_s"] for kind in _KINDS)
        self._sessions_s = retention.sessions_s
        self._due_at = float("-inf") if any(ages.values()) else float("inf")
        self._kind = 0
        self._after = 0
        self._pruning = Pruning()

    def is_due(self, monotonic: float) -> bool:
        """Whether a round is to begin, or to go on."""
        return monotonic >= self._due_at

    def look(self, db: apsw.Connection, *, now: float, monotonic: float) -> RowsForgotten | None:
        """Find what is to be forgotten next; None: nothing more in this round. Raises apsw.Error.

        Where no rows are named there was much to pass over: look again.
        """
        while self._kind < len(_KINDS):
            age_s = self._ages[self._kind]
            found = self._look_at(db, _KINDS[self._kind], now - age_s) if age_s > 0 else None
            if found is None:
                self._kind, self._after = self._kind + 1, 0
            elif found.ids:
                return found
        if self._sessions_s > 0 and (found := self._pruning.look(db, now - self._sessions_s, ROWS_MAX)) is not None:
            return found
        self._kind, self._due_at = 0, monotonic + EVERY_S
        return None

    def _look_at(self, db: apsw.Connection, kind: _Kind, before: float) -> RowsForgotten | None:
        """The next rows of a table that are older; None when all are seen."""
        found = db.execute(kind.find, (self._after, before))
        rows: list[Row] = found.fetchall()
        if not rows:
            return None
        self._after = rows[-1][0]
        return RowsForgotten(kind.table, tuple(id_ for id_, may_go in rows if may_go))


def rows_forgotten(db: apsw.Connection, fact: RowsForgotten) -> None:
    """Delete these rows. Those that are gone already are no matter."""
    db.executemany(_DELETE[fact.table], [(id_,) for id_ in fact.ids])
