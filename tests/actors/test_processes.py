"""What background processes do to their session, step by step."""

from typing import Any

import pytest
from tests.actors.session_stage import G1, G2, NOW, E, after, fresh, kinds, of, running, said

from greenroom.actors.acts import ShowText, StartRun
from greenroom.actors.events import (
    Answered,
    Arrived,
    Drained,
    Event,
    Matched,
    ProcessHeard,
    ProcessOver,
    RunEnded,
    SpawnPlanned,
    WatchDropped,
)
from greenroom.actors.facts import MessageAppended, RunOpened
from greenroom.actors.model import Epoch, InterruptReason, MessageKind, RunCause
from greenroom.actors.process import Match, Order, ProcessEnding, ProcessId, ProcessState, read_command
from greenroom.actors.process_facts import ProcessConsumed, ProcessPlanned
from greenroom.actors.session import Idle, Running, Session

P = ProcessId("1.1")
MADE = ProcessOver(P, ProcessEnding(ProcessState.ENDED, 0, "made it"))
READY = Matched(G1, E, P, Match("READY"))
DONE = RunEnded(G1, Answered("done"))


def spawned(*, notify: bool = True, patterns: tuple[str, ...] = ()) -> Session:
    order = Order(P, ("make",), notify, patterns, reply_to="m1")
    session, effects = after(running(), SpawnPlanned(G1, order))
    assert [fact.order for fact in of(ProcessPlanned, effects)] == [order]
    return session


def causes(session: Session, *events: Event) -> list[str]:
    """Why runs are opened while these things happen."""
    found: list[str] = []
    for event in events:
        session, effects = after(session, event)
        found += [str(fact.run.cause) for fact in of(RunOpened, effects)]
    return found


def test_an_end_that_was_asked_for_starts_one_run_and_is_a_row_of_its_own_kind() -> None:
    session, _ = after(spawned(), DONE)
    session, effects = after(session, MADE)
    assert [(fact.run.cause, fact.run.reply_to) for fact in of(RunOpened, effects)] == [(RunCause.PROCESS, "m1")]
    (row,) = [fact.message for fact in of(MessageAppended, effects)]
    assert (row.kind, row.role) == (MessageKind.PROCESS, "system")
    assert [words for words in ("1.1", "make", "exit code 0", "made it") if words not in row.text] == []
    assert of(ProcessConsumed, effects) == [ProcessConsumed(session.id, P)]
    (start,) = of(StartRun, effects)
    assert (start.new, start.news) == ((), (row,))
    assert causes(session, MADE, RunEnded(G2, Answered("fine")), MADE) == []


def test_an_end_during_its_own_run_is_a_receipt_now_and_a_run_later() -> None:
    session, effects = after(spawned(), MADE)
    assert "make, exit code 0" in of(ShowText, effects)[0].text
    assert causes(session, DONE) == ["process"]


def test_an_end_during_another_run_is_silent_and_comes_after_what_users_wrote() -> None:
    session, _ = after(spawned(), DONE, Arrived(said(2)))
    session, effects = after(session, MADE)
    assert kinds(effects) == []
    assert causes(session, Arrived(said(3)), RunEnded(G2, Answered("x"))) == ["inbound"]


@pytest.mark.parametrize("order", [(ProcessHeard(G1, P), MADE), (MADE, ProcessHeard(G1, P))])
def test_what_the_agent_looked_after_is_told_no_more_whichever_came_first(order: tuple[Event, ...]) -> None:
    _, effects = after(spawned(), ProcessHeard(G1, P))
    assert of(ProcessConsumed, effects) != []
    assert causes(spawned(), *order, DONE, MADE) == []


def test_an_end_that_nobody_asked_for_starts_nothing() -> None:
    assert causes(spawned(notify=False), MADE, DONE) == []
    assert causes(spawned(notify=False), DONE, MADE) == []


def test_a_match_is_heard_by_its_own_run_only_and_told_after_it() -> None:
    watched = spawned(notify=False, patterns=("READY",))
    assert causes(watched, READY, READY, DONE) == ["process"]
    late: dict[str, tuple[Any, ...]] = {
        "of the run that is over": (DONE, READY),
        "of an older generation": (DONE, Arrived(said(2)), READY, RunEnded(G2, Answered("x"))),
        "of another owner": (Matched(G1, Epoch(9), P, Match("READY")), DONE),
        "looked after": (READY, ProcessHeard(G1, P), DONE),
        "overtaken by its user": (READY, Arrived(said(2)), DONE, RunEnded(G2, Answered("x"))),
    }
    assert {why: "process" in causes(watched, *events) for why, events in late.items()} == dict.fromkeys(late, False)


def test_a_watch_that_was_given_up_tells_the_end_instead() -> None:
    watched = spawned(notify=False, patterns=("READY",))
    assert causes(watched, WatchDropped(P), DONE, MADE) == ["process"]
    assert causes(watched, ProcessHeard(G1, P), WatchDropped(P), DONE, MADE) == []


def test_nothing_is_begun_in_a_drain_and_nothing_in_a_session_that_is_set_aside() -> None:
    assert causes(spawned(), Drained(InterruptReason.SHUTDOWN_TIMEOUT), DONE, MADE) == []
    awaited = spawned().awaited
    assert causes(fresh(quarantined=True, awaited=awaited), MADE) == []
    assert causes(fresh(awaited=awaited), MADE) == ["process"]


def test_a_run_for_a_process_ends_like_any_other() -> None:
    session, _ = after(spawned(), DONE, MADE)
    assert isinstance(session.phase, Running)
    session, effects = after(session, RunEnded(G2, Answered("")))
    assert session.phase == Idle()
    rows = [fact.message for fact in of(MessageAppended, effects)]
    assert "nothing to say" in rows[0].text
    assert rows[0].at == NOW


@pytest.mark.parametrize("command", ["", [], ["make", 7], "a\0b"])
def test_a_command_that_is_none_is_refused(command: Any) -> None:
    with pytest.raises(ValueError, match="command must be a text for the shell"):
        read_command(command)
