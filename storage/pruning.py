"""Forgetting whole conversations: sessions that another one has followed, a few rows at a time, and the session last.

They are found by those who followed them, so that a look never walks over sessions that live.
"""

import apsw

from greenroom.actors.facts import RowsForgotten
from greenroom.actors.model import SessionId
from greenroom.storage.rows import Row, one_row

PARTS = ("decisions", "deliveries", "questions", "processes", "tool_calls", "inbox", "messages", "runs")
"""What belongs to a session, in the order in which it goes; the last rows of each first."""

SEEN_MAX = 500
"""So many sessions that stay one look passes over; the next one goes on behind them."""

DONE_WITH = (
    "(state = 'delivered' OR state = 'dead'"
    " AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE dead_letters.delivery = deliveries.key))"
)
"""Whether nobody has to look after a delivery any more: it is delivered, or its letter was purged."""

_NEXT = (
    "SELECT predecessor, created_at FROM sessions INDEXED BY sessions_succeeded"
    " WHERE predecessor > ? ORDER BY predecessor LIMIT 1"
)

_ORDER = {
    "questions": "work",
    "processes": "process",
    "tool_calls": "work",
    "messages": "seq",
    "runs": "generation",
}
"""That of an index which begins with the session, where that is not by number: no rows are sorted to find the last."""

_LAST_ROWS = {
    table: f"SELECT id FROM {table} WHERE session_id = ?{handled} ORDER BY {_ORDER.get(table, 'id')} DESC LIMIT ?"  # noqa: S608 - constants
    for table in PARTS
    for handled in [" AND generation IS NOT NULL" if table == "inbox" else ""]  # As its index says.
}

# The index of the search knows messages by their number: the store's newest stays, since its number would come again.
_MAY_GO = f"""
SELECT NOT EXISTS (SELECT 1 FROM routes WHERE session_id = ?1)
    AND NOT EXISTS (SELECT 1 FROM runs WHERE session_id = ?1 AND open = 1)
    AND NOT EXISTS (SELECT 1 FROM inbox INDEXED BY inbox_waiting WHERE session_id = ?1 AND generation IS NULL)
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE session_id = ?1 AND NOT {DONE_WITH})
    AND NOT EXISTS (SELECT 1 FROM processes WHERE session_id = ?1 AND state IN ('starting', 'running'))
    AND ifnull((SELECT id FROM messages WHERE session_id = ?1 ORDER BY seq DESC LIMIT 1), 0)
        <> ifnull((SELECT max(id) FROM messages), 0)
"""  # noqa: S608 - constants


class Pruning:
    """Where a round stands."""

    def __init__(self) -> None:
        """Begin with the oldest."""
        self._after = 0

    def look(self, db: apsw.Connection, before: float, rows_max: int) -> RowsForgotten | None:
        """Find what goes next of a session that was followed before this time; None: the round is over.

        Nothing is named where `SEEN_MAX` sessions were passed over: it goes on behind them.
        """
        for _ in range(SEEN_MAX):
            row = one_row(db, _NEXT, (self._after,))
            if row is None:
                self._after = 0
                return None
            session_id, followed_at = row
            if followed_at < before and _may_go(db, session_id):
                return _rest_of(db, session_id, rows_max)
            self._after = session_id
        return RowsForgotten("sessions", ())


def _may_go(db: apsw.Connection, session_id: SessionId) -> bool:
    row = one_row(db, _MAY_GO, (session_id,))
    return row is not None and bool(row[0])


def _rest_of(db: apsw.Connection, session_id: SessionId, rows_max: int) -> RowsForgotten:
    """Some rows of the first part that has any; the session itself, when nothing belongs to it any more."""
    for table, last_rows in _LAST_ROWS.items():
        ids: list[Row] = db.execute(last_rows, (session_id, rows_max)).fetchall()
        if ids:
            return RowsForgotten(table, tuple(id_ for (id_,) in ids))
    return RowsForgotten("sessions", (session_id,))
