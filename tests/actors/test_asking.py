"""Questions that nobody answers in time, that nobody sees, and approvals: stories on the real house in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.actors.session_stage import G1, NOW, QUESTION, after, asking, interrupted_asking, of, running, said

from greenroom.actors.acts import ArmAlarm, ArmIdle, Confirm
from greenroom.actors.asking import lapse_of
from greenroom.actors.events import Alarm, Arrived, Asked, IdleRang, Rang, Resumed, Undelivered, Woke
from greenroom.actors.facts import QuestionAnswered, QuestionLapsed, RunOpened
from greenroom.actors.model import DeliveryClass, InboxId, InterruptReason, Lapse, RunCause
from greenroom.actors.ports import Conclusion, QuestionTimedOutError, QuestionUndeliveredError, Turn
from greenroom.actors.state import Asking, Interrupted, Running
from greenroom.supervisor.sandbox.scenario import PlatformFault, Policy, Scenario

Agent = Callable[[Turn], Awaitable[str | Conclusion | None]]
TIMED = replace(QUESTION, timeout_s=60.0)


def asks_for_a_minute(asked: list[str]) -> Agent:
    """An agent that goes on with a default when nobody answers."""

    async def agent(turn: Turn) -> str:
        asked.append(f"{turn.text} {turn.recovery_note is not None}")
        try:
            colour = await turn.ask_user("Which?", timeout_s=60)
        except QuestionTimedOutError:
            colour = "white"
        return f"{colour}: {turn.text}"

    return agent


def test_an_agent_goes_on_when_nobody_answers_in_time() -> None:
    with Scenario(asks_for_a_minute([])) as room:
        room.says("paint")
        room.advance(59)
        assert room.visible() == ["Which?"]
        room.rest()
        assert room.visible() == ["Which?", "white: paint"]
        assert [row.kind for row in room.transcript()] == ["text", "question", "lapsed", "text"]
        (question,) = room.of_session("questions")
        assert (question.lapsed, question.answer, question.lapsed_at - question.asked_at) == ("timed_out", None, 60)
        assert room.broken() == []


def test_an_answer_in_time_is_one_and_the_alarm_says_nothing_afterwards() -> None:
    with Scenario(asks_for_a_minute([])) as room:
        room.says("paint")
        room.advance(50)
        room.says("red")
        room.rest()
        assert room.visible() == ["Which?", "red: paint"]
        assert room.of_session("questions")[0].lapsed is None


def test_a_question_that_is_too_long_is_refused_to_its_agent_and_one_as_long_as_it_may_be_is_asked() -> None:
    async def agent(turn: Turn) -> str:
        for ask in (turn.ask_user("x" * 12, ["red", "blue"]), turn.approve("x" * 21)):
            with pytest.raises(ValueError, match=r"21 characters, the limit is 20 \(`question_max`\)"):
                await ask
        return f"{await turn.ask_user('x' * 11, ['red', 'blue'])} {await turn.approve('y' * 20)}"

    with Scenario(agent, policy=Policy(question_max=20)) as room:
        for words in ("paint", "red", "yes"):
            room.says(words)
            room.rest()
        assert room.visible() == ["x" * 11 + "\n- red\n- blue", "y" * 20 + "\n- yes\n- no", "red True"]
        assert room.broken() == []


def test_what_is_said_after_the_time_out_answers_no_later_question() -> None:
    async def agent(turn: Turn) -> str:
        with pytest.raises(QuestionTimedOutError, match=r"Which\?"):
            await turn.ask_user("Which?", timeout_s=60)
        await asyncio.sleep(60)
        return f"{await turn.ask_user('And?')} for {turn.text}" if turn.text == "paint" else f"re {turn.text}"

    with Scenario(agent) as room:
        room.says("paint")
        room.advance(70)
        room.says("red")  # It is late for the first question, and before the second.
        room.advance(100)
        assert room.visible() == ["Which?", "And?"]
        room.says("big")
        room.rest()
        assert room.visible()[2] == "big for paint"
        assert [row.answer for row in room.of_session("questions", order="id")][:2] == [None, "big"]


@pytest.mark.parametrize("jump_s", [0.0, -86_400.0])
def test_a_time_out_without_a_process_wakes_nobody_and_a_late_answer_is_a_message_of_the_same_work(
    jump_s: float,
) -> None:
    asked: list[str] = []
    with Scenario(asks_for_a_minute(asked)) as room:
        room.says("paint")
        room.advance(5)
        room.crash()
        room.stays_down(3_000 - jump_s)
        room.boot()
        room.jump_wall(jump_s)
        room.rest()
        assert (room.decisions(), room.visible(), len(asked)) == (["AWAITING_USER"], ["Which?"], 1)
        assert room.of_session("questions")[0].lapsed is None  # Nobody needed to know yet.
        room.says("red")
        room.rest()
        assert room.visible() == ["Which?", "white: paint\nred"]
        assert asked[1:] == ["paint\nred True"]
        (note,) = [row.text for row in room.transcript() if row.kind == "recovery_note"]
        assert '"Which?" timed out' in note
        assert "came later" in note
        first, second = room.runs()
        assert (second.work, second.cause) == (first.work, "inbound")
        assert room.broken() == []


def test_an_answer_within_its_time_counts_after_a_restart_too() -> None:
    with Scenario(asks_for_a_minute([])) as room:
        room.says("paint")
        room.advance(5)
        room.restart(after_s=20)
        room.says("red")
        room.rest()
        assert room.visible() == ["Which?", "red: paint"]


def test_a_clock_that_is_set_back_makes_no_time_out_earlier() -> None:
    timed = replace(TIMED, asked_at=NOW)
    assert lapse_of(timed, NOW - 86_400.0) is None
    assert lapse_of(timed, NOW + 59.9) is None
    assert lapse_of(timed, NOW + 60.0) is Lapse.TIMED_OUT
    assert lapse_of(replace(QUESTION, asked_at=NOW), NOW + 1e9) is None
    with Scenario(asks_for_a_minute([])) as room:
        room.says("paint")
        room.advance(5)
        room.jump_wall(86_400)  # The process waits by a clock that does not jump.
        room.advance(50)
        assert room.visible() == ["Which?"]


def test_a_question_that_is_not_answered_ends_the_run_in_one_honest_line() -> None:
    async def agent(turn: Turn) -> str:
        return await turn.ask_user("Which?")

    with Scenario(agent, policy=Policy(question_timeout_s=30.0)) as room:
        room.says("paint")
        room.rest()
        assert room.visible()[1:] == [
            "(I asked you something and had no answer in time, so I stopped here. Write again to go on.)"
        ]


def undelivered(room: Scenario) -> None:
    """The next post is refused for ever."""
    room.platform_fails(PlatformFault.REFUSED)


def asks_and_hears(heard: list[str]) -> Agent:
    async def agent(turn: Turn) -> str:
        try:
            return await turn.ask_user("Which?")
        except QuestionUndeliveredError as error:
            heard.append(str(error))
            return f"without asking: {turn.text}"

    return agent


def test_who_waits_for_an_answer_hears_that_the_question_never_arrived() -> None:
    heard: list[str] = []
    with Scenario(asks_and_hears(heard), platforms=[DeliveryClass.NATIVE_KEY], policy=SILENT) as room:
        undelivered(room)
        room.says("paint")
        room.rest()
        assert heard == ["the user cannot be asked: Which?"]
        assert room.visible() == ["without asking: paint"]
        assert room.of_session("questions")[0].lapsed == "undelivered"
        assert room.broken() == []


def test_after_a_restart_an_undelivered_question_wakes_nobody_and_is_answered_by_nobody() -> None:
    heard: list[str] = []
    with Scenario(asks_and_hears(heard), platforms=[DeliveryClass.NATIVE_KEY], policy=SILENT) as room:
        room.says("paint")
        room.until(lambda: room.of_session("questions"))
        room.crash()
        room.boot(unreachable=[1])
        room.advance(5)
        undelivered(room)
        room.connects()
        room.rest()
        assert (room.visible(), heard) == ([], [])
        room.restart()
        room.rest()
        assert set(room.decisions()) == {"AWAITING_USER"}
        room.says("red")
        room.rest()
        assert room.visible() == ["without asking: paint\nred"]
        assert heard == ["the user cannot be asked: Which?"]
        assert room.broken() == []


SILENT = Policy(placeholder_after_s=1_000.0)
"""No anchor is posted before there are words: the first call is the question."""


@pytest.mark.parametrize(
    "words, allowed",
    [("yes", True), (" YES\n", True), ("y", True), ("no", False), ("yes, but", False), ("n", False), ("?", False)],
)
def test_only_a_yes_approves_and_other_words_are_kept(words: str, *, allowed: bool) -> None:
    async def agent(turn: Turn) -> str:
        return f"{await turn.approve('Deploy?')}"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        room.says(words)
        room.rest()
        assert room.visible() == ["Deploy?\n- yes\n- no", str(allowed)]
        assert words in [row.text for row in room.transcript()]


def test_a_time_out_that_is_no_time_is_refused() -> None:
    async def agent(turn: Turn) -> str:
        strange: Any = "soon"
        with pytest.raises(TypeError):
            await turn.ask_user("Which?", timeout_s=strange)
        with pytest.raises(ValueError, match="0 \\(no time-out\\)"):
            await turn.approve("Which?", timeout_s=-1)
        with pytest.raises(TypeError, match="timeout_s: must be a number"):
            await turn.ask_user("Which?", timeout_s=float("inf"))
        return "refused"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["refused"]


def test_a_key_of_an_agents_own_is_the_same_in_every_attempt_and_of_no_other_work() -> None:
    keys: list[tuple[str, str]] = []

    async def agent(turn: Turn) -> str:
        keys.append((turn.idempotency_key("invoice", "7"), turn.idempotency_key("invoice7")))
        await asyncio.sleep(10)
        return "done"

    with Scenario(agent) as room:
        room.says("go")
        room.advance(5)
        room.restart()
        room.rest()
        room.says("again")
        room.says("go", 2)
        room.rest()
        first, second, *others = keys
        assert first == second
        assert len({first, *others}) == 3
        assert all(one != two for one, two in keys)


# -- step by step ------------------------------------------------------------------------------------------------------


def test_only_the_alarm_of_the_open_question_ends_it() -> None:
    session, effects = after(running(), Asked(G1, TIMED, ""))
    (alarm,) = of(ArmAlarm, effects)
    assert (alarm.alarm, alarm.after_s, alarm.question) == (Alarm.QUESTION, 60.0, TIMED.key)
    late = Rang(G1, Alarm.QUESTION, question="an earlier one")
    assert isinstance(after(session, late)[0].phase, Asking)
    session, effects = after(session, Rang(G1, Alarm.QUESTION, question=TIMED.key))
    assert isinstance(session.phase, Running)
    assert of(QuestionLapsed, effects) == [QuestionLapsed(session.id, TIMED.key, Lapse.TIMED_OUT, NOW)]
    assert [act.answer for act in of(Confirm, effects)] == [Lapse.TIMED_OUT]


def test_a_question_without_a_time_out_has_no_alarm() -> None:
    assert of(ArmAlarm, after(running(), Asked(G1, QUESTION, ""))[1]) == []


def test_only_the_death_of_its_own_delivery_ends_a_question() -> None:
    session = asking()
    assert isinstance(session.phase, Asking)
    assert isinstance(after(session, Undelivered("another"))[0].phase, Asking)
    session, effects = after(session, Undelivered(session.phase.question.delivery))
    assert isinstance(session.phase, Running)
    assert [fact.lapse for fact in of(QuestionLapsed, effects)] == [Lapse.UNDELIVERED]


def test_a_lapsed_question_is_no_reason_to_go_on() -> None:
    for lapse in Lapse:
        session = interrupted_asking(question=replace(QUESTION, lapsed=lapse, after=InboxId(2)))
        for event in (Woke(), Resumed(InterruptReason.RESTART_INTERRUPTED)):
            assert isinstance(after(session, event)[0].phase, Interrupted)
        _, effects = after(session, Arrived(said(3)))
        assert of(QuestionAnswered, effects) == []
        assert [fact.lapse for fact in of(QuestionLapsed, effects)] == [lapse]
        assert [(it.run.cause, it.run.work) for it in of(RunOpened, effects)] == [(RunCause.INBOUND, G1)]


def test_what_waits_behind_a_question_waits_no_longer_than_that() -> None:
    question = replace(TIMED, asked_at=NOW, after=InboxId(2))
    session, effects = after(interrupted_asking(question=question, waiting=(said(2),), inbox_cursor=InboxId(2)), Woke())
    assert of(ArmIdle, effects) == [ArmIdle(60.0)]
    assert of(ArmIdle, after(session, IdleRang(), now=NOW + 20)[1]) == [ArmIdle(40.0)]
    _, effects = after(session, IdleRang(), now=NOW + 60)
    assert len(of(RunOpened, effects)) == len(of(QuestionLapsed, effects)) == 1


def test_a_lapse_that_the_transcript_tells_of_is_not_told_again_after_a_restart() -> None:
    """Found by seed 720137: the session could not be woken any more."""

    async def agent(turn: Turn) -> str:
        with pytest.raises(QuestionTimedOutError):
            await turn.ask_user("Which?", timeout_s=60)
        await asyncio.sleep(600)
        return f"white: {turn.text}"

    with Scenario(agent) as room:
        room.says("paint")
        room.advance(100)
        room.restart()
        room.rest()
        assert room.decisions() == ["AWAITING_USER"]
        room.says("red")
        room.rest()
        assert room.visible() == ["Which?", "white: paint\nred"]
        assert [row.kind for row in room.transcript()].count("lapsed") == 1
        assert room.broken() == []
