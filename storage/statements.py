"""What each fact does to the tables: one small function a fact, bound parameters only.

Each may be applied again: a repeated fact is recognised by its key and changes nothing. One that contradicts what is
stored raises `Contradiction`; one of a writer that is no longer current is refused by a trigger.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from greenroom.actors.facts import (
    DecisionStored,
    DeliveryDropped,
    DeliveryFilled,
    DeliveryMoved,
    DeliveryOpened,
    DeliveryRevived,
    DoubtTold,
    Fact,
    InboundRefused,
    InboundSettled,
    InboundStored,
    InboundTaken,
    MessageAppended,
    QuestionAnswered,
    QuestionAsked,
    QuestionLapsed,
    RestartsCounted,
    RowsForgotten,
    RunClosed,
    RunMarked,
    RunOpened,
    RunProgressed,
    RunSpent,
    SessionQuarantined,
    SessionReleased,
    SessionsForgotten,
    SessionSucceeded,
    SessionSuspended,
    SuspensionLifted,
    ToolEnded,
    ToolStarted,
)
from greenroom.actors.model import DeliveryState, Receipt
from greenroom.storage.erasing import sessions_forgotten
from greenroom.storage.forgetting import rows_forgotten
from greenroom.storage.inbound import inbound_settled, store_inbound
from greenroom.storage.letters import delivery_dropped, delivery_revived
from greenroom.storage.pairings import PAIRING_STATEMENTS
from greenroom.storage.processes import PROCESS_STATEMENTS
from greenroom.storage.questions import question_answered, question_asked, question_lapsed
from greenroom.storage.rows import must_agree, one_row, write_attachments, write_calls
from greenroom.storage.spending import run_spent
from greenroom.storage.standing import (
    restarts_counted,
    session_quarantined,
    session_released,
    session_suspended,
    suspension_lifted,
)
from greenroom.storage.succession import session_succeeded


def write_fact(db: apsw.Connection, fact: Fact) -> Receipt | None:
    """Apply one fact inside the caller's transaction. Raises Contradiction, apsw.Error."""
    return STATEMENTS[type(fact)](db, fact)


def _inbound_taken(db: apsw.Connection, fact: InboundTaken) -> None:
    db.execute(
        "UPDATE inbox SET generation = ?, seq = ? WHERE id = ? AND session_id = ? AND generation IS NULL",
        (fact.generation, fact.seq, fact.inbox_id, fact.session_id),
    )
    if not db.changes():
        row = one_row(db, "SELECT session_id, generation, seq FROM inbox WHERE id = ?", (fact.inbox_id,))
        must_agree(row, (fact.session_id, fact.generation, fact.seq), f"inbound {fact.inbox_id} was taken otherwise")


def _run_opened(db: apsw.Connection, fact: RunOpened) -> None:
    run, tail, session = fact.run, fact.tail, fact.session_id
    db.execute(
        "UPDATE runs SET open = 0, closed_at = ?, ending = 'superseded'"
        " WHERE session_id = ? AND open = 1 AND generation < ?",
        (run.opened_at, session, run.generation),
    )
    db.execute(
        "INSERT INTO runs (session_id, generation, epoch, work, cause, attempt, opened_at, last_progress_at,"
        " interrupted_by, ending, reply_to, tail_kind, tail_at, tail_seq, user_seq, answered_upto)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id, generation) DO NOTHING",
        (
            session,
            run.generation,
            run.epoch,
            run.work,
            run.cause,
            run.attempt,
            run.opened_at,
            run.last_progress_at,
            run.interrupted_by,
            run.ending,
            run.reply_to,
            tail.kind.name,
            tail.at,
            tail.seq,
            tail.user_seq,
            tail.answered_upto,
        ),
    )
    if not db.changes():
        row = one_row(
            db,
            "SELECT epoch, work, cause, opened_at FROM runs WHERE session_id = ? AND generation = ?",
            (session, run.generation),
        )
        wanted = (run.epoch, run.work, run.cause, run.opened_at)
        must_agree(row, wanted, f"run {run.generation} of session {session} was opened otherwise")


def _run_progressed(db: apsw.Connection, fact: RunProgressed) -> None:
    tail = fact.tail
    db.execute(
        "UPDATE runs SET last_progress_at = ?, attempt = ?, tail_kind = ?, tail_at = ?, tail_seq = ?, user_seq = ?,"
        " answered_upto = ? WHERE session_id = ? AND generation = ? AND open = 1",
        (
            fact.at,
            fact.attempt,
            tail.kind.name,
            tail.at,
            tail.seq,
            tail.user_seq,
            tail.answered_upto,
            fact.session_id,
            fact.generation,
        ),
    )


def _run_marked(db: apsw.Connection, fact: RunMarked) -> None:
    db.execute(
        "UPDATE runs SET interrupted_by = ? WHERE session_id = ? AND generation = ? AND open = 1",
        (fact.reason, fact.session_id, fact.generation),
    )


def _run_closed(db: apsw.Connection, fact: RunClosed) -> None:
    db.execute(
        "UPDATE runs SET open = 0, ending = ?, closed_at = ?, failed_by = ?"
        " WHERE session_id = ? AND generation = ? AND open = 1",
        (fact.ending, fact.at, fact.failed_by, fact.session_id, fact.generation),
    )


def append_messages(db: apsw.Connection, facts: Sequence[MessageAppended]) -> bool:
    """Append many rows at once; False if one of them was there before, which then has to be looked at alone."""
    before = db.total_changes()
    db.executemany(_APPEND, map(_bind_message, facts))
    return db.total_changes() - before == len(facts)


def _message_appended(db: apsw.Connection, fact: MessageAppended) -> None:
    message = fact.message
    db.execute(_APPEND, _bind_message(fact))
    if not db.changes():
        row = one_row(
            db,
            "SELECT seq, role, kind, text FROM messages WHERE session_id = ? AND key = ?",
            (fact.session_id, message.key),
        )
        wanted = (message.seq, message.role, message.kind, message.text)
        must_agree(row, wanted, f"message {message.key!r} (seq {message.seq}) of session {fact.session_id} differs")


_APPEND = (
    "INSERT INTO messages (session_id, seq, epoch, generation, key, role, kind, text, at, finish, answers_upto,"
    " author, tool_calls, tool_key, attachments) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)


def _bind_message(fact: MessageAppended) -> tuple[Any, ...]:
    message = fact.message
    return (
        fact.session_id,
        message.seq,
        fact.epoch,
        message.generation,
        message.key,
        message.role,
        message.kind,
        message.text,
        message.at,
        message.finish,
        message.answers_upto,
        message.author,
        write_calls(message.tool_calls),
        message.tool_key,
        write_attachments(message.attachments),
    )


def _tool_started(db: apsw.Connection, fact: ToolStarted) -> None:
    call = fact.call
    db.execute(
        "INSERT INTO tool_calls (session_id, work, epoch, generation, key, name, args, policy, started_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id, key) DO UPDATE"
        " SET attempts = attempts + 1, epoch = excluded.epoch, generation = excluded.generation,"
        " started_at = excluded.started_at, ended_at = NULL"
        " WHERE result IS NULL AND name = excluded.name AND args = excluded.args"
        " AND (generation, started_at) IS NOT (excluded.generation, excluded.started_at)",
        (
            fact.session_id,
            fact.work,
            fact.epoch,
            fact.generation,
            call.key,
            call.name,
            call.args,
            call.policy,
            fact.at,
        ),
    )
    if not db.changes():
        sql = "SELECT name, args FROM tool_calls WHERE session_id = ? AND key = ?"
        row = one_row(db, sql, (fact.session_id, call.key))
        must_agree(row, (call.name, call.args), f"tool call {call.key!r} was started with other arguments")


def _tool_ended(db: apsw.Connection, fact: ToolEnded) -> None:
    db.execute(
        "UPDATE tool_calls SET result = ?, failed = ?, ended_at = ?"
        " WHERE session_id = ? AND key = ? AND result IS NULL",
        (fact.result, fact.failed, fact.at, fact.session_id, fact.key),
    )
    if not db.changes():
        sql = "SELECT 1 FROM tool_calls WHERE session_id = ? AND key = ?"
        must_agree(one_row(db, sql, (fact.session_id, fact.key)), (1,), f"tool call {fact.key!r} was never started")


def _doubt_told(db: apsw.Connection, fact: DoubtTold) -> None:
    db.execute(
        "UPDATE tool_calls SET ended_at = ? WHERE session_id = ? AND key = ? AND result IS NULL AND ended_at IS NULL",
        (fact.at, fact.session_id, fact.key),
    )
    if not db.changes():
        sql = "SELECT 1 FROM tool_calls WHERE session_id = ? AND key = ?"
        must_agree(one_row(db, sql, (fact.session_id, fact.key)), (1,), f"tool call {fact.key!r} was never started")


def _delivery_opened(db: apsw.Connection, fact: DeliveryOpened) -> None:
    delivery = fact.delivery
    db.execute(
        "INSERT INTO deliveries (key, session_id, platform, account, kind, epoch, generation, text, state,"
        " message_ids, attempts, retry_at, reply_to, created_at, filled_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (
            delivery.key,
            delivery.session_id,
            delivery.session.platform,
            delivery.session.account,
            delivery.kind,
            fact.epoch,
            fact.generation,
            delivery.text,
            delivery.state,
            _write_ids(delivery.message_ids),
            delivery.attempts,
            delivery.retry_at,
            delivery.reply_to,
            delivery.created_at,
            None if delivery.text is None else delivery.created_at,
        ),
    )
    if not db.changes():
        row = one_row(db, "SELECT session_id, kind FROM deliveries WHERE key = ?", (delivery.key,))
        must_agree(row, (delivery.session_id, delivery.kind), f"delivery {delivery.key!r} belongs to something else")


def _delivery_filled(db: apsw.Connection, fact: DeliveryFilled) -> None:
    db.execute(
        "UPDATE deliveries SET text = ?, kind = ?, filled_at = ?, state = iif(state = 'open', 'pending', state)"
        " WHERE key = ? AND text IS NULL",
        (fact.text, fact.kind, fact.at, fact.key),
    )
    if not db.changes():
        row = one_row(db, "SELECT text FROM deliveries WHERE key = ?", (fact.key,))
        must_agree(row, (fact.text,), f"delivery {fact.key!r} holds another text, or was never opened")


def _delivery_moved(db: apsw.Connection, fact: DeliveryMoved) -> None:
    """The text is not touched; what is delivered stays so, and what is dead until somebody revives it.

    The mover may have seen none of that yet. A call that was under way when its delivery was given up may have worked.
    """
    delivery, dead = fact.delivery, fact.delivery.state is DeliveryState.DEAD
    db.execute(
        "UPDATE deliveries SET state = iif(?1 = 'open' AND text IS NOT NULL, 'pending', ?1), message_ids = ?2,"
        " attempts = ?3, retry_at = ?4, error = ?5, delivered_at = iif(?1 = 'delivered', ?6, NULL)"
        " WHERE key = ?7 AND state <> 'delivered' AND (state <> 'dead' OR ?1 = 'delivered')",
        (
            delivery.state,
            _write_ids(delivery.message_ids),
            delivery.attempts,
            delivery.retry_at,
            fact.error,
            fact.at,
            delivery.key,
        ),
    )
    if not db.changes():
        sql = "SELECT (SELECT 1 FROM deliveries WHERE key = ?), (SELECT 1 FROM sessions WHERE id = ?)"
        found, session = one_row(db, sql, (delivery.key, delivery.session_id)) or ()
        if session is not None:  # Else it is forgotten, with all that was owed to it.
            must_agree((found,), (1,), f"delivery {delivery.key!r} was never opened")
    elif dead:
        db.execute(
            "INSERT INTO dead_letters (delivery, session_id, reason, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (delivery.key, delivery.session_id, fact.error or "", fact.at),
        )


def _write_ids(ids: tuple[str, ...]) -> str:
    return json.dumps(ids) if ids else "[]"  # An answer that nobody streamed begins with none.


def _decision_stored(db: apsw.Connection, fact: DecisionStored) -> None:
    db.execute(
        "INSERT INTO decisions (session_id, epoch, generation, rule, outcome, inputs, at)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM decisions"
        " WHERE session_id = ?1 AND epoch = ?2 AND generation = ?3 AND rule = ?4 AND inputs = ?6 AND at = ?7)",
        (fact.session_id, fact.epoch, fact.generation, fact.rule, fact.outcome, fact.inputs, fact.at),
    )


def _inbound_refused(db: apsw.Connection, fact: InboundRefused) -> None:
    db.execute(
        "INSERT INTO refusals (platform, account, count, last_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (platform, account) DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at",
        (fact.key.platform, fact.key.account, fact.count, fact.at),
    )


STATEMENTS: dict[type, Callable[[apsw.Connection, Any], Receipt | None]] = {
    InboundStored: store_inbound,
    InboundTaken: _inbound_taken,
    InboundSettled: inbound_settled,
    RunOpened: _run_opened,
    RunProgressed: _run_progressed,
    RunMarked: _run_marked,
    RunClosed: _run_closed,
    RunSpent: run_spent,
    MessageAppended: _message_appended,
    ToolStarted: _tool_started,
    ToolEnded: _tool_ended,
    DoubtTold: _doubt_told,
    QuestionAsked: question_asked,
    QuestionAnswered: question_answered,
    QuestionLapsed: question_lapsed,
    DeliveryOpened: _delivery_opened,
    DeliveryFilled: _delivery_filled,
    DeliveryMoved: _delivery_moved,
    DeliveryRevived: delivery_revived,
    DeliveryDropped: delivery_dropped,
    DecisionStored: _decision_stored,
    SessionQuarantined: session_quarantined,
    RestartsCounted: restarts_counted,
    SessionReleased: session_released,
    SessionSuspended: session_suspended,
    SessionSucceeded: session_succeeded,
    RowsForgotten: rows_forgotten,
    SessionsForgotten: sessions_forgotten,
    SuspensionLifted: suspension_lifted,
    InboundRefused: _inbound_refused,
    **PROCESS_STATEMENTS,
    **PAIRING_STATEMENTS,
}
"""Total over `Fact`; a test says so."""
