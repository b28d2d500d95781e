"""What a person sees while a run lasts: how long and with what, that somebody types, and one word when the house drains."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.actors.session_stage import G1, NOW, QUESTION, after, asking, kinds, of, running, said

from greenroom.actors.acts import ArmAlarm, ShowText, ShowTyping
from greenroom.actors.commands import Command
from greenroom.actors.events import Alarm, Answered, Arrived, Drained, PutOff, Rang, Reported, RunEnded, Spoke
from greenroom.actors.facts import RunClosed
from greenroom.actors.model import InterruptReason
from greenroom.actors.ports import Turn
from greenroom.actors.rules import Rules
from greenroom.actors.session import LOOK_AGAIN_S
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

RULES = Rules()
SUSPEND = Arrived(replace(said(9), text="", command=Command.SUSPEND))


def test_a_notice_says_how_long_and_with_what() -> None:
    _, effects = after(running(), Spoke(G1, "Well."), Reported(G1, "page\n7"), Rang(G1, Alarm.NOTICE), now=NOW + 180)
    assert of(ShowText, effects)[0].text == "Well.\n\n(Still working, 3 min: page 7)"


def test_a_long_remark_is_said_in_full_once_and_cut_in_notices() -> None:
    session, effects = after(running(), Reported(G1, "x" * 500))
    assert of(ShowText, effects)[0].text == f"({'x' * 500})"
    assert len(of(ShowText, after(session, Rang(G1, Alarm.NOTICE))[1])[0].text) < 250


@pytest.mark.parametrize(
    "reason, what",
    [(InterruptReason.RESTART_TIMEOUT, "restarted"), (InterruptReason.SHUTDOWN_TIMEOUT, "shut down")],
)
def test_a_drain_is_told_once_where_a_run_is_live_and_is_silent_then(reason: InterruptReason, what: str) -> None:
    session, effects = after(running(), Spoke(G1, "Well."), Drained(reason))
    assert of(ShowText, effects)[0].text == f"Well.\n\n(I am being {what}; I go on with this afterwards.)"
    assert "CancelAlarms" in kinds(effects)
    assert not of(ShowText, after(asking(), Drained(reason))[1])
    _, effects = after(session, RunEnded(G1, Answered("done")))
    assert not of(ShowText, effects)


def test_the_word_of_a_drain_is_where_the_answer_comes() -> None:
    with Scenario(policy=Policy(drain_s=30.0)) as room:
        room.says("m1 nap answer")
        room.advance(0.5)
        assert room.drain(Intent.RESTART)
        (message,) = room.messages()
        assert message.texts[-2:] == ["(I am being restarted; I go on with this afterwards.)", "answer <m1>"]


def test_where_the_answer_will_come_stands_that_it_is_suspended_until_it_goes_on() -> None:
    with Scenario() as room:
        room.says("m1 say nap answer")
        room.advance(0.5)
        room.says("/suspend")
        room.rest()
        first, reply = room.messages()
        assert first.texts[-1] == "(m1 words) \n\n(Suspended: /resume lets me go on with this.)"
        assert reply.texts[-1].startswith("Suspended; what was running is interrupted and kept.")
        room.says("/resume")
        room.rest()
        assert room.messages()[0].texts[-1] == "(m1 words) \n\nanswer <m1>"
        assert room.broken() == []


def test_what_waits_for_its_provider_and_is_suspended_does_not_say_that_it_tries_again() -> None:
    waits, _ = after(running(), RunEnded(G1, PutOff("overloaded")))
    _, effects = after(waits, SUSPEND)
    assert [act.text for act in of(ShowText, effects)] == ["(Suspended: /resume lets me go on with this.)"]
    _, effects = after(asking(), SUSPEND)
    assert not of(ShowText, effects)


def test_somebody_types_while_a_run_works_and_nobody_while_a_question_is_open() -> None:
    _, effects = after(running(), Rang(G1, Alarm.TYPING))
    assert effects.acts == (ShowTyping(), ArmAlarm(G1, Alarm.TYPING, RULES.typing_every_s))
    assert kinds(after(asking(), Rang(G1, Alarm.TYPING, question=QUESTION.key))[1]) == []
    assert Alarm.TYPING not in [
        act.alarm for act in of(ArmAlarm, after(running(), Rang(G1, Alarm.NOTICE), rules=Rules(typing_every_s=0))[1])
    ]


def test_typing_is_shown_again_every_few_seconds_and_never_after_the_answer() -> None:
    with Scenario(policy=Policy(typing_every_s=4.0)) as room:
        room.says("m1 nap nap nap answer")
        room.rest()
        assert len(room.wire().typed) == 3
        room.advance(100)
        assert len(room.wire().typed) == 3
        assert room.broken() == []


def test_typing_that_fails_or_hangs_delays_no_answer() -> None:
    def hang(_: object) -> None:
        raise SystemExit(1)

    with Scenario() as room:
        room.wire().on_typing = hang
        room.says("m1 nap nap answer")
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert room.wire().typed
        assert room.broken() == []


def test_a_host_that_slept_gives_up_no_run_for_its_silence() -> None:
    session, effects = after(running(), Rang(G1, Alarm.SILENCE, late_s=3_600.0))
    assert effects.acts == (ArmAlarm(G1, Alarm.SILENCE, RULES.silent_max_s),)
    assert of(RunClosed, after(session, Rang(G1, Alarm.SILENCE))[1])


def test_a_host_that_slept_is_noticed_by_whichever_alarm_rings_first() -> None:
    """The silence is counted anew although it was not due in that time, and ends nothing a moment later."""
    session, effects = after(running(), Rang(G1, Alarm.NOTICE, late_s=3_600.0))
    assert ArmAlarm(G1, Alarm.SILENCE, RULES.silent_max_s) in effects.acts
    assert ArmAlarm(G1, Alarm.SILENCE, RULES.silent_max_s) not in after(session, Rang(G1, Alarm.NOTICE))[1].acts


def test_a_run_is_ended_when_it_was_at_it_for_its_time_and_not_before() -> None:
    _, effects = after(running(), Rang(G1, Alarm.LIMIT, ran_s=RULES.run_max_s - 600))
    assert effects.acts == (ArmAlarm(G1, Alarm.LIMIT, 600.0),)
    _, effects = after(running(), Rang(G1, Alarm.LIMIT, ran_s=RULES.run_max_s))
    assert [fact.failed_by for fact in of(RunClosed, effects)] == ["endless"]


@pytest.mark.parametrize("slept_s", [1_000.0, 5_000.0])
def test_time_asleep_is_not_the_time_of_a_run(slept_s: float) -> None:
    """Whether it ends before the run's time would have been over, or after that."""

    async def agent(turn: Turn) -> str:
        for _ in range(18):
            await turn.progress("on it")
            await asyncio.sleep(100)
        return "done"

    with Scenario(agent, policy=Policy(run_max_s=2_000.0, notice_every_s=30.0, silent_max_s=500.0)) as room:
        room.says("Read")
        room.advance(700)
        room.host_sleeps(slept_s)
        room.rest()
        assert room.visible() == ["done"]
        assert room.broken() == []


def test_a_run_that_goes_on_for_too_long_is_ended_however_its_host_slept() -> None:
    async def agent(turn: Turn) -> str:
        while True:
            await turn.progress("on it")
            await asyncio.sleep(100)

    with Scenario(agent, policy=Policy(run_max_s=2_000.0, notice_every_s=30.0)) as room:
        room.says("Read")
        room.advance(700)
        room.host_sleeps(5_000.0)
        began = room.world.now
        room.rest()
        assert "still at it after 33 min" in room.visible()[0]
        assert 1_200 < room.world.now - began < 1_700  # What was left to it, and what idle sessions take to rest.


def test_a_ring_that_is_early_by_what_sums_lose_is_looked_at_again_and_not_at_once() -> None:
    """Found by seed 1300007651: it was armed for no time at all, and rang for ever at the same instant."""
    _, effects = after(running(), Rang(G1, Alarm.SILENCE, ran_s=RULES.silent_max_s - 1e-9))
    assert effects.acts == (ArmAlarm(G1, Alarm.SILENCE, LOOK_AGAIN_S),)


def test_a_host_that_slept_says_so_once_and_the_run_goes_on() -> None:
    async def agent(turn: Turn) -> str:
        await turn.progress("page 7")
        await asyncio.sleep(800)
        return "done"

    with Scenario(agent) as room:
        room.says("Read")
        room.advance(10)
        room.host_sleeps(10_800)
        room.advance(1)
        notices = [text for text in room.messages()[0].texts if "Still working" in text]
        assert notices == ["(Still working, 3 h: page 7)"]
        room.rest()
        assert room.visible() == ["done"]
