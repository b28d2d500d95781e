"""Drains, marks, and restarts that come again and again: S014 to S023, S036 to S045, S048, S049, S171 to S173."""

import asyncio

import pytest
from tests.scenarios.stage import HOUR_S, causes, interrupt, listened, rules, said

from greenroom.actors.ports import ToolInDoubtError, Turn
from greenroom.supervisor.sandbox.agents import KILLS_MAX
from greenroom.supervisor.sandbox.scenario import Intent, Loss, Policy, Scenario

CALM_S = 200.0
"""So far apart, restarts are no crash loop: two within the window at most."""


def test_s014_who_finishes_in_the_drain_clears_its_own_mark() -> None:
    """S014."""
    with Scenario(policy=Policy(drain_s=10.0)) as room:
        room.says("m1 nap answer", 1)
        room.says("m2 doze answer", 2)
        room.advance(1)
        assert room.drain()
        assert (room.runs(1)[-1].open, room.runs(1)[-1].ending) == (0, "answered")
        assert (room.runs(2)[-1].open, room.runs(2)[-1].interrupted_by) == (1, "restart_timeout")
        room.boot()
        room.rest()
        assert causes(room, 1) == ["inbound"]
        assert causes(room, 2) == ["inbound", "resume"]
        assert (room.visible(1), room.visible(2)) == (["answer <m1>"], ["answer <m2>"])


def test_s015_runs_are_marked_before_the_drain_waits_for_them() -> None:
    """S015."""
    with Scenario() as room:
        room.says("m1 nap answer", 1)
        room.says("m2 doze answer", 2)
        room.advance(1)
        room.order_drain()
        room.advance(1)
        room.crash()
        assert [room.runs(chat)[-1].interrupted_by for chat in (1, 2)] == ["restart_timeout"] * 2
        room.boot()
        room.rest()
        assert [rules(room, chat) for chat in (1, 2)] == [["RESUME"]] * 2


@pytest.mark.parametrize("intent", Intent)
def test_s016_only_what_still_runs_is_marked_and_the_reason_is_the_intent(intent: Intent) -> None:
    """S016."""
    with Scenario(policy=Policy(drain_s=5.0)) as room:
        room.says("m1 answer", 1)
        room.says("m2 doze answer", 2)
        room.advance(1)
        assert room.drain(intent)
        assert room.runs(1)[-1].interrupted_by is None
        assert room.runs(2)[-1].interrupted_by == f"{intent.value}_timeout"


def test_s017_a_session_whose_message_only_waits_is_not_marked() -> None:
    """S017. A message on disk is the sentinel; the next boot simply handles it."""
    waited = 0
    for seed in range(12):
        with Scenario(seed=seed) as room:
            room.says("m1 nap answer")
            room.until(room.inbox)
            room.drain()
            pending = not room.runs()
            waited += pending
            room.boot()
            room.rest()
            if pending:
                assert rules(room) == []
                assert causes(room) == ["inbound"]
            assert room.visible() == ["answer <m1>"]
    assert waited


async def says_nothing_the_first_time(turn: Turn) -> str:
    if turn.attempt > 1:
        return "done"
    await asyncio.sleep(5.0)
    return ""


def test_s018_a_run_that_ends_empty_in_a_drain_is_no_answer() -> None:
    """S018."""
    with Scenario(says_nothing_the_first_time) as room:
        room.says("Please")
        room.advance(1)
        assert room.drain()
        assert (room.runs()[-1].open, room.runs()[-1].interrupted_by) == (1, "restart_timeout")
        room.boot()
        room.rest()
        assert room.visible() == ["done"]


@pytest.mark.parametrize("ending", ["fail", "exit", "base", "broken", "wrongtype", "nothing"])
def test_s019_a_failure_is_told_and_its_message_is_kept(ending: str) -> None:
    """S019. The design ends a failed run visibly instead of keeping a marker: nothing is tried again unasked."""
    room, agent = listened()
    with room:
        room.says(f"m1 {ending}")
        room.rest()
        assert room.runs()[-1].ending == "failed"
        (line,) = room.visible()
        assert "answer <" not in line
        room.restart()
        room.rest()
        assert len(agent.heard) == 1
        room.says("m2 answer")
        room.rest()
        assert ("user", f"m1 {ending}") in agent.heard[-1].rows
        assert room.visible() == [line, "answer <m2>"]


def test_s020_an_answer_clears_mark_and_count() -> None:
    """S020."""
    with Scenario() as room:
        interrupt(room)
        for _ in range(2):
            room.stays_down(CALM_S)
            room.boot()
            room.advance(1)
            room.crash()
        room.stays_down(CALM_S)
        room.policy = Policy(attempts_max=9)
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert room.runs()[-1].attempt == 4
        interrupt(room, "m2 nap answer")
        room.stays_down(CALM_S)
        room.boot()
        room.rest()
        assert [row.attempt for row in room.runs()[-2:]] == [1, 2]


def test_s021_a_suspended_session_stays_suspended_whatever_marks_it() -> None:
    """S021."""
    with Scenario() as room:
        interrupt(room)
        room.given("UPDATE sessions SET suspended_at = 1")
        room.given("UPDATE runs SET interrupted_by = 'restart_timeout'")
        room.boot()
        room.rest()
        assert room.drain()
        room.boot()
        room.rest()
        assert rules(room) == ["SUSPENDED"] * 2
        assert [row.suspended_at for row in room.rows("SELECT * FROM sessions")] == [1.0]


@pytest.mark.parametrize("loss", [Loss.NOTHING, Loss.UNSYNCED])
def test_s022_a_mark_is_on_disk(loss: Loss) -> None:
    """S022."""
    with Scenario(policy=Policy(drain_s=1.0)) as room:
        room.says("m1 doze answer")
        room.advance(1)
        room.order_drain()
        room.advance(1.5)
        room.crash(loss)
        assert (room.runs()[-1].open, room.runs()[-1].interrupted_by) == (1, "restart_timeout")


@pytest.mark.parametrize("garbage", [0.0, -7.0, 1e300])
def test_s023_garbage_for_a_time_is_no_time_and_the_mark_is_honoured(garbage: float) -> None:
    """S023."""
    with Scenario() as room:
        interrupt(room)
        room.given("UPDATE runs SET last_progress_at = ?, tail_at = ?, opened_at = ?", garbage, garbage, garbage)
        room.boot()
        room.rest()
        assert rules(room) == ["RESUME"]
        assert room.visible() == ["answer <m1>"]


@pytest.mark.parametrize("reset", ["idle", "daily"])
def test_s036_after_a_failed_resume_a_reset_policy_begins_a_fresh_session_and_says_why(reset: str) -> None:
    """S036."""
    with Scenario(policy=Policy(reset=reset)) as room:
        interrupt(room)
        room.stays_down(30 * HOUR_S)
        room.boot()
        room.says("m2 answer")
        room.rest()
        assert len(room.rows("SELECT * FROM sessions")) == 2
        assert room.visible()[-1] == "answer <m2>"
        assert sum("new conversation" in text for text in room.visible()) == 1
        room.says("m3 answer")
        room.rest()
        assert sum("new conversation" in text for text in room.visible()) == 1
        assert room.broken() == []


def test_s037_without_a_reset_policy_the_conversation_is_kept() -> None:
    """S037."""
    room, agent = listened()
    with room:
        room.says("m1 answer")
        room.rest()
        interrupt(room, "m2 nap answer")
        room.stays_down(30 * HOUR_S)
        room.boot()
        room.rest()
        room.says("m3 answer")
        room.rest()
        assert rules(room) == ["STALE"]
        assert len(room.rows("SELECT * FROM sessions")) == 1
        assert ("user", "m1 answer") in agent.heard[-1].rows
        assert "<m3>" in room.visible()[-1]


def test_s041_a_session_in_flight_at_three_restarts_is_set_aside_and_others_are_not() -> None:
    """S041."""
    with Scenario() as room:
        interrupt(room, "m1 hang")
        for _ in range(2):
            room.stays_down(CALM_S)
            room.boot()
            room.advance(1)
            room.crash()
        room.stays_down(CALM_S)
        room.boot()
        room.says("m2 answer", 2)
        room.rest()
        assert rules(room) == ["RESUME", "RESUME", "ATTEMPTS_EXHAUSTED"]
        assert "set this conversation aside" in room.visible()[-1]
        assert room.visible(2) == ["answer <m2>"]


def test_s043_a_tool_call_that_restarted_its_own_process_is_in_doubt_and_not_made_again() -> None:
    """S043."""
    notes: list[str | None] = []

    async def agent(turn: Turn) -> str:
        notes.append(turn.recovery_note)
        try:
            await turn.tool("docker", {"restart": "greenroom"}, policy="once", fn=restart_me)
        except ToolInDoubtError:
            return "I cannot tell whether that worked."
        return "restarted"

    def restart_me(restart: str) -> None:
        room.world.kill(f"restart of {restart}")

    room = Scenario(agent)
    with room:
        room.says("Restart yourself")
        room.rest()
        room.crash()
        room.boot()
        room.rest()
        assert room.world.crashes == 1
        assert "In doubt" in (notes[-1] or "")
        assert "docker" in (notes[-1] or "")
        assert room.visible() == ["I cannot tell whether that worked."]


def test_s044_in_a_crash_loop_nothing_is_resumed_and_messages_are_served() -> None:
    """S044."""
    with Scenario() as room:
        interrupt(room, "m1 hang")
        for _ in range(2):
            room.stays_down(20)
            room.boot()
            room.advance(1)
            room.crash()
        open_before = room.runs()[-1].generation
        room.policy = Policy(attempts_max=9)
        room.boot()
        room.says("m2 answer", 2)
        room.rest()
        assert rules(room)[-1] == "SAFE_MODE"
        assert (room.runs()[-1].generation, room.runs()[-1].open) == (open_before, 1)
        assert room.visible(2) == ["answer <m2>"]


def test_s045_a_stopped_session_is_not_resumed_again() -> None:
    """S045."""
    room, agent = listened()
    with room:
        room.says("m1 hang")
        room.advance(1)
        room.says("/stop")
        room.advance(1)
        room.restart()
        room.advance(10)
        assert len(agent.heard) == 1
        assert room.transcript()[-1].kind == "stopped"


def test_s048_a_redelivered_order_to_restart_is_ignored_and_a_new_one_works() -> None:
    """S048. The order is a message like any other here; the agent that follows it ends the process."""
    with Scenario() as room:
        update = room.says("m1 kill answer")
        room.rest()
        room.crash()
        room.says("m1 kill answer", id=update)
        room.world.kills["m1"] = KILLS_MAX  # The resumed work does not end the process again.
        room.boot()
        room.rest()
        assert room.world.crashes == 1
        assert len(room.inbox()) == 1
        assert room.visible() == ["answer <m1>"]
        room.says("m2 kill answer")
        room.rest()
        assert room.world.crashes == 2


def test_s049_one_long_resumed_run_delays_no_other_chat() -> None:
    """S049."""
    with Scenario(policy=Policy(resume_concurrency=1)) as room:
        interrupt(room, "m1 " + "progress doze " * 18 + "answer")
        room.boot()
        room.advance(30)
        assert room.runs()[-1].cause == "resume"
        room.says("m2 answer", 2)
        room.until(lambda: room.visible(2) == ["answer <m2>"], within_s=5)
        room.rest()
        assert room.world.now > 1800
        assert room.visible() == ["answer <m1>"]


def test_s171_a_graceful_restart_keeps_the_conversation_and_says_nothing() -> None:
    """S171."""
    room, agent = listened()
    with room:
        room.says("m1 answer")
        room.rest()
        assert room.drain()
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        room.says("m2 answer")
        room.rest()
        assert ("assistant", "answer <m1>") in agent.heard[-1].rows
        assert said(room) == ["m1 answer", "m2 answer"]


def test_s172_a_reset_policy_counts_from_the_true_last_activity() -> None:
    """S172."""
    with Scenario(policy=Policy(reset="idle", reset_after_s=4 * HOUR_S)) as room:
        room.says("m1 answer")
        room.rest()
        room.crash()
        room.stays_down(3 * HOUR_S)
        room.boot()
        room.advance(2 * HOUR_S)
        room.says("m2 answer")
        room.rest()
        assert len(room.rows("SELECT * FROM sessions")) == 2


def test_s173_stop_keeps_the_session() -> None:
    """S173."""
    with Scenario() as room:
        room.says("m1 hang")
        room.advance(1)
        room.says("/stop")
        room.advance(5)
        room.says("m2 answer")
        room.advance(5)
        assert len(room.rows("SELECT * FROM sessions")) == 1
        assert room.visible()[-1] == "answer <m2>"
