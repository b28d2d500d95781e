"""Bugs of the field, planted in what is asked of a user, and in what answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors import asking, concluding, draft, opening, session, tail
from greenroom.actors.model import DeliveryClass, DeliveryKind, MessageKind, TailKind
from greenroom.platforms.fakes.platform import Fault
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.scenario import Scenario


def _as_an_answer(real: Callable[..., Any]) -> Any:
    return lambda key, text, at, _kind: real(key, text, at, DeliveryKind.ANSWER)


def _any_press(_: object) -> Any:
    return lambda question, waiting: next((it for it in waiting if it.id > question.after), None)


def _does_nothing(_: object) -> Any:
    return lambda *_args: None


def _unasked(real: Callable[..., Any]) -> Any:
    """The note that a question is over ends the waiting for its person, too."""

    def after(before: Any, message: Any) -> Any:
        found = real(before, message)
        return replace(found, kind=TailKind.USER) if message.kind is MessageKind.LAPSED else found

    return after


def _rings_for_any(real: Callable[..., Any]) -> Any:
    """The time of a question that was answered ends the next one."""

    def ring(draft: Any, phase: Any, event: Any, rules: Any) -> None:
        if event.question is not None and hasattr(phase, "question"):
            event = replace(event, question=phase.question.key)
        real(draft, phase, event, rules)

    return ring


def _lets_all_of_the_open_question_pass(real: Any) -> Any:
    def turn_presses_away(draft: Any) -> None:
        question = getattr(draft.phase, "question", None)
        if question is None:
            real(draft)

    return turn_presses_away


def _keeps_alarms(real: Callable[..., Any]) -> Any:
    def move(draft: Any, *args: Any) -> None:
        real(draft, *args)
        draft.acts[:] = [act for act in draft.acts if type(act).__name__ != "CancelAlarms"]

    return move


def _presses_an_old_button(told: Scenario, _: int) -> None:
    told.says("m1 pick pick answer")
    told.advance(10)
    told.presses(told.messages()[0].id, "left")
    told.advance(10)
    told.presses(told.messages()[0].id, "right")
    told.advance(10)
    told.says("r3")


def _presses_twice_while_it_is_down(told: Scenario, _: int) -> None:
    told.says("m1 pick answer")
    told.advance(10)
    told.crash()
    told.presses("m1", "left")
    told.presses("m1", "right")
    told.boot()


def _says_nothing_and_crashes(told: Scenario, _: int) -> None:
    told.says("m1 hurried doze answer")
    told.advance(40)
    told.restart()
    told.advance(10)
    told.says("r2")


def _answers_an_hour_later(told: Scenario, _: int) -> None:
    told.says("m1 hurried answer")
    told.advance(10)
    told.drain()
    told.stays_down(3_600)
    told.boot()
    told.advance(5)
    told.says("r2")


def _answers_one_and_thinks_about_the_next(told: Scenario, _: int) -> None:
    told.says("m1 hurried question answer")
    told.advance(20)
    told.says("r2")
    told.advance(100)
    told.says("r3")


def _is_stopped_while_it_asks(told: Scenario, seed: int) -> None:
    told.says("m1 question answer")
    told.advance(10)
    if seed % 2:
        told.restart()
    told.says("/new" if seed % 3 else "/stop")
    told.advance(5)


def _cannot_be_asked(told: Scenario, _: int) -> None:
    told.platform_fails(Fault.REFUSED)
    told.says("m1 question answer")
    told.advance(10)


MUTANTS = (
    Mutant(
        "a late press answers the next question",
        "whoever presses a button answers what is open, whatever the button belongs to",
        (
            *(Swap(each, "answer_to", _any_press) for each in (asking, session, opening)),
            Swap(session, "turn_presses_away", _does_nothing),
        ),
        frozenset({"an_answer_is_of_its_own_question"}),
        story(_presses_an_old_button, buttons=True),
    ),
    Mutant(
        "a second press is a message",
        "who presses a button twice while the process is down says something new to the agent",
        (Swap(session, "turn_presses_away", _lets_all_of_the_open_question_pass),),
        frozenset({"a_press_is_no_message"}),
        story(_presses_twice_while_it_is_down, buttons=True),
    ),
    Mutant(
        "a question that timed out is resumed",
        "a question that is over counts as work that was interrupted",
        (Swap(tail, "_after_system", _unasked),),
        frozenset({"a_question_is_no_reason_to_resume"}),
        story(_says_nothing_and_crashes),
    ),
    Mutant(
        "no time-out after a restart",
        "a question without a process waits for ever: an hour later words are its answer",
        tuple(Swap(each, "lapse_of", _does_nothing) for each in (session, opening)),
        frozenset({"a_question_waits_as_long_as_it_says"}),
        story(_answers_an_hour_later),
    ),
    Mutant(
        "the alarm of an answered question ends the next",
        "an alarm that nobody cancelled ends whatever question is open",
        (
            Swap(session, "take_answer", _keeps_alarms),
            Swap(session, "put_question", _keeps_alarms),
            Swap(session, "_ring", _rings_for_any),
        ),
        frozenset({"a_question_waits_as_long_as_it_says"}),
        story(_answers_one_and_thinks_about_the_next),
    ),
    Mutant(
        "an anchor answers",
        "what takes an anchor's place counts as an answer, also when it asks",
        (Swap(draft, "DeliveryFilled", _as_an_answer),),
        frozenset({"what_asks_is_called_a_question"}),
        story(_is_stopped_while_it_asks, policy=Policy(placeholder_after_s=0.0)),
    ),
    Mutant(
        "a stopped question stays open",
        "a user's stop ends the run, and leaves the row of what it asked as it was",
        (Swap(concluding, "end_question", _does_nothing),),
        frozenset({"a_question_ends_with_its_work"}),
        story(_is_stopped_while_it_asks),
    ),
    Mutant(
        "an undelivered question is waited for",
        "nobody hears that a question became a dead letter",
        (Swap(session, "lose_question", _does_nothing),),
        frozenset({"who_cannot_be_asked_is_not_waited_for"}),
        story(
            _cannot_be_asked,
            platforms=[DeliveryClass.NATIVE_KEY],
            policy=Policy(placeholder_after_s=1_000.0, silent_max_s=0.0, run_max_s=0.0),
        ),
    ),
)
