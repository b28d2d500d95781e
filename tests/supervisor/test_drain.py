"""The orderly end: who is marked, when it is over, and what the next boot finds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from greenroom.actors.model import InterruptReason, SessionId
from greenroom.supervisor.drain import (
    FLUSH_S,
    INTERRUPT_S,
    CloseBoot,
    Drain,
    Intent,
    InterruptRuns,
    MarkRuns,
    WaitUntil,
    decide_drain,
    forced_end_s,
    reason_of,
)
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.scenario import Scenario

if TYPE_CHECKING:
    from greenroom.actors.ports import Turn

POLICY = Policy(drain_s=30)
A, B = SessionId(1), SessionId(2)
BEGUN = Drain(Intent.RESTART, began_at=100.0, running=frozenset({A, B}))
MARKED = replace(BEGUN, marked=BEGUN.running)
CUT = replace(MARKED, interrupted=MARKED.running)


def test_s015_runs_are_marked_before_anything_is_waited_for() -> None:
    assert decide_drain(BEGUN, now=100.0, policy=POLICY) == MarkRuns(frozenset({A, B}), InterruptReason.RESTART_TIMEOUT)
    assert decide_drain(MARKED, now=100.0, policy=POLICY) == WaitUntil(130.0)


def test_a_run_that_was_just_starting_is_marked_late_but_marked() -> None:
    late = replace(MARKED, running=frozenset({A, B, SessionId(3)}))
    assert decide_drain(late, now=120.0, policy=POLICY) == MarkRuns(
        frozenset({SessionId(3)}), InterruptReason.RESTART_TIMEOUT
    )


def test_s014_one_finishes_in_time_and_only_the_other_is_interrupted() -> None:
    rest = replace(MARKED, running=frozenset({B}))
    assert decide_drain(rest, now=120.0, policy=POLICY) == WaitUntil(130.0)
    assert decide_drain(rest, now=130.0, policy=POLICY) == InterruptRuns(frozenset({B}))


@pytest.mark.parametrize(
    "intent, reason",
    [(Intent.RESTART, InterruptReason.RESTART_TIMEOUT), (Intent.SHUTDOWN, InterruptReason.SHUTDOWN_TIMEOUT)],
)
def test_s016_the_mark_says_what_the_drain_was_for(intent: Intent, reason: InterruptReason) -> None:
    assert reason_of(intent) is reason
    assert decide_drain(replace(BEGUN, intent=intent), now=100.0, policy=POLICY) == MarkRuns(BEGUN.running, reason)


def test_s017_without_a_running_agent_nothing_is_marked() -> None:
    idle = Drain(Intent.SHUTDOWN, began_at=100.0)
    assert decide_drain(idle, now=100.0, policy=POLICY) == CloseBoot(clean=True, left=frozenset())


def test_interrupted_runs_get_a_moment_to_be_over_then_are_left_behind_perhaps_without_a_mark() -> None:
    assert decide_drain(CUT, now=130.0, policy=POLICY) == WaitUntil(130.0 + INTERRUPT_S)
    assert decide_drain(CUT, now=130.0 + INTERRUPT_S, policy=POLICY) == CloseBoot(clean=False, left=frozenset({A, B}))


def test_what_was_interrupted_and_is_over_is_left_for_the_next_boot() -> None:
    over = replace(CUT, running=frozenset(), interrupted=frozenset({B}))
    assert decide_drain(over, now=131.0, policy=POLICY) == CloseBoot(clean=True, left=frozenset({B}))


def test_owed_deliveries_are_flushed_but_not_for_ever() -> None:
    owing = Drain(Intent.RESTART, began_at=100.0).seen(frozenset(), 2, now=100.0)
    assert decide_drain(owing, now=101.0, policy=POLICY) == WaitUntil(130.0), "no longer than work that lasts"
    assert decide_drain(replace(owing, owed=0), now=101.0, policy=POLICY) == CloseBoot(clean=True, left=frozenset())
    assert decide_drain(owing, now=130.0, policy=POLICY) == CloseBoot(clean=True, left=frozenset())


def test_after_work_that_took_all_its_time_deliveries_get_a_moment_of_their_own() -> None:
    over = CUT.seen(frozenset(), 2, now=133.0)
    assert decide_drain(over, now=133.0, policy=POLICY) == WaitUntil(133.0 + FLUSH_S)
    again = over.seen(frozenset(), 1, now=140.0)
    assert decide_drain(again, now=140.0, policy=POLICY) == WaitUntil(133.0 + FLUSH_S), "counted from the last run"
    late = again.seen(frozenset({A}), 0, now=141.0).seen(frozenset(), 1, now=142.0)
    assert decide_drain(late, now=142.0, policy=POLICY) == WaitUntil(142.0 + FLUSH_S), "one ran yet"


@pytest.mark.parametrize("drain", [BEGUN, MARKED, CUT], ids=["begun", "marked", "cut"])
def test_a_second_signal_ends_at_once_and_not_clean(drain: Drain) -> None:
    told = replace(drain, told_again=True)
    ended = CloseBoot(clean=False, left=frozenset({A, B}), hurried=True)
    assert decide_drain(told, now=100.0, policy=POLICY) == ended


def test_a_drain_without_patience_interrupts_at_once() -> None:
    assert decide_drain(MARKED, now=100.0, policy=Policy(drain_s=0)) == InterruptRuns(frozenset({A, B}))


def test_s176_a_watchdog_outlasts_every_limit_of_the_drain() -> None:
    assert forced_end_s(POLICY) == 90.0
    assert forced_end_s(POLICY) > POLICY.drain_s + INTERRUPT_S + FLUSH_S


@given(
    running=st.frozensets(st.integers(1, 6).map(SessionId)),
    owed=st.integers(0, 3),
    drain_s=st.integers(0, 60),
    over=st.lists(st.integers(1, 6).map(SessionId), max_size=6),
)
def test_every_drain_ends_and_leaves_no_run_without_its_mark(
    running: frozenset[SessionId], owed: int, drain_s: int, over: list[SessionId]
) -> None:
    policy = Policy(drain_s=drain_s)
    drain, now = Drain(Intent.SHUTDOWN, began_at=0.0, running=running, owed=owed), 0.0
    for _ in range(20):
        act = decide_drain(drain, now=now, policy=policy)
        match act:
            case MarkRuns(session_ids):
                drain = replace(drain, marked=drain.marked | session_ids)
            case InterruptRuns(session_ids):
                assert now >= drain_s
                drain = replace(drain, interrupted=drain.interrupted | session_ids)
            case WaitUntil(at):
                assert at > now
                drain = replace(drain, running=drain.running - {over.pop()}) if over else drain
                now = now if over else at
            case CloseBoot(clean, left):
                assert clean == (not drain.running)
                assert left <= drain.marked
                return
    pytest.fail("the drain never ends")


@pytest.mark.parametrize("seed", range(10))
def test_a_run_that_begins_as_the_one_before_it_ends_is_waited_for_or_marked(seed: int) -> None:
    """Seed 1757055322: a session's word that its run was over, from before it heard of the drain, ended the drain."""

    async def agent(turn: Turn) -> str:
        await asyncio.sleep(5)
        return f"re {turn.text}"

    for steps in range(10):
        with Scenario(agent, seed=seed) as room:
            room.advance(1)
            room.disconnects()  # Nothing is owed that could be sent: the drain waits for runs alone.
            room.says("a")
            room.advance(1)
            room.says("b")
            room.until(lambda: room.world.now >= 6)
            room.steps(steps)
            assert room.drain()
            assert [run.generation for run in room.runs() if run.open and run.interrupted_by is None] == []
