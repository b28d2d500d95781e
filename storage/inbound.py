"""The door's row: an inbound is stored once, in its chat's session, which is made if the chat is new."""

import apsw

from greenroom.actors.commands import Command
from greenroom.actors.facts import InboundSettled, InboundStored
from greenroom.actors.inbound import read_order
from greenroom.actors.model import Inbound, InboxId, Receipt, SessionId
from greenroom.storage.rows import Contradiction, Crowded, must_agree, one_row, read_key, write_attachments


def store_inbound(db: apsw.Connection, fact: InboundStored) -> Receipt:
    """Store it, or recognise it by (platform, account, update id): then the receipt is the first one's, `repeated`.

    Raises Crowded, Contradiction.
    """
    inbound, key = fact.inbound, str(fact.inbound.key)
    session_id = _route(db, key) or _new_session(db, fact, key)
    command = inbound.ordered or _read_command(inbound)
    row = db.execute(
        "INSERT INTO inbox (session_id, platform, account, update_id, text, author, reply_to, attachments, answers,"
        " change, sent_at, at, command, operator, epoch)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, (SELECT epoch FROM ownership WHERE shard = 0)))"
        " ON CONFLICT (platform, account, update_id) DO NOTHING RETURNING id",
        (
            session_id,
            inbound.key.platform,
            inbound.key.account,
            inbound.update_id,
            inbound.text,
            inbound.author,
            inbound.reply_to,
            write_attachments(inbound.attachments),
            inbound.answers,
            inbound.change,
            inbound.sent_at,
            fact.at,
            command,
            inbound.ordered is not None,
            fact.epoch,
        ),
    ).get
    if row is None:
        return _first_receipt(db, fact)
    if command is None:  # An order waits for nothing, and may be what makes room.
        _refuse_if_crowded(db, session_id, fact.backlog_max)
    return Receipt(InboxId(row), session_id, inbound.key)


def _refuse_if_crowded(db: apsw.Connection, session_id: SessionId, limit: int | None) -> None:
    """Count what waits of the session, this one included, no further than the limit. Raises Crowded."""
    if limit is None:
        return
    waiting = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM inbox INDEXED BY inbox_waiting"
        " WHERE session_id = ? AND generation IS NULL LIMIT ?)",
        (session_id, limit + 1),
    ).get
    if waiting > limit:
        raise Crowded(f"{limit:,} messages of this chat wait already, the limit is {limit:,} (policy.chat_backlog_max)")


def _route(db: apsw.Connection, key: str) -> SessionId | None:
    found = db.execute("SELECT session_id FROM routes WHERE key = ?", (key,)).get
    return None if found is None else SessionId(found)


def _read_command(inbound: Inbound) -> Command | None:
    order = None if inbound.change else read_order(inbound.text, inbound.attachments, inbound.answers)
    return order if isinstance(order, Command) else None


def _new_session(db: apsw.Connection, fact: InboundStored, key: str) -> SessionId:
    if fact.inbound.ordered is not None:
        raise Contradiction(f"nobody has written in {key} yet, so that there is no session to order anything")
    db.execute(
        "INSERT INTO sessions (key, created_at, epoch) VALUES (?, ?, (SELECT epoch FROM ownership WHERE shard = 0))",
        (key, fact.at),
    )
    session_id = SessionId(db.last_insert_rowid())
    db.execute("INSERT INTO routes (key, session_id) VALUES (?, ?)", (key, session_id))
    return session_id


def _first_receipt(db: apsw.Connection, fact: InboundStored) -> Receipt:
    inbound = fact.inbound
    row = one_row(
        db,
        "SELECT inbox.id, inbox.session_id, sessions.key, inbox.text FROM inbox"
        " JOIN sessions ON sessions.id = inbox.session_id"
        " WHERE inbox.platform = ? AND inbox.account = ? AND inbox.update_id = ?",
        (inbound.key.platform, inbound.key.account, inbound.update_id),
    )
    if row is None or row[2:] != (str(inbound.key), inbound.text):
        raise Contradiction(f"update {inbound.update_id!r} was stored before with another text, or from another chat")
    return Receipt(InboxId(row[0]), SessionId(row[1]), read_key(row[2]), repeated=True)


def inbound_settled(db: apsw.Connection, fact: InboundSettled) -> None:
    """Done with, without a row of its own. Raises Contradiction for one that was handed to a run."""
    db.execute(
        "UPDATE inbox SET generation = ?, refusal = ? WHERE id = ? AND session_id = ? AND generation IS NULL",
        (fact.generation, fact.refusal, fact.inbox_id, fact.session_id),
    )
    if not db.changes():
        row = one_row(db, "SELECT session_id, generation, seq FROM inbox WHERE id = ?", (fact.inbox_id,))
        must_agree(row, (fact.session_id, fact.generation, None), f"inbound {fact.inbox_id} was settled otherwise")
