"""Questions and their answers, on any connection: the reader's in production, the writer's in simulation."""

from typing import assert_never

import apsw

from greenroom.actors.commands import Command
from greenroom.actors.inbound import stored_inbound
from greenroom.actors.keys import answer_key
from greenroom.actors.model import (
    NOTHING_SPENT,
    Change,
    Delivery,
    Epoch,
    FreshCause,
    Generation,
    InboxId,
    OpenRun,
    SessionId,
    Snapshot,
    StoredInbound,
    TailKind,
    ToolCall,
    ToolPolicy,
    ToolRecord,
)
from greenroom.actors.store import (
    AnswerTo,
    DeliveryOf,
    KinOf,
    Ledger,
    LedgerOf,
    LeftoversOf,
    MentionsOf,
    OwedOf,
    OwnerNow,
    OwnRowsOf,
    PastOf,
    ProcessesOf,
    Query,
    ReadAnswer,
    SettledOf,
    ShownOf,
    SnapshotOf,
    SummaryOf,
    TranscriptOf,
    UnansweredOf,
    UnfinishedOf,
    UnwantedOf,
)
from greenroom.storage.boots import read_epoch, read_fell
from greenroom.storage.commanding import read_past
from greenroom.storage.erasing import read_kin
from greenroom.storage.letters import read_delivery_named
from greenroom.storage.processes import read_awaited, read_leftovers, read_processes, read_unwanted
from greenroom.storage.questions import read_open_question, read_questions
from greenroom.storage.rows import (
    DELIVERY_COLUMNS,
    RUN_COLUMNS,
    Row,
    one_row,
    read_attachments,
    read_delivery,
    read_key,
    read_run,
)
from greenroom.storage.search import read_mentions
from greenroom.storage.segments import count_segments
from greenroom.storage.shown import read_settled, read_shown
from greenroom.storage.spending import read_spent
from greenroom.storage.standing import read_told_aside
from greenroom.storage.transcript import (
    compare_with_kept,
    read_active_at,
    read_answering_row,
    read_rows_named,
    read_summary,
    read_tail_of,
    read_transcript,
    read_unanswered,
)
from greenroom.storage.unfinished import read_unfinished

_TOOL = "SELECT key, name, args, policy, result, failed, attempts FROM tool_calls"


def read_answer(db: apsw.Connection, query: Query) -> ReadAnswer:
    """Answer from one moment of the store: what is committed now. Raises apsw.Error."""
    db.execute("BEGIN")
    try:
        return _answer(db, query)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _answer(db: apsw.Connection, query: Query) -> ReadAnswer:  # noqa: C901, PLR0911, PLR0912 - one line a question
    match query:
        case SnapshotOf(session_id):
            return read_snapshot(db, session_id)
        case TranscriptOf(session_id, last, before):
            return read_transcript(db, session_id, last, before)
        case OwnRowsOf(session_id, keys):
            return read_rows_named(db, session_id, keys)
        case SummaryOf(session_id):
            return read_summary(db, session_id)
        case UnansweredOf(session_id):
            return read_unanswered(db, session_id)
        case LedgerOf(session_id, work):
            return read_ledger(db, session_id, work)
        case AnswerTo(receipt):
            return read_answering_row(db, receipt)
        case UnfinishedOf(session_id):
            return read_unfinished(db, session_id)
        case OwedOf(platform, account):
            return read_owed(db, platform, account)
        case KinOf(session_id, whole_chat):
            return read_kin(db, session_id, whole_chat=whole_chat)
        case DeliveryOf(key):
            return read_delivery_named(db, key)
        case ShownOf(session, last):
            return read_shown(db, session, last)
        case SettledOf(session):
            return read_settled(db, session)
        case MentionsOf(session, words, last):
            return read_mentions(db, session, words, last)
        case PastOf(session_id):
            return read_past(db, session_id)
        case OwnerNow():
            return read_epoch(db)
        case ProcessesOf(session_id, last):
            return read_processes(db, session_id, last)
        case UnwantedOf(session_id):
            return read_unwanted(db, session_id)
        case LeftoversOf(epoch):
            return read_leftovers(db, epoch)
        case _:
            assert_never(query)


def read_snapshot(db: apsw.Connection, session_id: SessionId) -> Snapshot | None:
    """All that a session's actor needs. The cost grows with what is open, never with the transcript.

    The end kept with an open run is checked against the transcript, which wins; that they differ is logged.
    """
    row = one_row(
        db,
        "SELECT key, generation, suspended_at, quarantined_at, (SELECT epoch FROM ownership WHERE shard = 0),"
        " coalesce((SELECT max(id) FROM inbox), 0), iif(generation = 0, nullif(because, 'imported'), NULL)"
        " FROM sessions WHERE id = ?",
        (session_id,),
    )
    if row is None:
        return None
    key, generation, suspended_at, quarantined_at, epoch, cursor, because = row
    run, waiting = _open_run(db, session_id), _waiting(db, session_id)
    segment = 0 if run is None else count_segments(db, session_id, run.work)
    tail = read_tail_of(db, session_id)
    asks = tail.kind is TailKind.ASKED
    if run is not None:
        compare_with_kept(db, session_id, tail)
    return Snapshot(
        id=session_id,
        key=read_key(key),
        epoch=Epoch(epoch),
        generation=Generation(generation),
        tail=tail,
        run=run,
        waiting=waiting,
        inbox_cursor=InboxId(cursor),
        suspended=suspended_at is not None,
        quarantined=quarantined_at is not None,
        question=read_open_question(db, session_id, run.work) if run is not None and asks else None,
        told_aside=read_told_aside(db, session_id) if waiting else None,  # Also while it is not: it may be so again.
        segment=segment,
        fell=run is not None and run.epoch < epoch and read_fell(db, run.epoch),
        anchored=run is not None and _is_stored(db, answer_key(session_id, run.work, segment)),
        calls=_tools(db, session_id, run.work) if run is not None and tail.open_calls else (),
        active_at=read_active_at(db, session_id),
        in_doubt=bool(_doubts(db, session_id, Generation(0))),
        spent=NOTHING_SPENT if run is None else read_spent(db, session_id, run.work),
        because=None if because is None else FreshCause(because),
        succeeded=one_row(db, "SELECT 1 FROM sessions WHERE predecessor = ?", (session_id,)) is not None,
        awaited=read_awaited(db, session_id),
    )


def read_ledger(db: apsw.Connection, session_id: SessionId, work: Generation) -> Ledger:
    """Tool calls and questions of a piece of work, in the order of their first start, and what other work left."""
    questions = read_questions(db, session_id, work)
    return Ledger(_tools(db, session_id, work), questions, _doubts(db, session_id, work))


def read_owed(db: apsw.Connection, platform: str, account: str) -> tuple[Delivery, ...]:
    """The deliveries of an account that are not concluded, oldest first."""
    rows = db.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries INDEXED BY deliveries_owed"  # noqa: S608 - constant
        " JOIN sessions ON sessions.id = deliveries.session_id WHERE deliveries.platform = ? AND deliveries.account = ?"
        " AND deliveries.state NOT IN ('delivered', 'dead') ORDER BY deliveries.id",
        (platform, account),
    )
    return tuple(read_delivery(row) for row in rows)


def _open_run(db: apsw.Connection, session_id: SessionId) -> OpenRun | None:
    row = one_row(db, f"SELECT {RUN_COLUMNS} FROM runs WHERE session_id = ? AND open = 1", (session_id,))  # noqa: S608 - constant
    return None if row is None else read_run(row)


def _waiting(db: apsw.Connection, session_id: SessionId) -> tuple[StoredInbound, ...]:
    rows = db.execute(
        "SELECT id, text, author, at, reply_to, attachments, answers, change, iif(operator, command, NULL) FROM inbox"
        " WHERE session_id = ? AND generation IS NULL ORDER BY id",
        (session_id,),
    )
    return tuple(
        stored_inbound(
            InboxId(inbox_id),
            text,
            author,
            at,
            reply_to,
            read_attachments(attached),
            answers,
            Change(change) if change else None,
            ordered=Command(ordered) if ordered else None,
        )
        for inbox_id, text, author, at, reply_to, attached, answers, change, ordered in rows
    )


def _tools(db: apsw.Connection, session_id: SessionId, work: Generation) -> tuple[ToolRecord, ...]:
    rows = db.execute(f"{_TOOL} WHERE session_id = ? AND work = ? ORDER BY id", (session_id, work))
    return tuple(_tool(row) for row in rows)


def _doubts(db: apsw.Connection, session_id: SessionId, work: Generation) -> tuple[ToolRecord, ...]:
    rows = db.execute(
        f"{_TOOL} INDEXED BY tool_calls_in_doubt WHERE session_id = ? AND work <> ?"
        " AND result IS NULL AND ended_at IS NULL AND policy IN ('once', 'ask') ORDER BY id",
        (session_id, work),
    )
    return tuple(_tool(row) for row in rows)


def _tool(row: Row) -> ToolRecord:
    key, name, args, policy, result, failed, attempts = row
    return ToolRecord(ToolCall(key, name, args, ToolPolicy(policy)), result, bool(failed), attempts)


def _is_stored(db: apsw.Connection, delivery: str) -> bool:
    return one_row(db, "SELECT 1 FROM deliveries WHERE key = ?", (delivery,)) is not None
