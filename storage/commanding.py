"""What orders ask of the store, and what they were told."""

import apsw

from greenroom.actors.facts import DecisionStored
from greenroom.actors.keys import line_key, over_what, reply_key
from greenroom.actors.model import Generation, Message, MessageKind, Receipt, Role, Seq, SessionId
from greenroom.actors.store import NeverAnswered, Past
from greenroom.storage.rows import MESSAGE_COLUMNS, one_row, read_message


def read_past(db: apsw.Connection, session_id: SessionId) -> Past:
    """The last decision, and the messages of the user that the last conclusion covered."""
    return Past(_last_decision(db, session_id), _last_request(db, session_id))


def read_reply(db: apsw.Connection, receipt: Receipt) -> Message | NeverAnswered | None:
    """What an order or a late press was told, as a message that is in no transcript; None: nothing yet.

    Why an operator's order was refused is of the kind FAILED.
    """
    sql = "SELECT session_id, generation, seq, change, coalesce(command, answers), refusal, at FROM inbox WHERE id = ?"
    inbound = one_row(db, sql, (receipt.inbox_id,))
    if inbound is None:
        return NeverAnswered.FORGOTTEN
    session_id, generation, seq, change, told_by_us, refusal, refused_at = inbound
    if change is not None:
        return NeverAnswered.CHANGE
    if generation is None or seq is not None:
        return None
    number, reply = Generation(generation), reply_key(receipt.inbox_id)
    if refusal is not None:
        return Message(Seq(0), number, reply, Role.SYSTEM, refusal, refused_at, MessageKind.FAILED)
    keys = (reply, line_key(session_id, number, over_what(receipt.inbox_id)))
    row = one_row(db, "SELECT generation, key, text, created_at FROM deliveries WHERE key IN (?, ?)", keys)
    if row is None:
        return NeverAnswered.WITHDRAWN if told_by_us is None else NeverAnswered.FORGOTTEN
    told_in, key, text, at = row
    return Message(Seq(0), Generation(told_in), key, Role.SYSTEM, text, at, MessageKind.TEXT)


def _last_decision(db: apsw.Connection, session_id: SessionId) -> DecisionStored | None:
    row = one_row(
        db,
        "SELECT session_id, epoch, generation, rule, outcome, inputs, at FROM decisions"
        " WHERE session_id = ? ORDER BY id DESC LIMIT 1",
        (session_id,),
    )
    return None if row is None else DecisionStored(*row)


def _last_request(db: apsw.Connection, session_id: SessionId) -> tuple[Message, ...]:
    bounds = db.execute(
        "SELECT answers_upto FROM messages INDEXED BY messages_concluding"
        " WHERE session_id = ? AND answers_upto IS NOT NULL ORDER BY seq DESC LIMIT 2",
        (session_id,),
    ).fetchall()
    if not bounds:
        return ()
    upto, before = bounds[0][0], bounds[1][0] if len(bounds) > 1 else 0
    rows = db.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND seq > ? AND seq <= ? AND role = ?"  # noqa: S608 - constant
        " ORDER BY seq",
        (session_id, before, upto, Role.USER.value),
    )
    return tuple(map(read_message, rows))
