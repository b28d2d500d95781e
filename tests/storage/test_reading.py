from collections.abc import Iterator, Sequence

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from greenroom.actors.facts import (
    DeliveryFilled,
    DeliveryMoved,
    DeliveryOpened,
    DoubtTold,
    Fact,
    InboundStored,
    InboundTaken,
    MessageAppended,
    QuestionAnswered,
    QuestionAsked,
    RunOpened,
    SessionSuspended,
    ToolEnded,
    ToolStarted,
)
from greenroom.actors.keys import answer_key
from greenroom.actors.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Epoch,
    Generation,
    Inbound,
    InboxId,
    Message,
    MessageKind,
    OpenRun,
    Question,
    Receipt,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    StoredInbound,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
    ToolRecord,
)
from greenroom.actors.store import (
    AnswerTo,
    Ledger,
    LedgerOf,
    OwedOf,
    SnapshotOf,
    TranscriptOf,
    UnfinishedOf,
)
from greenroom.actors.tail import classify_tail
from greenroom.storage.boots import take_ownership
from greenroom.storage.migrate import migrate
from greenroom.storage.reading import read_answer, read_snapshot
from greenroom.storage.rows import read_calls, read_key, write_calls
from greenroom.storage.statements import write_fact
from greenroom.storage.transcript import read_tail_of

KEY = SessionKey("web", "bot", "1")
S, E, G = SessionId(1), Epoch(1), Generation(1)


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    connection = fresh()
    yield connection
    connection.close()


def fresh() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    take_ownership(connection, uid_if_new="0badcafe", at=0.0, pid=1, version="0")
    return connection


def write(db: apsw.Connection, *facts: Fact) -> list[Receipt]:
    return [receipt for fact in facts if (receipt := write_fact(db, fact)) is not None]


def inbound(number: int, chat: str = "1", at: float = 1.0) -> InboundStored:
    return InboundStored(Inbound(SessionKey("web", "bot", chat), f"{chat}.{number}", f"text {number}"), at)


def opened(session: int = 1, generation: int = 1, at: float = 2.0, work: int | None = None) -> RunOpened:
    run = OpenRun(Generation(generation), E, Generation(work or generation), RunCause.INBOUND, 1, at, at, reply_to="p")
    return RunOpened(SessionId(session), run, Tail(TailKind.USER, at, Seq(1), Seq(1)))


def message(seq: int, role: Role, **more: object) -> Message:
    return replace(Message(Seq(seq), G, f"k{seq}", role, f"row {seq}", float(seq)), **more)


def delivery(key: str, state: DeliveryState = DeliveryState.OPEN, session: int = 1) -> Delivery:
    return Delivery(key, SessionId(session), KEY, DeliveryKind.ANSWER, None, state, created_at=3.0)


def test_an_unknown_session_has_no_snapshot(db: apsw.Connection) -> None:
    assert read_answer(db, SnapshotOf(S)) is None


def test_a_snapshot_holds_all_that_is_open(db: apsw.Connection) -> None:
    said = message(1, Role.USER)
    asked = message(2, Role.ASSISTANT, kind=MessageKind.QUESTION)
    question = Question("1.1.question.0", "which?", ("a", "b"), asked_at=3.0, timeout_s=60.0)
    write(db, inbound(1), inbound(2, at=5.0), opened(), InboundTaken(S, InboxId(1), G, Seq(1)))
    write(db, MessageAppended(S, E, said), QuestionAsked(S, E, G, G, question, 3.0), MessageAppended(S, E, asked))
    write(db, DeliveryOpened(E, G, delivery(answer_key(S, G, 1))), SessionSuspended(S, 4.0))
    snapshot = read_snapshot(db, S)
    assert snapshot is not None
    assert (snapshot.id, snapshot.key, snapshot.epoch, snapshot.generation) == (S, KEY, E, G)
    assert snapshot.tail == classify_tail([said, asked])
    assert snapshot.run == opened().run
    assert snapshot.waiting == (StoredInbound(InboxId(2), "text 2", None, 5.0),)
    assert snapshot.inbox_cursor == 2
    assert (snapshot.suspended, snapshot.quarantined) == (True, False)
    assert (snapshot.question, snapshot.segment, snapshot.anchored) == (question, 1, True)


def test_a_snapshot_is_of_the_epoch_under_which_the_session_may_write_now(db: apsw.Connection) -> None:
    write(db, inbound(1))
    take_ownership(db, uid_if_new="", at=9.0, pid=2, version="0")
    snapshot = read_snapshot(db, S)
    assert snapshot is not None
    assert snapshot.epoch == Epoch(2)


def test_an_answered_question_is_not_open_and_an_anchor_of_other_work_is_none(db: apsw.Connection) -> None:
    write(db, inbound(1), opened(), QuestionAsked(S, E, G, G, Question("q", "which?"), 3.0))
    write(db, QuestionAnswered(S, "q", "that", 4.0), DeliveryOpened(E, G, delivery(answer_key(S, G, 0))))
    snapshot = read_snapshot(db, S)
    assert snapshot is not None
    assert (snapshot.question, snapshot.segment, snapshot.anchored) == (None, 1, False)


def test_a_transcript_is_read_from_its_end_oldest_row_first(db: apsw.Connection) -> None:
    call = ToolCall("c1", "clock", '{"zone":"Ü"}', ToolPolicy.KEYED)
    rows = (
        message(1, Role.USER, author="Ann"),
        message(2, Role.ASSISTANT, tool_calls=(call,), text=""),
        message(3, Role.TOOL, tool_key="c1"),
        message(4, Role.SYSTEM, kind=MessageKind.RECOVERY_NOTE),
        message(5, Role.ASSISTANT, finish="stop", answers_upto=Seq(1), text="nul \0 and 🙂"),
    )
    write(db, inbound(1), opened(), *(MessageAppended(S, E, row) for row in rows))
    assert read_answer(db, TranscriptOf(S, 100)) == rows
    assert read_answer(db, TranscriptOf(S, 2)) == rows[3:]
    assert read_answer(db, TranscriptOf(S, 0)) == ()


def test_a_ledger_is_of_one_piece_of_work_in_the_order_of_its_calls(db: apsw.Connection) -> None:
    first, second = (ToolCall(f"c{n}", "clock", "{}", ToolPolicy.ONCE) for n in (1, 2))
    question = Question("q", "which?", ("a",), asked_at=3.0)
    write(db, inbound(1), opened(), ToolStarted(S, E, G, G, second, 3.0), ToolStarted(S, E, G, G, first, 4.0))
    write(db, ToolEnded(S, G, "c1", "null", failed=True, at=5.0), QuestionAsked(S, E, G, G, question, 3.0))
    write(db, opened(generation=2), ToolStarted(S, E, Generation(2), Generation(2), replace(first, key="c3"), 9.0))
    later = ToolRecord(replace(first, key="c3"))
    expected = Ledger((ToolRecord(second), ToolRecord(first, "null", failed=True)), (question,), doubts=(later,))
    assert read_answer(db, LedgerOf(S, G)) == expected
    assert read_answer(db, LedgerOf(S, Generation(9))) == Ledger(doubts=(ToolRecord(second), later))


def test_a_doubt_is_of_a_call_that_may_have_taken_effect_until_it_was_told(db: apsw.Connection) -> None:
    calls = [ToolCall(f"c{policy}", "pay", "{}", policy) for policy in ToolPolicy]
    write(db, inbound(1), opened(), *(ToolStarted(S, E, G, G, call, 3.0) for call in calls))
    assert read_answer(db, LedgerOf(S, Generation(9))) == Ledger(doubts=tuple(map(ToolRecord, calls[2:])))
    write(db, DoubtTold(S, "conce", 4.0), DoubtTold(S, "cask", 4.0))
    assert read_answer(db, LedgerOf(S, Generation(9))) == Ledger()
    write(db, ToolStarted(S, E, G, G, calls[3], 5.0))
    assert read_answer(db, LedgerOf(S, Generation(9))) == Ledger(doubts=(ToolRecord(calls[3], attempts=2),))


def test_the_answer_to_an_inbound_is_the_row_that_concluded_its_work(db: apsw.Connection) -> None:
    (first, second) = write(db, inbound(1), inbound(2))
    write(db, opened(), InboundTaken(S, first.inbox_id, G, Seq(1)), MessageAppended(S, E, message(1, Role.USER)))
    assert read_answer(db, AnswerTo(first)) is None
    write(db, InboundTaken(S, second.inbox_id, G, Seq(2)), MessageAppended(S, E, message(2, Role.USER)))
    to_first = message(3, Role.ASSISTANT, finish="stop", answers_upto=Seq(1))
    to_second = message(4, Role.ASSISTANT, finish="stop", answers_upto=Seq(2))
    write(db, MessageAppended(S, E, to_first))
    assert read_answer(db, AnswerTo(first)) == to_first
    assert read_answer(db, AnswerTo(second)) is None
    write(db, MessageAppended(S, E, to_second))
    assert read_answer(db, AnswerTo(second)) == to_second


def test_an_inbound_that_waits_has_no_answer_yet(db: apsw.Connection) -> None:
    (receipt,) = write(db, inbound(1))
    assert read_answer(db, AnswerTo(receipt)) is None


def test_what_an_account_owes_is_read_oldest_first_and_without_what_is_over(db: apsw.Connection) -> None:
    write(db, inbound(1), opened())
    open_, pending, sent = (delivery(key) for key in ("a", "b", "c"))
    dead = delivery("d")
    for each in (open_, pending, sent, dead):
        write(db, DeliveryOpened(E, G, each))
    write(db, DeliveryFilled("b", "words", 4.0, DeliveryKind.ANSWER))
    write(db, DeliveryMoved(replace(sent, state=DeliveryState.DELIVERED), 5.0))
    write(db, DeliveryMoved(replace(dead, state=DeliveryState.DEAD), 5.0, "gone"))
    write(db, DeliveryMoved(replace(open_, message_ids=("m1",), attempts=2, retry_at=7.0), 5.0))
    assert read_answer(db, OwedOf("web", "bot")) == (
        replace(open_, message_ids=("m1",), attempts=2, retry_at=7.0),
        replace(pending, text="words", state=DeliveryState.PENDING),
    )
    assert read_answer(db, OwedOf("web", "other")) == ()


def test_boot_and_wake_read_by_index_alone(db: apsw.Connection) -> None:
    """No plan of a boot or a wake walks a whole table: its cost never grows with what is stored."""
    plans: list[str] = []

    def explain(cursor: apsw.Cursor, sql: str, bindings: Sequence[object] | None) -> bool:
        if sql.lstrip().startswith("SELECT"):
            asking = db.cursor()
            asking.exec_trace = None
            plans.extend(str(row[3]) for row in asking.execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        return True

    write(db, inbound(1), opened(), MessageAppended(S, E, message(1, Role.USER)), inbound(2, "2"))
    db.exec_trace = explain  # type: ignore[assignment]
    for query in (UnfinishedOf(), UnfinishedOf(S), SnapshotOf(S), OwedOf("web", "bot")):
        read_answer(db, query)
    db.exec_trace = None
    assert len(plans) > 20
    in_flight = ("INDEX runs_open", "INDEX inbox_waiting", "INDEX processes_awaited")  # of what nobody is done with
    assert [plan for plan in plans if plan.startswith("SCAN") and not any(each in plan for each in in_flight)] == []


ROWS = st.lists(
    st.sampled_from(["user", "final", "partial", "calls", "result", "question", "note", "stopped", "failed", "system"]),
    max_size=12,
)


@given(kinds=ROWS, lag=st.integers(0, 2))
def test_the_tail_is_that_of_the_whole_transcript(kinds: list[str], lag: int) -> None:
    rows = transcript(kinds, lag)
    db = fresh()
    write(db, inbound(1), opened(), *(MessageAppended(S, E, row) for row in rows))
    assert read_tail_of(db, S) == classify_tail(rows)
    db.close()


def transcript(kinds: list[str], lag: int) -> list[Message]:
    """Rows as sessions write them; answers cover all but the last `lag` of the user's messages, and never fewer."""
    rows: list[Message] = []
    users: list[Seq] = []
    covered = Seq(0)
    for number, kind in enumerate(kinds, start=1):
        covering = max(covered, users[-1 - lag] if len(users) > lag else Seq(0))
        row = {
            "user": message(number, Role.USER),
            "final": message(number, Role.ASSISTANT, finish="stop", answers_upto=covering),
            "partial": message(number, Role.ASSISTANT),
            "calls": message(number, Role.ASSISTANT, tool_calls=(ToolCall(f"c{number}", "t", "{}", ToolPolicy.PURE),)),
            "result": message(number, Role.TOOL, tool_key=f"c{number - 1}"),
            "question": message(number, Role.ASSISTANT, kind=MessageKind.QUESTION),
            "note": message(number, Role.SYSTEM, kind=MessageKind.RECOVERY_NOTE),
            "stopped": message(number, Role.SYSTEM, kind=MessageKind.STOPPED, answers_upto=covering),
            "failed": message(number, Role.SYSTEM, kind=MessageKind.FAILED, answers_upto=covering),
            "system": message(number, Role.SYSTEM),
        }[kind]
        if row.role is Role.USER:
            users.append(row.seq)
        covered = row.answers_upto or covered
        rows.append(row)
    return rows


@given(st.lists(st.builds(ToolCall, st.text(), st.text(), st.text(), st.sampled_from(ToolPolicy), st.text())))
def test_tool_calls_are_read_as_they_were_written(calls: list[ToolCall]) -> None:
    assert read_calls(write_calls(tuple(calls))) == tuple(calls)


def test_tool_calls_of_an_older_greenroom_are_read() -> None:
    assert read_calls('[["k", "look", "{}", "pure"]]') == (ToolCall("k", "look", "{}", ToolPolicy.PURE),)


@pytest.mark.parametrize("key", [KEY, replace(KEY, thread="7"), SessionKey("matrix", "bot", "!a:b.org", "50%")])
def test_keys_are_read_as_they_were_written(key: SessionKey) -> None:
    assert read_key(str(key)) == key
