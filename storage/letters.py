"""Deliveries that somebody must look after: dead letters, and those of which nobody knows what became of them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from greenroom.actors.facts import DeliveryDropped, DeliveryRevived
from greenroom.actors.model import Delivery, DeliveryKind, DeliveryState, SessionId
from greenroom.storage.rows import DELIVERY_COLUMNS, Contradiction, Row, one_row, read_delivery

GIVEN_UP = "given up by an operator"
"""What stands as the error of a delivery that was owed until whoever runs the service gave it up."""


def delivery_revived(db: apsw.Connection, fact: DeliveryRevived) -> None:
    """Owe it (again), with nothing counted against it. What was dead may be visible, so its outcome is unknown."""
    key = fact.delivery.key
    db.execute(
        "UPDATE deliveries SET state = iif(state = 'dead', 'unknown', state), attempts = 0, retry_at = NULL,"
        " error = NULL WHERE key = ? AND text IS NOT NULL AND state <> 'delivered'"
        " AND NOT (state = 'dead' AND kind = 'question')",
        (key,),
    )
    if not db.changes():
        raise Contradiction(_why_not(db, key))
    db.execute("DELETE FROM dead_letters WHERE delivery = ?", (key,))


def delivery_dropped(db: apsw.Connection, fact: DeliveryDropped) -> None:
    """Owe it no more, and keep no letter of it. Its row stays, so that nothing writes it anew."""
    key = fact.delivery.key
    db.execute(
        "UPDATE deliveries SET state = 'dead', retry_at = NULL, error = iif(state = 'dead', error, ?) WHERE key = ?"
        " AND text IS NOT NULL AND state <> 'delivered'",
        (GIVEN_UP, key),
    )
    if not db.changes():
        raise Contradiction(_why_not(db, key))
    db.execute("DELETE FROM dead_letters WHERE delivery = ?", (key,))


def _why_not(db: apsw.Connection, key: str) -> str:
    found = read_delivery_named(db, key)
    if found is None:
        return f"there is no delivery {key!r}; `greenroom dead list` and `greenroom show SESSION` name them"
    if found.state is DeliveryState.DELIVERED:
        return f"delivery {key} is delivered: its person can read it"
    if found.text is None:
        return f"delivery {key} has no words yet: a run works on it, or will; `greenroom suspend` interrupts that"
    return (
        f"delivery {key} asks something, and the question is over: its agent was told that it reached nobody; "
        f"`greenroom retry {found.session_id}` runs the request again"
    )


def read_delivery_named(db: apsw.Connection, key: str) -> Delivery | None:
    """One delivery, whatever became of it."""
    row = one_row(
        db,
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries JOIN sessions ON sessions.id = deliveries.session_id"  # noqa: S608 - constant
        " WHERE deliveries.key = ?",
        (key,),
    )
    return None if row is None else read_delivery(row)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter (`state` is dead), or a delivery that is tried again by itself.

    That is one whose outcome is unknown (unknown), or that could not be sent and waits for its next try (retry).
    """

    delivery: str  # its name, as `dead retry` and `dead purge` take it
    state: DeliveryState  # dead, unknown or retry
    session: SessionId  # number of its session
    key: str  # key of its session
    kind: DeliveryKind  # what it says
    text: str  # what should have been shown
    reason: str  # why it is dead, or not known, or not sent yet
    at: float  # when it died; of another one when its text was there
    attempts: int  # so many tries in a row got nowhere; 0 after one that did
    retry_at: float | None  # when it is tried again; null: at once, or never
    shown: int  # so many messages of it are known to be in the chat, placeholders included


_COLUMNS = "d.key, d.state, d.session_id, s.key, d.kind, d.text"
_DEAD = f"""
SELECT {_COLUMNS}, l.reason, l.at, d.attempts, NULL, d.message_ids
FROM dead_letters l JOIN deliveries d ON d.key = l.delivery JOIN sessions s ON s.id = d.session_id
ORDER BY l.id DESC LIMIT ?
"""  # noqa: S608 - constant
_TRIED_AGAIN = f"""
SELECT {_COLUMNS}, d.error, coalesce(d.filled_at, d.created_at), d.attempts, d.retry_at, d.message_ids
FROM deliveries d INDEXED BY deliveries_owed JOIN sessions s ON s.id = d.session_id
WHERE d.state NOT IN ('delivered', 'dead') AND d.state IN ('unknown', 'retry') AND d.text IS NOT NULL
ORDER BY d.id DESC LIMIT ?
"""  # noqa: S608 - constant


def read_letters(db: apsw.Connection, limit: int) -> tuple[Letter, ...]:
    """The newest dead letters, and before them what is tried again by itself; at most `limit` of each."""
    return tuple(_read(row) for sql in (_TRIED_AGAIN, _DEAD) for row in _rows(db, sql, limit))


def read_dead_keys(db: apsw.Connection) -> tuple[str, ...]:
    """Name all dead letters, oldest first."""
    return tuple(str(key) for (key,) in db.execute("SELECT delivery FROM dead_letters ORDER BY id").fetchall())


def _rows(db: apsw.Connection, sql: str, limit: int) -> Iterable[Row]:
    return db.execute(sql, (limit,)).fetchall()


def _read(row: Row) -> Letter:
    delivery, state, session, key, kind, text, reason, at, attempts, retry_at, ids = row
    shown = len(json.loads(ids))
    return Letter(
        delivery,
        DeliveryState(state),
        SessionId(session),
        key,
        DeliveryKind(kind),
        text,
        reason or "",
        at,
        attempts,
        retry_at,
        shown,
    )
