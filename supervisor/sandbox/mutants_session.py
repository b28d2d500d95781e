"""Bugs of the field, planted in what a session and its run decide."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec.structs import replace

from greenroom.actors import asking, inquiry, opening, session, session_actor, toolbox
from greenroom.actors.acts import ArmAlarm, CallOff, CancelAlarms
from greenroom.actors.draft import Draft
from greenroom.actors.events import Alarm, Rang, RunEnded, RunEvent
from greenroom.actors.keys import note_key
from greenroom.actors.lines import STEERED_LINE
from greenroom.actors.model import MessageKind, OpenRun, Role, RunCause, ToolCall
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.state import Asking, Idle, Running
from greenroom.actors.toolbox import Toolbox
from greenroom.actors.tools import Call, InDoubt, Replay
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox import stories, stories_drain
from greenroom.supervisor.sandbox.faults import Mix
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

BUSY = Mix(lives_max=12)


NOTICED = Policy(notice_first_s=20.0, notice_every_s=30.0, drain_s=120.0)
"""A run's person hears soon and often that it lasts."""


def _acts_first(_: object) -> Any:
    """Show the answer, then store it."""

    def commit(self: Any, after: Any, effects: Any) -> None:
        if effects.facts:
            self._session = after
            self._perform(effects.acts)
            self._pending = (after, ())
            self._house.store.write(effects.facts, lambda told: self.hear(session_actor.Written(told)))
        else:
            self._session = after
            self._perform(effects.acts)

    return commit


def _takes_late_events(real: Callable[..., Any]) -> Any:
    """An event of an older run counts for the run that works now."""

    def step(state: Any, event: Any, now: float, rules: Any) -> Any:
        if isinstance(event, RunEvent):
            event = replace(event, generation=state.generation)
        return real(state, event, now, rules)

    return step


def _begins_at_completion(real: Callable[..., Any]) -> Any:
    def step(state: Any, event: Any, now: float, rules: Any) -> Any:
        if isinstance(event, RunEnded) and isinstance(state.phase, Idle):
            draft = Draft(state, now)
            opening.open_run(draft, RunCause.INBOUND, rules)
            return draft.result()
        return real(state, event, now, rules)

    return step


def _noted_twice(real: Callable[..., Any]) -> Any:
    """The boot writes its note, and the run writes one too."""

    def tell(draft: Draft, *args: Any) -> Any:
        note = real(draft, *args)
        if note is not None:
            key = f"{note_key(draft.generation)}.again"
            draft.append(key, Role.SYSTEM, note, kind=MessageKind.RECOVERY_NOTE)
        return note

    return tell


def _arms_beside(real: Callable[..., None]) -> Any:
    """What is armed anew does not replace what was armed before, and is not found when it is to be cancelled."""
    number = count()

    def arm(self: Any, act: Any) -> None:
        if isinstance(act, ArmAlarm):
            self._alarms.set((act.alarm, next(number)), act.after_s, Rang(act.generation, act.alarm))
        else:
            real(self, act)

    return arm


def _without_acts(kind: type) -> Callable[[Any], Any]:
    """Forget to let these be done."""

    def make(real: Callable[..., None]) -> Any:
        def move(draft: Draft, *args: Any) -> None:
            before = len(draft.acts)
            real(draft, *args)
            draft.acts[before:] = [act for act in draft.acts[before:] if not isinstance(act, kind)]

        return move

    return make


def _rings_in_a_drain(real: Callable[..., Any]) -> Any:
    """A notice does not look whether the process is about to end."""

    def ring(draft: Draft, *args: Any) -> None:
        draining, draft.draining = draft.draining, None
        real(draft, *args)
        draft.draining = draining

    return ring


def _rings_while_asking(real: Callable[..., None]) -> Any:
    def ring(draft: Draft, phase: Any, event: Rang, rules: Any) -> None:
        if isinstance(phase, Asking) and event.alarm is Alarm.NOTICE:
            phase = Running(phase.run, phase.segment, phase.upto, anchored=phase.anchored)
        real(draft, phase, event, rules)

    return ring


def _noted_aloud(real: Callable[..., Any]) -> Any:
    def tell(draft: Draft, *args: Any) -> Any:
        note = real(draft, *args)
        if note is not None:
            draft.say_line("note", note, reply_to=None)
        return note

    return tell


def _of_this_attempt(real: Callable[..., str]) -> Any:
    drawn = count(1)
    return lambda *args: f"{real(*args)}.{next(drawn)}"


def _decides(kind: type) -> Callable[[Any], Any]:
    """Call the tool where the ledger says otherwise."""

    def make(real: Callable[..., Any]) -> Any:
        def decide(*args: Any) -> Any:
            decided = real(*args)
            return Call() if isinstance(decided, kind) else decided

        return decide

    return make


def _fresh_key(real: Callable[..., Any]) -> Any:
    """Each attempt calls under a key of its own."""

    async def run(self: Any, call: ToolCall, args: dict[str, Any], fn: Callable[..., Any]) -> Any:
        return await real(self, replace(call, key=f"{call.key}.{self._link.generation}"), args, fn)

    return run


def _lands_in_the_run(_: object) -> Any:
    """A message that comes during a run is a row at once, before the answer, and counts as answered by it.

    Its person is told that it was passed on, so that nothing but the answer is wrong.
    """

    def meet_run(draft: Draft, phase: Running, _rules: Any) -> None:
        for inbound in draft.waiting:
            phase = replace(phase, upto=draft.append_user(inbound).seq)
            draft.say_line(f"steered.{inbound.id}", STEERED_LINE, reply_to=inbound.reply_to)
        draft.waiting = ()
        draft.move(phase)

    return meet_run


def _stamped_by_restarts(real: Callable[..., OpenRun]) -> Any:
    def next_run(draft: Draft, *args: Any, **words: Any) -> OpenRun:
        return replace(real(draft, *args, **words), last_progress_at=draft.now)

    return next_run


def _first_that_waits(_: object) -> Any:
    return lambda _question, waiting: next(iter(waiting), None)


MUTANTS = (
    Mutant(
        "save after send",
        "acts are performed before their facts are on disk",
        (Swap(SessionActor, "_commit", _acts_first),),
        frozenset({"nothing_is_shown_before_it_is_stored"}),
        story(stories.dies_while_the_disk_refuses),
    ),
    Mutant(
        "late event of an old generation",
        "the guard against events of older runs is gone",
        (Swap(session_actor, "step", _takes_late_events),),
        frozenset({"no_phantom_run", "answers_cover_what_they_claim", "no_message_is_answered_twice"}),
        story(stories.is_answered_late, policy=Policy(silent_max_s=120.0)),
    ),
    Mutant(
        "recovery note twice",
        "the boot and the run each write a note",
        (Swap(opening, "_tell_of_interruption", _noted_twice),),
        frozenset({"one_note_for_each_interruption"}),
        story(stories.dies_at_work),
    ),
    Mutant(
        "two notifiers",
        "a notifier that is armed again leaves the first one alive",
        (Swap(SessionActor, "_arm", _arms_beside),),
        frozenset({"there_is_one_notifier"}),
        story(stories.works_long_after_a_question, policy=NOTICED),
    ),
    Mutant(
        "notice while a question waits",
        "the notifier does not know that the run waits for its person",
        (Swap(session, "put_question", _without_acts(CancelAlarms)), Swap(session, "_ring", _rings_while_asking)),
        frozenset({"a_notice_needs_a_worker"}),
        story(stories.leaves_a_question, policy=NOTICED),
    ),
    Mutant(
        "stale alarm after a drain",
        "the notifier of a run outlives the order to end",
        (Swap(session, "_drain", _without_acts(CancelAlarms)), Swap(session, "_ring", _rings_in_a_drain)),
        frozenset({"a_drain_is_silent"}),
        story(stories_drain.drained_after_a_notice, policy=NOTICED),
    ),
    Mutant(
        "run begun in a drain",
        "what waits is handed to a run although the process is to end",
        (Swap(session, "_may_begin", lambda _: lambda draft: bool(draft.waiting)),),
        frozenset({"a_drain_begins_nothing"}),
        story(stories_drain.drained_with_a_queue, policy=Policy(drain_s=120.0)),
    ),
    Mutant(
        "run that waited begins in a drain",
        "a run that was opened before the order to end calls its agent after it, when the one before has ended",
        (Swap(session, "_drain", _without_acts(CallOff)),),
        frozenset({"a_drain_begins_nothing"}),
        story(stories_drain.drained_while_a_run_waits, policy=Policy(drain_s=120.0)),
    ),
    Mutant(
        "completion of an ended run starts another",
        "a run that was given up ends at last, and its session takes that for a reason to work",
        (Swap(session_actor, "step", _begins_at_completion),),
        frozenset({"no_phantom_run"}),
        story(stories.is_given_up, policy=Policy(silent_max_s=20.0)),
    ),
    Mutant(
        "note of the interruption shown to its person",
        "what the agent is told of the interruption is sent to the chat as well",
        (Swap(opening, "_tell_of_interruption", _noted_aloud),),
        frozenset({"a_note_is_for_the_agent"}),
        story(stories.dies_at_work),
    ),
    Mutant(
        "question asked again after a restart",
        "each attempt asks under a key of its own",
        (Swap(inquiry, "question_key", _of_this_attempt),),
        frozenset({"a_question_is_asked_once"}),
        story(stories.answered_and_restarted),
    ),
    Mutant(
        "once tool called again",
        "a call in doubt is simply made again",
        (Swap(toolbox, "decide_tool", _decides(InDoubt)),),
        frozenset({"once_is_once"}),
        story(stories.dies_in_a_tool("once")),
    ),
    Mutant(
        "stored result forgotten",
        "a call whose result is stored is made again",
        (Swap(toolbox, "decide_tool", _decides(Replay)),),
        frozenset({"a_stored_result_is_not_asked_for_again"}),
        story(stories.dies_after_a_tool("pure")),
    ),
    Mutant(
        "keyed tool with a fresh key",
        "each attempt calls under a key of its own",
        (Swap(Toolbox, "_run", _fresh_key),),
        frozenset({"a_keyed_tool_has_one_key"}),
        story(stories.dies_in_a_tool("keyed")),
    ),
    Mutant(
        "answered by row order",
        "what stands before an answer counts as answered, also what landed during the run",
        (Swap(session, "meet_run", _lands_in_the_run),),
        frozenset({"answers_cover_what_they_claim"}),
        story(stories.writes_during_a_long_run),
    ),
    Mutant(
        "attempt counted after dispatch",
        "an attempt that dies is not counted",
        (Swap(opening, "_counts", lambda _: lambda *_args, **_words: False),),
        frozenset({"attempts_are_counted"}),
        story(stories.dies_at_work),
    ),
    Mutant(
        "outage blamed on the work",
        "an attempt that found its provider down is counted as one that got nowhere",
        (Swap(opening, "_counts", lambda _: lambda *_args, **_words: True),),
        frozenset({"attempts_are_counted"}),
        story(stories.finds_the_provider_down),
    ),
    Mutant(
        "put off and forgotten",
        "the timer of the next try is armed, and nobody listens to it",
        (Swap(session, "_retry", lambda _: lambda *_: None),),
        frozenset({"no_run_stays_open", "what_is_stored_is_answered"}),
        story(stories.finds_the_provider_down),
    ),
    Mutant(
        "freshness stamped by restarts",
        "each restart makes old work look new",
        (Swap(opening, "_next_run", _stamped_by_restarts),),
        frozenset({"old_work_does_not_wake"}),
        story(stories.keeps_restarting, policy=Policy(fresh_s=400.0, attempts_max=100, unclean_boots_max=100)),
    ),
    Mutant(
        "question answered by an older message",
        "whatever waits counts as the answer, also what was said before the question",
        (*(Swap(each, "answer_to", _first_that_waits) for each in (asking, session, opening)),),
        frozenset({"an_answer_comes_after_its_question"}),
        story(stories.waits_while_asked),
    ),
)
