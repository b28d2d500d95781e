"""What is open: the question of a boot, answered from the kept ends of transcripts."""

from collections.abc import Iterator

import apsw
import pytest
from msgspec.structs import replace
from tests.storage.test_reading import KEY, E, G, S, delivery, fresh, inbound, message, opened, write

from greenroom.actors.facts import (
    DeliveryOpened,
    InboundTaken,
    MessageAppended,
    QuestionAsked,
    RunClosed,
    RunProgressed,
    SessionQuarantined,
    SessionSucceeded,
)
from greenroom.actors.keys import answer_key
from greenroom.actors.model import (
    Ending,
    Epoch,
    FreshCause,
    Generation,
    InboxId,
    Question,
    Role,
    Seq,
    SessionId,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.process import Leftover, Order, ProcessEnding, ProcessId, ProcessState
from greenroom.actors.process_facts import ProcessEnded, ProcessesDismissed, ProcessPlanned
from greenroom.actors.store import (
    Unfinished,
    UnfinishedOf,
    UnwantedOf,
)
from greenroom.storage.boots import BootEnding, end_boot, read_boots, take_ownership
from greenroom.storage.processes import read_processes, read_untold
from greenroom.storage.reading import read_answer, read_snapshot


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    connection = fresh()
    yield connection
    connection.close()


def test_what_is_unfinished_is_read_with_its_run_most_recent_first(db: apsw.Connection) -> None:
    write(db, inbound(1, "1"), inbound(1, "2", at=50.0), inbound(1, "3"))
    write(db, opened(1, at=10.0), opened(3, at=20.0), SessionQuarantined(SessionId(3), "loops", 1.0))
    write(db, RunProgressed(S, G, 60.0, Tail(TailKind.PARTIAL, 60.0, Seq(2), Seq(1)), 3))
    found = read_answer(db, UnfinishedOf())
    assert isinstance(found, tuple)
    assert [each.session_id for each in found if isinstance(each, Unfinished)] == [1, 2, 3]
    first, second, third = found
    assert first == Unfinished(
        session_id=S,
        key=KEY,
        generation=G,
        run=replace(opened(1, at=10.0).run, last_progress_at=60.0, attempt=3),
        tail=Tail(TailKind.PARTIAL, 60.0, Seq(2), Seq(1)),
        waiting=1,
        routed=True,
    )
    assert isinstance(second, Unfinished)
    assert (second.run, second.waiting, second.tail) == (None, 1, Tail())
    assert isinstance(third, Unfinished)
    assert third.quarantined


def test_processes_of_a_conversation_that_was_left_weigh_on_no_boot(db: apsw.Connection) -> None:
    """The index by which a boot finds ends that nobody was told of holds those alone that will be told."""
    ended, lasting = ProcessId("1.1"), ProcessId("1.2")
    write(db, inbound(1), opened())
    write(db, *(ProcessPlanned(S, E, G, Order(each, ("make",), notify=True), 3.0) for each in (ended, lasting)))
    write(db, ProcessEnded(S, ended, ProcessEnding(ProcessState.ENDED, 0, ""), 4.0))
    write(db, RunClosed(S, G, Ending.ANSWERED, 5.0))
    assert read_untold(db, None) == {S: 1}
    write(db, ProcessesDismissed(S), SessionSucceeded(S, FreshCause.ASKED, 6.0))
    assert read_answer(db, UnwantedOf(S)) == (Leftover(S, lasting, None),)
    write(db, ProcessEnded(S, lasting, ProcessEnding(ProcessState.ENDED, 0, ""), 7.0))
    assert read_untold(db, None) == {}
    assert read_answer(db, UnwantedOf(S)) == ()
    held = "FROM processes WHERE unwanted = 0 AND (state IN ('starting', 'running') OR (consumed = 0 AND notify = 1))"
    assert db.execute(f"SELECT count(*) {held}").get == 0
    assert [each.state for each in read_processes(db, S, 9)] == [ProcessState.ENDED] * 2


def damage(db: apsw.Connection, sql: str) -> None:
    """Write what no version of ours writes."""
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute(sql)


def test_a_run_that_cannot_be_read_costs_no_other_session_its_decision(
    db: apsw.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    write(db, *(inbound(1, chat) for chat in "1234"), opened(1), opened(2))
    damage(db, "UPDATE runs SET cause = 'moon_phase' WHERE session_id = 1")
    damage(db, "UPDATE sessions SET key = 'a:b:c:d:e:f%' WHERE id = 3")
    found = read_answer(db, UnfinishedOf())
    assert isinstance(found, tuple)
    assert [each.session_id for each in found if isinstance(each, Unfinished)] == [2, 4]
    assert {record.message.partition(":")[0] for record in caplog.records} == {
        "session 1 is left alone",
        "session 3 is left alone",
    }


def test_where_the_kept_end_means_nothing_the_transcript_tells(db: apsw.Connection) -> None:
    write(db, inbound(1), opened(1), MessageAppended(S, E, message(1, Role.USER)))
    damage(db, "UPDATE runs SET tail_kind = 'DREAMING'")
    found = read_answer(db, UnfinishedOf())
    assert isinstance(found, tuple)
    assert [each.tail.kind for each in found if isinstance(each, Unfinished)] == [TailKind.USER]


@pytest.mark.parametrize("true", [True, False])
def test_on_waking_the_kept_end_is_compared_with_the_transcript_which_wins(
    db: apsw.Connection, caplog: pytest.LogCaptureFixture, *, true: bool
) -> None:
    call = ToolCall("1.t0", "look", "{}", ToolPolicy.PURE)
    rows = (message(1, Role.USER), message(2, Role.ASSISTANT, tool_calls=(call,), finish="tool_calls"))
    write(db, inbound(1), opened(1), *(MessageAppended(S, E, row) for row in rows))
    write(db, RunProgressed(S, G, 2.0, Tail(TailKind.TOOL_CALLS, 2.0, Seq(2), Seq(1 if true else 0)), 1))
    snapshot = read_snapshot(db, S)
    assert snapshot is not None
    assert snapshot.tail == Tail(TailKind.TOOL_CALLS, 2.0, Seq(2), Seq(1), open_calls=frozenset({"1.t0"}))
    assert bool(caplog.records) is not true


def test_every_way_in_which_a_transcript_ends_can_be_kept_and_no_other(db: apsw.Connection) -> None:
    write(db, inbound(1), opened(1))
    for kind in TailKind:
        write(db, RunProgressed(S, G, 60.0, Tail(kind, 60.0, Seq(2), Seq(1)), 3))
    with pytest.raises(apsw.ConstraintError, match="CHECK"):
        db.execute("UPDATE runs SET tail_kind = 'DREAMING'")


def test_what_is_finished_is_not_unfinished(db: apsw.Connection) -> None:
    write(db, inbound(1), opened(), InboundTaken(S, InboxId(1), G, Seq(1)), RunClosed(S, G, Ending.ANSWERED, 3.0))
    assert read_answer(db, UnfinishedOf()) == ()
    assert read_answer(db, UnfinishedOf(S)) == ()


def test_the_unfinished_of_one_session_is_only_its_own(db: apsw.Connection) -> None:
    write(db, inbound(1, "1"), inbound(1, "2"), opened(1))
    for session in (1, 2):
        found = read_answer(db, UnfinishedOf(SessionId(session)))
        assert isinstance(found, tuple)
        assert [each.session_id for each in found if isinstance(each, Unfinished)] == [session]


@pytest.mark.parametrize("questions", [0, 1, 12])
def test_the_anchor_of_unfinished_work_is_found_by_the_same_key_that_its_session_gives(
    db: apsw.Connection, questions: int
) -> None:
    write(db, inbound(1), opened(1, 1), opened(1, 2, work=1))
    for number in range(questions):
        write(db, QuestionAsked(S, E, Generation(2), G, Question(f"q{number}", "which?"), 3.0))
    for segment, expected in ((questions + 1, False), (questions, True)):
        write(db, DeliveryOpened(E, Generation(2), delivery(answer_key(S, G, segment))))
        found = read_answer(db, UnfinishedOf())
        snapshot = read_snapshot(db, S)
        assert isinstance(found, tuple)
        assert snapshot is not None
        (unfinished,) = found
        assert isinstance(unfinished, Unfinished)
        assert (unfinished.segment, unfinished.anchored) == (questions, expected)
        assert (snapshot.segment, snapshot.anchored) == (questions, expected)


@pytest.mark.parametrize(
    "fallen,expected",
    [
        ((), False),
        ((None,), False),
        ((E,), True),
        ((E, Epoch(E + 1)), True),
        ((E, None), False),
        ((None, E + 1), False),
    ],
)
def test_whether_only_the_house_fell_around_an_open_run_comes_with_it(
    db: apsw.Connection, fallen: tuple[Epoch | None, ...], expected: bool
) -> None:
    """`fallen` names for each boot after the run's own what fell just before it in the same process."""
    write(db, inbound(1), opened())
    for fell in fallen:
        take_ownership(db, uid_if_new="", at=10.0, pid=2, version="0", fell=fell)
    found = read_answer(db, UnfinishedOf())
    assert isinstance(found, tuple)
    assert [each.fell for each in found if isinstance(each, Unfinished)] == [expected]


def test_a_boot_that_says_how_it_ended_is_not_judged_by_the_next(db: apsw.Connection) -> None:
    end_boot(db, E, at=9.0, reason="the disk is damaged", ending=BootEnding.UNCLEAN)
    take_ownership(db, uid_if_new="", at=10.0, pid=2, version="0", fell=E)
    assert [(boot.ending, boot.reason) for boot in read_boots(db)] == [
        (None, None),
        (BootEnding.UNCLEAN, "the disk is damaged"),
    ]


def test_a_chat_that_was_led_elsewhere_has_no_route_back(db: apsw.Connection) -> None:
    write(db, inbound(1, "1"), inbound(1, "2"), opened(1))
    db.execute("UPDATE routes SET session_id = 2 WHERE key = 'web:bot:1'")
    found = read_answer(db, UnfinishedOf(S))
    assert isinstance(found, tuple)
    assert [each.routed for each in found if isinstance(each, Unfinished)] == [False]


def test_an_attempt_that_ended_by_itself_is_kept_with_the_run(db: apsw.Connection) -> None:
    write(db, inbound(1), opened())
    db.execute("UPDATE runs SET ending = 'empty'")
    snapshot = read_snapshot(db, S)
    assert snapshot is not None
    assert snapshot.run is not None
    assert snapshot.run.ending is Ending.EMPTY


def test_a_chat_that_began_anew_thousands_of_times_is_read_from_its_first_session(db: apsw.Connection) -> None:
    write(db, inbound(1))
    with db:
        for _ in range(2_000):
            db.execute(
                "INSERT INTO sessions (key, created_at, epoch, predecessor, because)"
                " SELECT key, created_at, epoch, max(id), 'asked' FROM sessions"
            )
        db.execute("UPDATE inbox SET session_id = (SELECT max(id) FROM sessions)")
    found = read_answer(db, UnfinishedOf(S))
    assert isinstance(found, tuple)
    assert [(each.session_id, each.waiting) for each in found if isinstance(each, Unfinished)] == [(2_001, 1)]
