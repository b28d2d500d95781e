"""Buttons under questions: how they reach a platform, and what a press answers, in time and late."""

import asyncio
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from tests.actors.session_stage import (
    G1,
    INTERRUPTED,
    NOW,
    QUESTION,
    after,
    asking,
    fresh,
    interrupted_asking,
    of,
    run,
    running,
    said,
)

from greenroom.actors.calls import Edit, Post
from greenroom.actors.commands import Command
from greenroom.actors.entry import DeliveryPolicy, Entry, OutboxLimits, Ways, fill, next_call
from greenroom.actors.events import Arrived, Drained, Woke
from greenroom.actors.facts import InboundSettled, InboundTaken, QuestionAnswered, RunOpened
from greenroom.actors.model import (
    Delivery,
    DeliveryClass,
    DeliveryKind,
    DeliveryState,
    InboxId,
    InterruptReason,
    Lapse,
    SessionId,
    SessionKey,
)
from greenroom.actors.ports import Choices, QuestionTimedOutError, Traits, Turn
from greenroom.actors.state import Asking, Running
from greenroom.supervisor.sandbox.scenario import Scenario

KEY = SessionKey("p1", "bot", "chat1")
ASKS = Delivery("1.1.answer", SessionId(1), KEY, DeliveryKind.QUESTION, None, DeliveryState.OPEN)
OVER = "(That question is over, so this changed nothing. Write to me if you want something else.)"


def calls_for(text: str, *, buttons: bool, message_ids: tuple[str, ...] = (), text_max: int = 50) -> list[object]:
    """The calls that show a question, one a part."""
    rule = DeliveryClass.EDIT_ANCHOR if message_ids else DeliveryClass.NATIVE_KEY
    traits = Traits(rule, text_max=text_max, buttons=buttons)
    ways = Ways.of(traits, DeliveryPolicy.EXACTLY_ONCE, "store001", OutboxLimits())
    entry = fill(ways, Entry(replace(ASKS, message_ids=message_ids)), text, ("yes", "no"))
    assert entry.parts is not None
    return [next_call(ways, replace_done(entry, done)) for done in range(len(entry.parts))]


def replace_done(entry: Entry, done: int) -> Entry:
    return replace(entry, done=done)


def test_a_platform_with_buttons_is_given_them_and_no_list() -> None:
    (call,) = calls_for("Deploy?", buttons=True)
    assert isinstance(call, Post)
    assert (call.message.text, call.message.choices) == ("Deploy?", Choices("1.1.answer", ("yes", "no")))


def test_an_anchor_gets_its_buttons_with_the_words() -> None:
    (call,) = calls_for("Deploy?", buttons=True, message_ids=("m1",))
    assert call == Edit(KEY, "m1", "Deploy?", choices=Choices("1.1.answer", ("yes", "no")))


def test_a_platform_without_buttons_is_given_a_list_and_no_buttons() -> None:
    (call,) = calls_for("Deploy?", buttons=False)
    assert isinstance(call, Post)
    assert (call.message.text, call.message.choices) == ("Deploy?\n- yes\n- no", None)


def test_of_many_parts_the_last_one_has_the_buttons() -> None:
    calls = calls_for("word " * 30, buttons=True)
    found = [call.message.choices for call in calls if isinstance(call, Post)]
    assert len(found) > 2
    assert [each is not None for each in found] == [False] * (len(found) - 1) + [True]


# -- step by step ------------------------------------------------------------------------------------------------------


def press(number: int, question: str, text: str = "red") -> Arrived:
    return Arrived(replace(said(number, text), answers=question))


def test_a_press_answers_its_own_question() -> None:
    session, effects = after(asking(), press(2, "1.1.answer"))
    assert isinstance(session.phase, Running)
    assert [fact.answer for fact in of(QuestionAnswered, effects)] == ["red"]


def test_a_press_of_another_question_answers_nothing_and_its_person_is_told() -> None:
    session, effects = after(asking(), press(2, "1.0.answer"))
    assert isinstance(session.phase, Asking)
    assert of(QuestionAnswered, effects) == of(InboundTaken, effects) == []
    assert [fact.inbox_id for fact in of(InboundSettled, effects)] == [2]
    assert session.waiting == ()


@pytest.mark.parametrize("question", ["1.1.answer", "0.1.answer"])
def test_a_press_where_nothing_is_asked_starts_no_run(question: str) -> None:
    _, effects = after(running(), press(2, question))
    assert len(of(InboundSettled, effects)) == 1
    assert of(RunOpened, effects) == []


def test_a_press_on_a_question_that_lapsed_meanwhile_is_the_late_word_of_its_person() -> None:
    lapsed = replace(QUESTION, lapsed=Lapse.TIMED_OUT, delivery="1.1.answer", after=InboxId(2))
    _, effects = after(interrupted_asking(question=lapsed), press(3, "1.1.answer"))
    assert of(InboundSettled, effects) == of(QuestionAnswered, effects) == []
    assert len(of(RunOpened, effects)) == len(of(InboundTaken, effects)) == 1


def test_a_press_during_a_drain_is_left_to_the_next_process() -> None:
    session, effects = after(running(), Drained(InterruptReason.RESTART_TIMEOUT), press(2, "0.1.answer"))
    assert effects.facts == ()
    assert [inbound.answers for inbound in session.waiting] == ["0.1.answer"]


def test_what_waited_is_sorted_when_the_session_wakes() -> None:
    question = replace(QUESTION, delivery="1.1.answer", after=InboxId(2), asked_at=NOW)
    late, own = (replace(said(n, f"{n}"), answers=of_) for n, of_ in ((3, "1.0.answer"), (4, "1.1.answer")))
    session = interrupted_asking(question=question, waiting=(late, own), inbox_cursor=InboxId(4))
    _, effects = after(session, Woke())
    assert [fact.inbox_id for fact in of(InboundSettled, effects)] == [3]
    assert [fact.answer for fact in of(QuestionAnswered, effects)] == ["4"]
    assert [it.run.generation for it in of(RunOpened, effects)] == [G1 + 1]


def test_a_press_that_waited_is_no_part_of_the_run_that_an_order_begins() -> None:
    """Found by seed 179531315300194."""
    waits = replace(said(3, "left"), answers="0.1.answer")
    session = fresh(generation=G1, run=run(), tail=INTERRUPTED, waiting=(waits,), inbox_cursor=InboxId(3))
    order = replace(said(4, ""), command=Command.RESUME)
    _, effects = after(session, Arrived(order))
    assert len(of(RunOpened, effects)) == 1
    assert of(InboundTaken, effects) == []
    assert sorted(fact.inbox_id for fact in of(InboundSettled, effects)) == [3, 4]


# -- stories -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=list(DeliveryClass))
def room(request: pytest.FixtureRequest) -> Iterator[Scenario]:
    async def agent(turn: Turn) -> str:
        colour = await turn.ask_user("Which?", ["red", "blue"])
        try:
            size = await turn.ask_user("And?", ["big", "small"], timeout_s=60)
        except QuestionTimedOutError:
            size = "medium"
        return f"{size} {colour}"

    with Scenario(agent, platforms=[request.param], buttons=True) as opened:
        yield opened


def test_a_press_answers_and_a_second_one_on_the_old_question_is_over(room: Scenario) -> None:
    room.says("paint")
    room.rest()
    (first,) = room.messages()
    assert (first.text, first.choices) == ("Which?", Choices("1.1.answer", ("red", "blue")))
    room.presses(first.id, "red")
    room.advance(10)
    room.presses(first.id, "blue")
    room.advance(10)
    assert room.visible() == ["Which?", "And?", OVER]
    room.restart()
    room.advance(10)
    room.presses(room.messages()[1].id, "big")
    room.rest()
    assert room.visible()[3:] == ["big red"]
    room.presses(first.id, "blue")
    room.rest()
    assert room.visible()[4:] == [OVER]
    assert room.broken() == []


@pytest.mark.parametrize("order", ["/stop", "/new"])
def test_an_order_that_drops_what_waits_in_a_session_set_aside_makes_no_message_of_a_press(order: str) -> None:
    """Found by seed 1751004163: the agent was handed two presses on one question."""

    async def agent(turn: Turn) -> str:
        return await turn.ask_user("Which?", ["red", "blue"])

    with Scenario(agent, buttons=True) as room:
        room.says("paint")
        room.rest()
        first = room.messages()[0].id
        room.presses(first, "red")
        room.rest()
        room.crash()
        room.given("UPDATE sessions SET quarantined_at = 1, quarantine_reason = 'for the test'")
        room.boot()
        room.presses(first, "blue")
        room.advance(1)
        room.says(order)
        room.advance(1)
        assert [row.text for row in room.transcript() if row.role == "user"] == ["paint", "red"]
        assert "dropped" not in room.visible()[-1]
        assert [each for each in room.broken() if "without a word" not in each.detail] == []


def test_a_late_press_after_the_time_out_answers_nothing(room: Scenario) -> None:
    room.says("paint")
    room.rest()
    room.presses(room.messages()[0].id, "blue")
    room.rest()
    assert room.visible() == ["Which?", "And?", "medium blue"]
    room.presses(room.messages()[1].id, "big")
    room.rest()
    assert room.visible()[3:] == [OVER]
    assert [row.answer for row in room.of_session("questions")] == ["blue", None]
    assert room.broken() == []


def test_a_late_press_while_the_process_is_down_keeps_no_interrupted_work_from_going_on() -> None:
    async def agent(turn: Turn) -> str:
        colour = await turn.ask_user("Which?", ["red", "blue"])
        await asyncio.sleep(30)
        return colour

    with Scenario(agent, platforms=[DeliveryClass.NATIVE_KEY], buttons=True) as told:
        told.says("paint")
        told.rest()
        (question,) = told.messages()
        told.presses(question.id, "red")
        told.advance(10)
        told.crash()
        told.presses(question.id, "blue")
        told.boot()
        told.rest()
        assert told.visible() == ["Which?", "red", OVER]
        assert told.broken() == []


def test_of_two_presses_while_the_process_is_down_the_first_answers_and_the_second_changes_nothing() -> None:
    """Found by a storm: the agent was handed the second press as a new message."""
    with Scenario(buttons=True) as room:
        room.says("m1 pick answer")
        room.advance(10)
        room.crash()
        (asked,) = room.messages()
        room.presses(asked.id, "left")
        room.presses(asked.id, "right")
        room.boot()
        room.rest()
        assert [row.text for row in room.transcript() if row.role == "user"] == ["m1 pick answer", "left"]
        assert OVER in room.visible()
        assert room.broken() == []
