"""How a conversation begins anew: a new session takes over its chat's route and what waits; the old one stays."""

import apsw

from greenroom.actors.facts import SessionSucceeded
from greenroom.actors.model import InboxId, Receipt, SessionId
from greenroom.storage.rows import Contradiction, one_row, read_key


def session_succeeded(db: apsw.Connection, fact: SessionSucceeded) -> Receipt:
    """Make the successor, or find the one that was made before. The receipt names it, and no inbound.

    Raises Contradiction where the session has no route to hand on, or is in the middle of something.
    """
    old = fact.session_id
    row = one_row(db, "SELECT key FROM sessions WHERE id = ?", (old,))
    if row is None:
        raise Contradiction(f"session {old} cannot be succeeded: it does not exist")
    (key,) = row
    new = one_row(db, "SELECT id FROM sessions WHERE predecessor = ?", (old,))
    if new is None:
        _must_be_free(db, old, key)
        db.execute(
            "INSERT INTO sessions (key, created_at, epoch, predecessor, because)"
            " VALUES (?, ?, (SELECT epoch FROM ownership WHERE shard = 0), ?, ?)",
            (key, fact.at, old, fact.because),
        )
        new = (db.last_insert_rowid(),)
        db.execute("UPDATE routes SET session_id = ? WHERE key = ?", (new[0], key))
        db.execute("UPDATE inbox SET session_id = ? WHERE session_id = ? AND generation IS NULL", (new[0], old))
    return Receipt(InboxId(0), SessionId(new[0]), read_key(key))


def _must_be_free(db: apsw.Connection, old: SessionId, key: str) -> None:
    if one_row(db, "SELECT 1 FROM routes WHERE key = ? AND session_id = ?", (key, old)) is None:
        raise Contradiction(f"session {old} cannot be succeeded: its chat leads elsewhere")
    if one_row(db, "SELECT 1 FROM runs WHERE session_id = ? AND open = 1", (old,)) is not None:
        raise Contradiction(f"session {old} cannot be succeeded: a run is open in it")
