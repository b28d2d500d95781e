from collections.abc import Iterator
from typing import get_args

import apsw
import pytest
from msgspec.structs import replace
from tests.storage.test_pairings import PAIRING_LIFE

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
from greenroom.actors.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Ending,
    Epoch,
    FreshCause,
    Generation,
    Inbound,
    InboxId,
    InterruptReason,
    Lapse,
    Message,
    OpenRun,
    Question,
    Receipt,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Spent,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.process import Leader, Order, ProcessEnding, ProcessId, ProcessState
from greenroom.actors.process_facts import (
    ProcessBegan,
    ProcessConsumed,
    ProcessEnded,
    ProcessesDismissed,
    ProcessPlanned,
    WatchGivenUp,
)
from greenroom.storage.boots import take_ownership
from greenroom.storage.migrate import migrate
from greenroom.storage.reading import read_snapshot
from greenroom.storage.rows import Contradiction
from greenroom.storage.statements import STATEMENTS, write_fact

KEY = SessionKey("web", "bot", "1")
S, E, G, W = SessionId(1), Epoch(1), Generation(1), Generation(1)
INBOUND = InboundStored(Inbound(KEY, "u1", "hello", author="Ann", sent_at=1.0, reply_to="p1"), 2.0)
RUN = OpenRun(G, E, W, RunCause.INBOUND, 1, 3.0, 3.0, reply_to="p1")
TAIL = Tail(TailKind.USER, 2.0, Seq(1), Seq(1), Seq(0))
SAID = Message(Seq(1), G, "user.1", Role.USER, "hello", 2.0)
CALL = ToolCall("1.1.tool.x.0", "clock", "{}", ToolPolicy.ONCE)
QUESTION = Question("1.1.question.0", "which?", ("a", "b"))
LOST = Question("q2", "and?", timeout_s=0.1, delivery="d2")
DELIVERY = Delivery("1.1.answer", S, KEY, DeliveryKind.ANSWER, None, DeliveryState.OPEN, created_at=3.0)
LETTER = Delivery("command.9", S, KEY, DeliveryKind.LINE, "Done.", DeliveryState.PENDING, created_at=9.0)
ORDER = Order(ProcessId("1.1"), ("make", "it"), patterns=("READY",))
PROCESS_END = ProcessEnding(ProcessState.ENDED, 0, "made")

# A life in which every fact occurs once, in an order in which they can.
LIFE: tuple[Fact, ...] = (
    *PAIRING_LIFE,
    InboundRefused(SessionKey("web", "bot", "stranger"), 1.0),
    INBOUND,
    RunOpened(S, RUN, TAIL),
    InboundTaken(S, InboxId(1), G, Seq(1)),
    MessageAppended(S, E, SAID),
    DeliveryOpened(E, G, DELIVERY),
    RunProgressed(S, G, 4.0, replace(TAIL, at=4.0), 2),
    ToolStarted(S, E, G, W, CALL, 5.0),
    DoubtTold(S, CALL.key, 5.5),
    ToolEnded(S, G, CALL.key, '"12:00"', failed=False, at=6.0),
    QuestionAsked(S, E, G, W, QUESTION, 7.0),
    QuestionAnswered(S, QUESTION.key, "a", 8.0),
    QuestionAsked(S, E, G, W, LOST, 8.1),
    QuestionLapsed(S, LOST.key, Lapse.TIMED_OUT, 8.2),
    InboundStored(replace(INBOUND.inbound, update_id="pressed", answers="d1"), 8.3),
    InboundSettled(S, InboxId(2), G),
    ProcessPlanned(S, E, G, ORDER, 8.5),
    ProcessBegan(S, ORDER.id, Leader(42, "7", "m")),
    WatchGivenUp(S, ORDER.id),
    ProcessesDismissed(S),
    ProcessEnded(S, ORDER.id, PROCESS_END, 8.9),
    ProcessConsumed(S, ORDER.id),
    RunSpent(S, G, Spent(model_calls=2, tokens=900, cost=0.5)),
    RunMarked(S, G, InterruptReason.SHUTDOWN_TIMEOUT),
    DeliveryFilled(DELIVERY.key, "it is noon", 10.0, DeliveryKind.ANSWER),
    DeliveryMoved(replace(DELIVERY, state=DeliveryState.DELIVERED, message_ids=("m1",), attempts=1), 11.0),
    DeliveryOpened(E, G, LETTER),
    DeliveryMoved(replace(LETTER, state=DeliveryState.DEAD), 11.1, "the chat is gone"),
    DeliveryRevived(LETTER, 11.2),
    DeliveryDropped(LETTER, 11.3),
    RunClosed(S, G, Ending.ANSWERED, 10.0),
    DecisionStored(S, E, G, "ANSWERED", "skip", "{}", 12.0),
    SuspensionLifted(S),
    SessionSuspended(S, 13.0),
    SessionQuarantined(S, "loops", 14.0),
    RestartsCounted(S, "{}"),
    SessionReleased(S, 15.0),
    SessionSucceeded(S, FreshCause.IDLE, 16.0),
    RowsForgotten("decisions", (9,)),
    SessionsForgotten(KEY, (SessionId(9),), 17.0),
)
ONCE_MORE_COUNTS = (InboundRefused,)  # A counter has no key: only the stamp of its group protects it.


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA foreign_keys = 1; PRAGMA recursive_triggers = 1")
    migrate(connection)
    take_ownership(connection, uid_if_new="0badcafe", at=0.0, pid=1, version="0")
    yield connection
    connection.close()


def live_until(db: apsw.Connection, last: type[Fact] | Fact) -> None:
    for fact in LIFE:
        write_fact(db, fact)
        if last in (type(fact), fact):
            return


def rows(db: apsw.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = [
        str(name)
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND type = 'table'")
    ]
    return {table: db.execute(f'SELECT * FROM "{table}" ORDER BY rowid').fetchall() for table in tables}


def one(db: apsw.Connection, sql: str) -> object:
    return db.execute(sql).get


def test_every_fact_has_its_statement_and_its_place_in_the_life() -> None:
    assert set(STATEMENTS) == set(get_args(Fact))
    assert [type(fact) for fact in LIFE] != []
    assert {type(fact) for fact in LIFE} == set(get_args(Fact))


@pytest.mark.parametrize(
    "fact", [fact for fact in LIFE if type(fact) not in ONCE_MORE_COUNTS], ids=lambda f: type(f).__name__
)
def test_a_fact_written_again_changes_nothing(db: apsw.Connection, fact: Fact) -> None:
    live_until(db, fact)
    before = rows(db)
    write_fact(db, fact)
    assert rows(db) == before


def test_a_whole_life_leaves_exactly_these_rows(db: apsw.Connection) -> None:
    for fact in LIFE:
        write_fact(db, fact)
    counts = {table: len(found) for table, found in rows(db).items()}
    one_each = ("boots", "ownership", "routes", "messages", "runs", "tool_calls", "meta", "processes")
    rest = {"dead_letters": 0, "pairings": 0, "sessions": 2, "questions": 2, "inbox": 2, "deliveries": 2}
    assert counts == dict.fromkeys((*one_each, "decisions", "refusals"), 1) | rest
    assert one(db, "SELECT generation FROM sessions LIMIT 1") == 1


def test_a_new_chat_gets_a_session_and_a_route_and_the_next_message_finds_them(db: apsw.Connection) -> None:
    assert write_fact(db, INBOUND) == Receipt(InboxId(1), S, KEY)
    second = replace(INBOUND, inbound=replace(INBOUND.inbound, update_id="u2"))
    assert write_fact(db, second) == Receipt(InboxId(2), S, KEY)
    assert one(db, "SELECT count(*) FROM sessions") == 1


def test_a_redelivered_inbound_gets_the_first_receipt(db: apsw.Connection) -> None:
    first = write_fact(db, INBOUND)
    assert isinstance(first, Receipt)
    assert write_fact(db, replace(INBOUND, at=99.0)) == replace(first, repeated=True)


def test_a_refused_chat_is_only_counted(db: apsw.Connection) -> None:
    for at in (1.0, 2.0):
        write_fact(db, InboundRefused(KEY, at))
    assert db.execute("SELECT * FROM refusals").fetchall() == [("web", "bot", 2, 2.0)]
    assert one(db, "SELECT count(*) FROM sessions") == 0


CONTRADICTIONS: dict[str, Fact] = {
    "another text under the same update": replace(INBOUND, inbound=replace(INBOUND.inbound, text="other")),
    "another chat under the same update": replace(
        INBOUND, inbound=replace(INBOUND.inbound, key=replace(KEY, chat="2"))
    ),
    "an inbound that another run took": InboundTaken(S, InboxId(1), Generation(2), Seq(2)),
    "an inbound that does not exist": InboundTaken(S, InboxId(7), G, Seq(1)),
    "a run that was opened otherwise": RunOpened(S, replace(RUN, work=Generation(7)), TAIL),
    "another message under the same key": MessageAppended(S, E, replace(SAID, text="other")),
    "another message in the same place": MessageAppended(S, E, replace(SAID, key="user.2")),
    "a tool call with other arguments": ToolStarted(S, E, G, W, replace(CALL, args='{"a":1}'), 5.0),
    "the result of a call never started": ToolEnded(S, G, "nothing", "1", failed=False, at=6.0),
    "the doubt about a call never started": DoubtTold(S, "nothing", 6.0),
    "a question in other words": QuestionAsked(S, E, G, W, replace(QUESTION, prompt="who?"), 7.0),
    "another answer to a question": QuestionAnswered(S, QUESTION.key, "b", 8.0),
    "an answer after the time-out": QuestionAnswered(S, LOST.key, "a", 9.0),
    "the time-out of an answered question": QuestionLapsed(S, QUESTION.key, Lapse.TIMED_OUT, 9.0),
    "another end of a question": QuestionLapsed(S, LOST.key, Lapse.UNDELIVERED, 9.0),
    "a press that was handed to a run": InboundSettled(S, InboxId(1), G),
    "a press that was never stored": InboundSettled(S, InboxId(99), G),
    "the end of a question never asked": QuestionLapsed(S, "nothing", Lapse.TIMED_OUT, 9.0),
    "the answer to a question never asked": QuestionAnswered(S, "nothing", "a", 8.0),
    "a delivery's key for something else": DeliveryOpened(E, G, replace(DELIVERY, kind=DeliveryKind.LINE)),
    "another text in a delivery": DeliveryFilled(DELIVERY.key, "other", 10.0, DeliveryKind.ANSWER),
    "a text for no delivery": DeliveryFilled("nothing", "it is noon", 10.0, DeliveryKind.ANSWER),
    "a process of another command": ProcessPlanned(S, E, G, replace(ORDER, command=("other",)), 8.5),
    "a move of no delivery": DeliveryMoved(replace(DELIVERY, key="nothing"), 11.0),
}


@pytest.mark.parametrize("fact", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_key_repeated_with_another_meaning_is_a_contradiction(db: apsw.Connection, fact: Fact) -> None:
    for lived in LIFE:
        write_fact(db, lived)
    before = rows(db)
    with pytest.raises(Contradiction):
        write_fact(db, fact)
    del before["sessions"], before["routes"]  # The caller's savepoint takes a new chat back.
    assert {table: found for table, found in rows(db).items() if table in before} == before


STALE: dict[str, Fact] = {
    "a run of an older epoch": RunOpened(S, replace(RUN, epoch=Epoch(0)), TAIL),
    "a run that is not the next": RunOpened(S, replace(RUN, generation=Generation(5)), TAIL),
    "a run of the past": RunOpened(S, replace(RUN, generation=Generation(0)), TAIL),
    "a message of an older epoch": MessageAppended(S, Epoch(0), replace(SAID, seq=Seq(2), key="k")),
    "a message of another run": MessageAppended(S, E, replace(SAID, seq=Seq(2), key="k", generation=Generation(2))),
    "a tool call of an older epoch": ToolStarted(S, Epoch(0), G, W, replace(CALL, key="k"), 5.0),
    "a question of an older epoch": QuestionAsked(S, Epoch(0), G, W, replace(QUESTION, key="k"), 7.0),
    "a delivery of an older epoch": DeliveryOpened(Epoch(0), G, replace(DELIVERY, key="k")),
    "a process of an older epoch": ProcessPlanned(S, Epoch(0), G, replace(ORDER, id=ProcessId("1.2")), 8.5),
    "a process of another run": ProcessPlanned(S, E, Generation(2), replace(ORDER, id=ProcessId("2.1")), 8.5),
    "a decision of an older epoch": DecisionStored(S, Epoch(0), G, "STALE", "skip", "{}", 12.0),
    "a decision about an older run": DecisionStored(S, E, Generation(0), "STALE", "skip", "{}", 12.0),
}


@pytest.mark.parametrize("fact", STALE.values(), ids=STALE.keys())
def test_a_writer_of_the_past_is_refused(db: apsw.Connection, fact: Fact) -> None:
    for lived in LIFE:
        write_fact(db, lived)
    with pytest.raises(apsw.ConstraintError, match="stale writer"):
        write_fact(db, fact)


def test_a_new_run_supersedes_the_one_left_open(db: apsw.Connection) -> None:
    live_until(db, RunOpened)
    write_fact(db, RunOpened(S, replace(RUN, generation=Generation(2), opened_at=20.0), TAIL))
    assert db.execute("SELECT generation, open, ending, closed_at FROM runs ORDER BY generation").fetchall() == [
        (1, 0, "superseded", 20.0),
        (2, 1, None, None),
    ]


LATE: dict[str, Fact] = {
    "progress": RunProgressed(S, G, 99.0, TAIL, 9),
    "mark": RunMarked(S, G, InterruptReason.ACTOR_CRASHED),
    "close": RunClosed(S, G, Ending.FAILED, 99.0),
    "spend": RunSpent(S, G, Spent(model_calls=99)),
}


@pytest.mark.parametrize("fact", LATE.values(), ids=LATE.keys())
def test_what_comes_after_a_run_is_closed_does_not_touch_it(db: apsw.Connection, fact: Fact) -> None:
    live_until(db, RunClosed)
    before = rows(db)
    write_fact(db, fact)
    assert rows(db) == before


def test_progress_keeps_the_tail_with_the_open_run(db: apsw.Connection) -> None:
    live_until(db, RunProgressed)
    found = db.execute("SELECT last_progress_at, attempt, tail_kind, tail_at, user_seq FROM runs").fetchall()
    assert found == [(4.0, 2, "USER", 4.0, 1)]


def test_a_tool_started_again_by_a_later_attempt_is_counted_and_a_stored_result_stands(db: apsw.Connection) -> None:
    live_until(db, ToolStarted)
    write_fact(db, ToolStarted(S, E, G, W, CALL, 50.0))
    assert one(db, "SELECT attempts FROM tool_calls") == 2
    write_fact(db, ToolEnded(S, G, CALL.key, "first", failed=False, at=51.0))
    write_fact(db, ToolEnded(S, G, CALL.key, "second", failed=True, at=52.0))
    write_fact(db, ToolStarted(S, E, G, W, CALL, 53.0))
    assert db.execute("SELECT result, failed, attempts FROM tool_calls").fetchall() == [("first", 0, 2)]


def test_a_filled_delivery_waits_to_be_sent(db: apsw.Connection) -> None:
    live_until(db, DeliveryFilled)
    assert db.execute("SELECT state, text, filled_at FROM deliveries").fetchall() == [("pending", "it is noon", 10.0)]


def test_an_anchor_posted_while_the_text_arrived_does_not_unfill_the_delivery(db: apsw.Connection) -> None:
    live_until(db, DeliveryFilled)
    write_fact(db, DeliveryMoved(replace(DELIVERY, message_ids=("m1",)), 11.0))
    found = db.execute("SELECT state, text, message_ids FROM deliveries").fetchall()
    assert found == [("pending", "it is noon", '["m1"]')]


def test_what_is_delivered_stays_delivered(db: apsw.Connection) -> None:
    live_until(db, DeliveryMoved)
    write_fact(db, DeliveryMoved(replace(DELIVERY, state=DeliveryState.RETRY), 99.0, "late"))
    assert db.execute("SELECT state, error, delivered_at FROM deliveries").fetchall() == [("delivered", None, 11.0)]


def test_setting_a_session_aside_and_giving_it_back(db: apsw.Connection) -> None:
    live_until(db, SessionQuarantined)
    write_fact(db, SessionQuarantined(S, "again", 99.0))
    found = db.execute("SELECT suspended_at, quarantined_at, quarantine_reason FROM sessions").fetchall()
    assert found == [(13.0, 14.0, "loops")]
    write_fact(db, SessionReleased(S, 15.0))
    found = db.execute("SELECT suspended_at, quarantined_at, quarantine_reason FROM sessions").fetchall()
    assert found == [(None, None, None)]


def test_an_inbound_of_an_owner_whose_epoch_is_over_is_refused(db: apsw.Connection) -> None:
    said = Inbound(SessionKey("web", "bot", "1"), "late", "hello")
    write_fact(db, InboundStored(said, 1.0, epoch=Epoch(1)))
    take_ownership(db, uid_if_new="", at=2.0, pid=2, version="0")
    with pytest.raises(apsw.ConstraintError, match="stale writer: inbound"):
        write_fact(db, InboundStored(replace(said, update_id="later"), 3.0, epoch=Epoch(1)))


def test_a_successor_gets_the_route_and_what_waits_and_the_old_session_stays_as_it_is(db: apsw.Connection) -> None:
    live_until(db, SessionReleased)
    write_fact(db, replace(INBOUND, inbound=replace(INBOUND.inbound, update_id="u2")))
    assert write_fact(db, SessionSucceeded(S, FreshCause.IDLE, 16.0)) == Receipt(InboxId(0), SessionId(2), KEY)
    assert db.execute("SELECT id, session_id FROM inbox").fetchall() == [(1, S), (2, S), (3, 2)]
    assert db.execute("SELECT * FROM routes").fetchall() == [(str(KEY), 2)]
    new, old = read_snapshot(db, SessionId(2)), read_snapshot(db, S)
    assert new is not None
    assert old is not None
    assert [each.id for each in new.waiting] == [3]
    assert (new.because, new.tail, new.active_at) == (FreshCause.IDLE, Tail(), None)
    assert (old.because, old.waiting, old.tail.seq, old.active_at) == (None, (), 1, 4.0)
    third = replace(INBOUND, inbound=replace(INBOUND.inbound, update_id="u3"))
    assert write_fact(db, third) == Receipt(InboxId(4), SessionId(2), KEY)


def test_a_session_with_an_open_run_or_without_its_route_is_not_succeeded(db: apsw.Connection) -> None:
    live_until(db, RunOpened)
    with pytest.raises(Contradiction, match="a run is open"):
        write_fact(db, SessionSucceeded(S, FreshCause.ASKED, 16.0))
    write_fact(db, RunClosed(S, G, Ending.ANSWERED, 5.0))
    db.execute("DELETE FROM routes")
    with pytest.raises(Contradiction, match="leads elsewhere"):
        write_fact(db, SessionSucceeded(S, FreshCause.ASKED, 16.0))


def test_a_call_of_which_nobody_knows_leaves_its_session_in_doubt(db: apsw.Connection) -> None:
    live_until(db, ToolStarted)
    doubtful = read_snapshot(db, S)
    write_fact(db, DoubtTold(S, CALL.key, 5.5))
    told = read_snapshot(db, S)
    assert doubtful is not None
    assert told is not None
    assert (doubtful.in_doubt, told.in_doubt) == (True, False)
