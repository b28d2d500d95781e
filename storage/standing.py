"""How a session stands: set aside, suspended, released, and what its actor's deaths count against it."""

import apsw

from greenroom.actors.facts import (
    RestartsCounted,
    SessionQuarantined,
    SessionReleased,
    SessionSuspended,
    SuspensionLifted,
)
from greenroom.actors.keys import ASIDE
from greenroom.actors.model import InboxId, SessionId
from greenroom.storage.rows import Contradiction, one_row


def session_quarantined(db: apsw.Connection, fact: SessionQuarantined) -> None:
    db.execute(
        "UPDATE sessions SET quarantined_at = ?, quarantine_reason = ? WHERE id = ? AND quarantined_at IS NULL",
        (fact.at, fact.reason, fact.session_id),
    )


def restarts_counted(db: apsw.Connection, fact: RestartsCounted) -> None:
    db.execute("UPDATE sessions SET restart_budget = ? WHERE id = ?", (fact.budget, fact.session_id))


def session_released(db: apsw.Connection, fact: SessionReleased) -> None:
    db.execute(
        "UPDATE sessions SET quarantined_at = NULL, quarantine_reason = NULL, suspended_at = NULL,"
        " restart_budget = NULL WHERE id = ?",
        (fact.session_id,),
    )
    if not db.changes():
        msg = f"there is no session {fact.session_id}"
        raise Contradiction(msg)
    db.execute("UPDATE runs SET attempt = 0 WHERE session_id = ? AND open = 1", (fact.session_id,))


def suspension_lifted(db: apsw.Connection, fact: SuspensionLifted) -> None:
    db.execute("UPDATE sessions SET suspended_at = NULL WHERE id = ?", (fact.session_id,))


def session_suspended(db: apsw.Connection, fact: SessionSuspended) -> None:
    db.execute("UPDATE sessions SET suspended_at = ? WHERE id = ? AND suspended_at IS NULL", (fact.at, fact.session_id))


def read_told_aside(db: apsw.Connection, session_id: SessionId) -> InboxId | None:
    """Find the message that waits and whose writer was told that the session is set aside."""
    row = one_row(
        db,
        "SELECT inbox.id FROM inbox JOIN deliveries ON deliveries.key = ? || '.' || inbox.id"
        " WHERE inbox.session_id = ? AND inbox.generation IS NULL ORDER BY inbox.id DESC LIMIT 1",
        (ASIDE, session_id),
    )
    return None if row is None else InboxId(row[0])
