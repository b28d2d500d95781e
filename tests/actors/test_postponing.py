"""An agent that cannot reach what it needs: the same work is tried again, and in the end the person is told."""

import pytest
from tests.actors.session_stage import CALL, G1, G2, NOW, after, kinds, of, phase_run, running, said

from greenroom.actors.acts import ArmRetry, ShowText, StartRun
from greenroom.actors.events import Answered, Arrived, Drained, IdleRang, PutOff, RetryRang, RunEnded, ToolReturned
from greenroom.actors.facts import MessageAppended, RunClosed, RunMarked
from greenroom.actors.model import Ending, InterruptReason, RunCause, SessionId
from greenroom.actors.ports import ProviderError, Turn
from greenroom.actors.postponing import retry_after_s
from greenroom.actors.rules import Rules
from greenroom.actors.session import Idle, Interrupted, Running
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

DOWN = RunEnded(G1, PutOff("overloaded", said="Well."))
REASON = InterruptReason.PROVIDER_ERROR


def test_the_run_is_left_open_and_marked_and_the_person_sees_why() -> None:
    session, effects = after(running(), DOWN)
    assert of(RunMarked, effects)[0].reason is REASON
    assert not of(RunClosed, effects)
    assert of(ShowText, effects)[0].text == (
        "Well.\n\n(The agent cannot go on just now: overloaded. It tries again in 2 s.)"
    )
    (retry,) = of(ArmRetry, effects)
    assert retry.generation == G1
    assert 2.0 <= retry.after_s < 2.5
    assert kinds(effects)[-2:] == ["ReportRun", "ArmIdle"]
    assert isinstance(session.phase, Interrupted)


def test_the_same_work_goes_on_when_the_timer_rings_and_is_not_blamed() -> None:
    session, effects = after(running(), DOWN, RetryRang(G1))
    run = phase_run(session)
    assert (run.generation, run.work, run.attempt, run.cause) == (G2, G1, 1, RunCause.PROVIDER_RETRY)
    assert "could not be reached" in str(of(StartRun, effects)[0].note)
    assert "Trying again." in of(ShowText, effects)[0].text


def test_the_users_next_message_does_not_wait_for_the_timer() -> None:
    session, effects = after(running(), DOWN, Arrived(said(2, "and now?")))
    assert [row.text for row in of(StartRun, effects)[0].new] == ["and now?"]
    late, effects = after(session, RetryRang(G1))
    assert (late, kinds(effects)) == (session, [])


def test_nothing_is_tried_again_in_a_drain_and_the_session_does_not_rest_before() -> None:
    waiting, _ = after(running(), DOWN)
    assert kinds(after(waiting, IdleRang())[1]) == []
    drained, _ = after(waiting, Drained(InterruptReason.SHUTDOWN_TIMEOUT))
    assert kinds(after(drained, RetryRang(G1))[1]) == []
    ended, effects = after(running(), Drained(InterruptReason.SHUTDOWN_TIMEOUT), DOWN)
    assert isinstance(ended.phase, Interrupted)
    assert not of(ArmRetry, effects)


def test_waiting_grows_and_ends_with_one_honest_line() -> None:
    session, effects = after(running())
    waits: list[float] = []
    for number in range(1, 100):
        generation = phase_run(session).generation
        session, effects = after(session, RunEnded(generation, PutOff("overloaded")))
        if isinstance(session.phase, Idle):
            break
        waits.append(of(ArmRetry, effects)[0].after_s)
        session, _ = after(session, RetryRang(generation))
        assert phase_run(session).generation == number + 1
    assert waits == sorted(waits)
    assert waits[0] < 2.5
    assert waits[8] > 50
    assert max(waits) < 150
    assert sum(waits) <= Rules().provider_max_s
    assert of(MessageAppended, effects)[0].message.text.startswith("(The agent could not go on after waiting ")
    assert of(RunClosed, effects)[0].ending is Ending.FAILED


def test_a_stored_result_begins_a_new_patience() -> None:
    session, _ = after(running(), DOWN, RetryRang(G1))
    assert isinstance(session.phase, Running)
    assert session.phase.waited_s > 2.0
    session, _ = after(session, ToolReturned(G2, CALL, "1", failed=False))
    assert isinstance(session.phase, Running)
    assert session.phase.waited_s == 0.0


@pytest.mark.parametrize(
    "waited_s, asked_s, after_s",
    [(0.0, None, 2.0), (0.0, 30.0, 30.0), (64.0, 1.0, 64.0), (500.0, None, 120.0), (890.0, None, None)],
)
def test_the_provider_is_believed_and_the_limit_is_kept(
    waited_s: float, asked_s: float | None, after_s: float | None
) -> None:
    assert retry_after_s(SessionId(0), waited_s, asked_s, Rules()) == after_s


def test_sessions_that_meet_one_outage_do_not_come_back_at_one_moment() -> None:
    waits = {retry_after_s(SessionId(number), 0.0, None, Rules()) for number in range(1, 100)}
    assert len(waits) == 99


@pytest.mark.parametrize("asked_s", [float("nan"), float("inf"), -5.0, 1e9])
def test_an_absurd_wish_of_the_provider_does_no_harm(asked_s: float) -> None:
    assert retry_after_s(SessionId(0), 0.0, asked_s, Rules()) in {2.0, None}


def test_a_restart_between_two_tries_goes_on_with_the_work_once() -> None:
    calls: list[float] = []

    async def agent(turn: Turn) -> str:
        calls.append(room.world.now)
        if len(calls) < 4:
            raise ProviderError("503")
        return f"attempt {turn.attempt}"

    with Scenario(agent, policy=Policy(unclean_boots_max=9)) as room:
        room.says("hello")
        room.advance(3)
        room.restart()
        room.rest()
        assert room.visible() == ["attempt 1"]
        assert len(calls) == 4
        assert [run.ending for run in room.runs()].count("answered") == 1


def test_no_patience_means_that_the_person_is_told_at_once() -> None:
    async def agent(_: Turn) -> str:
        raise ProviderError("503", retry_after_s=60)

    with Scenario(agent, policy=Policy(provider_max_s=0.0)) as room:
        room.says("hello")
        room.rest()
        assert room.visible() == ["(The agent could not go on: 503. Your message is kept; write again to try anew.)"]


def test_an_answer_after_an_outage_is_an_answer() -> None:
    session, effects = after(running(), DOWN, RetryRang(G1), RunEnded(G2, Answered("There.")), now=NOW)
    assert isinstance(session.phase, Idle)
    assert of(RunClosed, effects)[0].ending is Ending.ANSWERED
