"""Bugs of the field, planted in what becomes of messages that come while a run works, and in what shows meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors import session, steering
from greenroom.actors.acts import ArmAlarm, ShowTyping
from greenroom.actors.events import Alarm, Rang
from greenroom.actors.model import OpenRun
from greenroom.actors.rules import Busy, Rules
from greenroom.actors.state import Interrupted, Running
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox import stories
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.actors.draft import Draft
    from greenroom.supervisor.sandbox.scenario import Scenario

INTERRUPTED = Policy(busy=Busy.INTERRUPT)
STEERED = Policy(busy=Busy.STEER)


def _says_nothing(_: Any) -> Any:
    return lambda *_args, **_words: None


def _begins_other_work(real: Any) -> Any:
    """The run that follows knows of the message that ended the one before, and of nothing else."""

    def open_run(draft: Draft, *args: Any) -> None:
        assert isinstance(draft.phase, Interrupted)  # noqa: S101 - it is called for nothing else
        other = OpenRun(**{name: getattr(draft.phase.run, name) for name in OpenRun.__struct_fields__})
        draft.phase = replace(draft.phase, run=replace(other, work=draft.generation + 1))
        real(draft, *args)

    return open_run


def _covers_no_more(real: Any) -> Any:
    """The run that took a message answers what it was begun with."""

    def hand_over(draft: Draft, phase: Any, *args: Any) -> None:
        real(draft, phase, *args)
        if isinstance(draft.phase, Running):
            draft.phase = replace(draft.phase, upto=phase.upto)

    return hand_over


def _tells_nobody(real: Any) -> Any:
    def hand_over(draft: Draft, *args: Any) -> None:
        facts, acts = len(draft.facts), len(draft.acts)
        real(draft, *args)
        draft.facts[facts:] = [fact for fact in draft.facts[facts:] if type(fact).__name__ != "DeliveryOpened"]
        draft.acts[acts:] = [act for act in draft.acts[acts:] if type(act).__name__ != "Deliver"]

    return hand_over


def _types_on(real: Any) -> Any:
    """That somebody types is a timer of its own, which asks for no phase."""

    def ring(draft: Draft, phase: Any, event: Rang, rules: Rules) -> None:
        if event.alarm is Alarm.TYPING:
            draft.do(ShowTyping())
        else:
            real(draft, phase, event, rules)

    return ring


def _arms_on(real: Any) -> Any:
    def put_question(draft: Draft, *args: Any) -> None:
        real(draft, *args)
        draft.do(ArmAlarm(draft.generation, Alarm.TYPING, 30.0))

    return put_question


def _writes_while_it_works(room: Scenario, _seed: int) -> None:
    room.says("m1 once nap say doze answer")
    room.advance(10)
    room.says("m2 answer")


def _steers_while_it_works(room: Scenario, _seed: int) -> None:
    room.says("m1 nap listen answer")
    room.advance(1)
    room.says("m2 answer")


MUTANTS = (
    Mutant(
        "an interruption is not heard",
        "the policy is to interrupt, and the run goes on beside its user's message",
        (Swap(session, "meet_run", _says_nothing),),
        frozenset({"who_interrupts_is_heard"}),
        story(_writes_while_it_works, policy=INTERRUPTED),
    ),
    Mutant(
        "an interruption forgets the request",
        "the run that follows is new work: what was begun for the request before is not known in it",
        (Swap(steering, "open_run", _begins_other_work),),
        frozenset({"what_ends_a_run_takes_over_its_work", "a_stored_result_is_not_asked_for_again"}),
        story(_writes_while_it_works, policy=INTERRUPTED),
    ),
    Mutant(
        "typing while the person is asked",
        "it is shown that somebody is typing while the agent waits for an answer",
        (Swap(session, "_ring", _types_on), Swap(session, "put_question", _arms_on)),
        frozenset({"nobody_types_without_work"}),
        story(stories.leaves_a_question),
    ),
    Mutant(
        "what steers is not answered",
        "a running agent takes a message, and its answer does not cover it",
        (Swap(session, "hand_over", _covers_no_more),),
        frozenset({"what_is_stored_is_answered", "answers_cover_what_they_claim"}),
        story(_steers_while_it_works, policy=STEERED),
    ),
    Mutant(
        "who steers is told nothing",
        "a running agent takes a message, and its person does not know",
        (Swap(session, "hand_over", _tells_nobody),),
        frozenset({"who_steers_is_told"}),
        story(_steers_while_it_works, policy=STEERED),
    ),
)
