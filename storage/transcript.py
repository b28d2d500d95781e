"""Reading transcripts: their end, their last rows, and the row that answered something."""

import logging

import apsw
from msgspec.structs import replace

from greenroom.actors.model import Message, MessageKind, Receipt, Role, Seq, SessionId, Tail
from greenroom.actors.store import NeverAnswered
from greenroom.actors.tail import classify_tail
from greenroom.storage.commanding import read_reply
from greenroom.storage.rows import MESSAGE_COLUMNS, TAIL_COLUMNS, knows_tail, one_row, read_message, read_tail

SEQ_MAX = 2**63 - 1
"""No row has a number like this."""

logger = logging.getLogger("greenroom.storage")


def read_tail_of(db: apsw.Connection, session_id: SessionId) -> Tail:
    """How the transcript ends, folded over the rows after the last message that a concluding row covers."""
    upto = _read_covered(db, session_id)
    rows = db.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND seq > ? ORDER BY seq",  # noqa: S608 - constant
        (session_id, upto),
    )
    return classify_tail(map(read_message, rows), Tail(user_seq=upto, answered_upto=upto))


def compare_with_kept(db: apsw.Connection, session_id: SessionId, tail: Tail) -> None:
    """Compare the transcript's end with the one kept with the open run. The transcript wins; a difference is logged."""
    kept = one_row(db, f"SELECT {TAIL_COLUMNS} FROM runs WHERE session_id = ? AND open = 1", (session_id,))  # noqa: S608 - constant
    if kept is None or not knows_tail(kept) or read_tail(kept) != replace(tail, open_calls=frozenset(), asking=False):
        logger.error("session %s ends in %s, but its open run says %s; the transcript counts", session_id, tail, kept)


def read_active_at(db: apsw.Connection, session_id: SessionId) -> float | None:
    """When user or agent last gave a sign of life: words in the transcript, or progress of the last run."""
    row = one_row(
        db,
        "SELECT max(ifnull((SELECT at FROM messages WHERE session_id = ?1 AND role IN ('user', 'assistant')"
        " ORDER BY seq DESC LIMIT 1), last_progress_at), last_progress_at)"
        " FROM runs WHERE session_id = ?1 ORDER BY generation DESC LIMIT 1",
        (session_id,),
    )
    return None if row is None else row[0]


def read_transcript(
    db: apsw.Connection, session_id: SessionId, last: int, before: Seq | None = None
) -> tuple[Message, ...]:
    """The last rows, or the last before a row, oldest first; what stands for others is not among them."""
    rows = db.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND seq < ? AND kind <> 'summary'"  # noqa: S608 - constant
        " ORDER BY seq DESC LIMIT ?",
        (session_id, SEQ_MAX if before is None else before, max(last, 0)),
    ).fetchall()
    return tuple(read_message(row) for row in reversed(rows))


def read_rows_named(db: apsw.Connection, session_id: SessionId, keys: tuple[str, ...]) -> tuple[Message, ...]:
    """The rows that have these keys."""
    found = (
        one_row(db, f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ? AND key = ?", (session_id, key))  # noqa: S608 - constant
        for key in keys
    )
    return tuple(read_message(row) for row in found if row is not None)


def read_summary(db: apsw.Connection, session_id: SessionId) -> Message | None:
    """The newest row that stands for the rows before it."""
    row = one_row(
        db,
        f"SELECT {MESSAGE_COLUMNS} FROM messages INDEXED BY messages_summaries"  # noqa: S608 - constant
        " WHERE session_id = ? AND kind = 'summary' ORDER BY seq DESC LIMIT 1",
        (session_id,),
    )
    return None if row is None else read_message(row)


def read_unanswered(db: apsw.Connection, session_id: SessionId) -> tuple[Message, ...]:
    """The user's messages that no concluding row covers, and what processes told since the last one, oldest first."""
    rows = db.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE session_id = ?1 AND seq > ?2 AND (role = ?3 OR kind = ?4"  # noqa: S608 - constant
        " AND NOT EXISTS (SELECT 1 FROM messages AS later WHERE later.session_id = ?1 AND later.seq > messages.seq"
        " AND later.answers_upto IS NOT NULL)) ORDER BY seq",
        (session_id, _read_covered(db, session_id), Role.USER.value, MessageKind.PROCESS.value),
    )
    return tuple(map(read_message, rows))


def read_answering_row(db: apsw.Connection, receipt: Receipt) -> Message | NeverAnswered | None:
    """The row that concluded the work for which an inbound was taken, or a line of ours; None while there is none.

    It may have gone to another session of its chat since the receipt was given.
    """
    row = one_row(
        db,
        f"SELECT {MESSAGE_COLUMNS} FROM messages INDEXED BY messages_concluding"  # noqa: S608 - constant
        " WHERE session_id = (SELECT session_id FROM inbox WHERE id = ?1)"
        " AND seq > (SELECT seq FROM inbox WHERE id = ?1) AND answers_upto IS NOT NULL"
        " AND answers_upto >= (SELECT seq FROM inbox WHERE id = ?1) ORDER BY seq LIMIT 1",
        (receipt.inbox_id,),
    )
    return read_reply(db, receipt) if row is None else read_message(row)


def _read_covered(db: apsw.Connection, session_id: SessionId) -> Seq:
    """The last message that a concluding row covers."""
    covered = db.execute(
        "SELECT answers_upto FROM messages INDEXED BY messages_concluding"
        " WHERE session_id = ? AND answers_upto IS NOT NULL ORDER BY seq DESC LIMIT 1",
        (session_id,),
    ).get
    return Seq(covered or 0)
