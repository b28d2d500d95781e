"""What work may spend: the agent is told when a budget is used up, and ended when it goes on; the session works on."""

import asyncio
from contextlib import suppress

import pytest
from tests.actors.session_stage import CALL, G1, G2, after, kinds, of, running, said

from greenroom.actors.acts import CancelRun, Confirm, Deliver
from greenroom.actors.budgets import Excess
from greenroom.actors.events import (
    Answered,
    Arrived,
    PutOff,
    RetryRang,
    RunEnded,
    SpendingReported,
    ToolCalled,
    ToolWithheld,
)
from greenroom.actors.facts import RunClosed, RunSpent, ToolStarted
from greenroom.actors.model import Budget, Ending, FailCause, Spent
from greenroom.actors.ports import BudgetExceededError, Turn
from greenroom.actors.rules import Rules
from greenroom.actors.session import Idle, Running
from greenroom.supervisor.policy import InvalidPolicyError
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

REPEATED = ToolCalled(G1, CALL, nth=20)


def spent(number: int = 1, **what: float) -> SpendingReported:
    return SpendingReported(G1, f"spending.{number}", Spent(**what))  # type: ignore[arg-type]


def test_a_call_that_is_one_too_many_is_not_made_and_the_agent_hears_why() -> None:
    for event in (REPEATED, ToolWithheld(G1, CALL, ("key",), nth=20)):
        session, effects = after(running(), event)
        assert effects.facts == ()
        assert effects.acts == (Confirm(G1, CALL.key, Excess(Budget.REPEATS, 20)),)
        assert isinstance(session.phase, Running)


def test_an_agent_that_goes_on_all_the_same_is_ended_and_what_waits_comes_next() -> None:
    session, effects = after(running(), REPEATED, REPEATED)
    assert isinstance(session.phase, Idle)
    (closed,) = of(RunClosed, effects)
    assert (closed.ending, closed.failed_by) == (Ending.FAILED, Budget.REPEATS)
    assert "made the same call 20 times" in str(of(Deliver, effects)[0].delivery.text)
    assert of(CancelRun, effects)
    session, effects = after(running(), Arrived(said(2)), REPEATED, REPEATED)
    assert "StartRun" in kinds(effects)
    assert not session.told_excess


def test_an_agent_that_heeds_it_may_conclude() -> None:
    _, effects = after(running(), REPEATED, RunEnded(G1, Answered("what I have")))
    assert of(RunClosed, effects)[0].ending is Ending.ANSWERED


def test_calls_are_counted_over_all_attempts_at_the_work_and_anew_for_the_next() -> None:
    rules = Rules(tool_calls_max=2)
    once, _ = after(running(), ToolCalled(G1, CALL), rules=rules)
    again, _ = after(once, RunEnded(G1, PutOff("down")), RetryRang(G1), rules=rules)
    twice, effects = after(again, ToolCalled(G2, CALL), rules=rules)
    assert of(ToolStarted, effects)
    assert after(twice, ToolCalled(G2, CALL), rules=rules)[1].facts == ()
    new, _ = after(twice, RunEnded(G2, Answered("done")), Arrived(said(2)), rules=rules)
    assert new.spent == Spent()


def test_what_is_reported_is_on_disk_before_the_agent_goes_on() -> None:
    session, effects = after(running(), spent(model_calls=1, tokens=900, cost=0.5), spent(2, model_calls=1, cost=0.25))
    assert of(RunSpent, effects) == [of(RunSpent, effects)[0]]
    assert of(RunSpent, effects)[0].spent == Spent(model_calls=2, tokens=900, cost=0.75) == session.spent
    assert Confirm(G1, "spending.2") in effects.acts


@pytest.mark.parametrize(
    "rules, report, budget",
    [
        (Rules(model_calls_max=1), spent(model_calls=2), Budget.MODEL_CALLS),
        (Rules(cost_max=1.0), spent(cost=1.5), Budget.COST),
    ],
)
def test_what_was_spent_is_kept_also_when_it_is_too_much(
    rules: Rules, report: SpendingReported, budget: Budget
) -> None:
    session, effects = after(running(), report, rules=rules)
    assert of(RunSpent, effects)
    assert of(Confirm, effects)[0].answer.budget is budget
    assert of(RunClosed, after(session, report, rules=rules)[1])[0].failed_by is budget


def test_no_limit_is_no_limit() -> None:
    rules = Rules(tool_calls_max=0, repeats_max=0)
    session, effects = after(
        running(), ToolCalled(G1, CALL, nth=10_000), spent(model_calls=9_999, cost=1e9), rules=rules
    )
    assert not session.told_excess
    assert of(RunSpent, effects)


async def circling(turn: Turn) -> str:
    """Look at the same thing for ever."""
    while True:
        await asyncio.sleep(0.1)
        await turn.tool("look", {}, policy="pure", fn=lambda: 1)


async def deaf(turn: Turn) -> str:
    """The same, and heed nothing."""
    while True:
        await asyncio.sleep(0.1)
        with suppress(BudgetExceededError):
            await turn.tool("look", {}, policy="pure", fn=lambda: 1)


@pytest.mark.parametrize("agent", [circling, deaf])
def test_s127_a_loop_ends_with_one_honest_line_a_reason_and_a_session_that_works_on(agent: object) -> None:
    with Scenario(agent, policy=Policy(repeats_max=5)) as room:  # type: ignore[arg-type]
        for n in (1, 2):
            room.says("Look")
            room.rest()
            assert room.visible()[-1].startswith("(The agent has made the same call 5 times")
            assert (room.runs()[-1].ending, room.runs()[-1].failed_by) == ("failed", "repeats")
            assert len(room.of_session("tool_calls")) == 5 * n
        assert room.broken() == []


def test_what_was_spent_before_a_crash_counts_after_it() -> None:
    async def agent(turn: Turn) -> str:
        await turn.spent(calls=1, tokens=10, cost=0.1)
        await asyncio.sleep(5)
        return "done"

    with Scenario(agent, policy=Policy(model_calls_max=2, attempts_max=9)) as room:
        room.says("Think")
        for _ in range(2):
            room.advance(2)
            room.restart()
        room.rest()
        assert "called its model more than 2 times" in room.visible()[-1]
        assert [(run.model_calls, run.tokens) for run in room.runs()] == [(1, 10), (2, 20), (3, 30)]
        assert room.runs()[-1].failed_by == "model_calls"


def test_less_than_nothing_is_spent_by_nobody() -> None:
    async def agent(turn: Turn) -> str:
        await turn.spent(calls=-1)
        return "done"

    with Scenario(agent) as room:
        room.says("Think")
        room.rest()
        assert "ValueError" in room.visible()[0]
        assert room.runs()[0].failed_by == FailCause.CRASHED


def test_a_limit_may_be_none_and_never_less() -> None:
    assert Policy(tool_calls_max=0, repeats_max=0).tool_calls_max == 0
    with pytest.raises(InvalidPolicyError, match="at least 0"):
        Policy(repeats_max=-1)
