"""Bugs of the field, planted in what a session and its run decide."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors import opening, session, session_actor, toolbox
from greenroom.actors.acts import ArmAlarm
from greenroom.actors.draft import Draft
from greenroom.actors.events import Rang, RunEvent
from greenroom.actors.keys import note_key
from greenroom.actors.model import MessageKind, OpenRun, Role, ToolCall
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.state import Running
from greenroom.actors.toolbox import Toolbox
from greenroom.actors.tools import Call, InDoubt, Replay
from greenroom.storage.faulty_disk import FaultKind
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.faults import Mix
from greenroom.supervisor.sandbox.mutant import Mutant, Swap, story

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.scenario import Scenario

BUSY = Mix(lives_max=12)


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


def _noted_twice(real: Callable[..., Any]) -> Any:
    """The boot writes its note, and the run writes one too."""

    def tell(draft: Draft, *args: Any) -> Any:
        note = real(draft, *args)
        if note is not None:
            key = f"{note_key(draft.generation)}.again"
            draft.append(key, Role.SYSTEM, note, kind=MessageKind.RECOVERY_NOTE)
        return note

    return tell


def _arms_beside(_: object) -> Any:
    """What is armed anew does not replace what was armed before, and is not found when it is to be cancelled."""
    number = count()

    def arm(self: Any, act: ArmAlarm) -> None:
        self._alarms.set((act.alarm, next(number)), act.after_s, Rang(act.generation, act.alarm))

    return arm


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


def _lands_in_the_run(real: Callable[..., Any]) -> Any:
    """A message that comes during a run is a row at once, before the answer, and counts as answered by it."""

    def arrive(draft: Draft, inbound: Any, rules: Any) -> None:
        if isinstance(draft.phase, Running) and inbound.id > draft.cursor:
            draft.cursor = inbound.id
            draft.move(replace(draft.phase, upto=draft.append_user(inbound).seq))
        else:
            real(draft, inbound, rules)

    return arrive


def _stamped_by_restarts(real: Callable[..., OpenRun]) -> Any:
    def next_run(draft: Draft, *args: Any) -> OpenRun:
        return replace(real(draft, *args), last_progress_at=draft.now)

    return next_run


def _first_that_waits(_: object) -> Any:
    return lambda _question, waiting: next(iter(waiting), None)


def _late_answer(told: Scenario, _: int) -> None:
    told.says("m1 doze stubborn")
    told.advance(10)
    told.says("m2 nap answer")


def _second_message_during_the_run(told: Scenario, _: int) -> None:
    told.says("m1 stubborn")
    told.advance(10)
    told.says("m2 answer")


def _waits_while_asked(told: Scenario, _: int) -> None:
    told.says("m1 nap question answer")
    told.advance(1)
    told.says("m2 answer")
    told.advance(20)
    told.says("r3")


def _works_long_after_a_question(told: Scenario, _: int) -> None:
    told.says("m1 question doze answer")
    told.advance(10)
    told.says("r2")


def _keeps_restarting(told: Scenario, _: int) -> None:
    told.says("m1 hang")
    told.advance(5)
    for _ in range(6):
        told.restart(after_s=300)
        told.advance(5)


def _dies_while_the_disk_refuses(told: Scenario, _: int) -> None:
    told.says("m1 nap answer")
    told.advance(2)
    told.disk_fails(FaultKind.FULL, "write", times=None)
    told.advance(5)
    told.restart()
    told.advance(0.1)
    told.world.mistakes.extend(str(each) for each in told.broken(at_rest=False))


def _dies_in_a_tool(policy: str) -> Callable[[Scenario, int], None]:
    def tell(told: Scenario, _: int) -> None:
        told.says(f"m1 {policy} answer")
        told.until(lambda: told.effects(policy))
        told.restart()

    return tell


def _dies_after_a_tool(told: Scenario, _: int) -> None:
    told.says("m1 once doze answer")
    told.advance(20)
    told.restart()


MUTANTS = (
    Mutant(
        "save after send",
        "acts are performed before their facts are on disk",
        (Swap(SessionActor, "_commit", _acts_first),),
        frozenset({"nothing_is_shown_before_it_is_stored"}),
        story(_dies_while_the_disk_refuses),
    ),
    Mutant(
        "late event of an old generation",
        "the guard against events of older runs is gone",
        (Swap(session_actor, "step", _takes_late_events),),
        frozenset({"no_phantom_run", "answers_cover_what_they_claim", "no_message_is_answered_twice"}),
        story(_late_answer, policy=Policy(silent_max_s=120.0)),
    ),
    Mutant(
        "recovery note twice",
        "the boot and the run each write a note",
        (Swap(opening, "_tell_of_interruption", _noted_twice),),
        frozenset({"one_note_for_each_interruption"}),
    ),
    Mutant(
        "two notifiers",
        "a notifier that is armed again leaves the first one alive",
        (Swap(SessionActor, "_arm", _arms_beside),),
        frozenset({"there_is_one_notifier"}),
        story(_works_long_after_a_question, policy=Policy(notice_first_s=20.0, notice_every_s=30.0)),
    ),
    Mutant(
        "once tool called again",
        "a call in doubt is simply made again",
        (Swap(toolbox, "decide_tool", _decides(InDoubt)),),
        frozenset({"once_is_once"}),
        story(_dies_in_a_tool("once")),
    ),
    Mutant(
        "stored result forgotten",
        "a call whose result is stored is made again",
        (Swap(toolbox, "decide_tool", _decides(Replay)),),
        frozenset({"once_is_once"}),
        story(_dies_after_a_tool),
    ),
    Mutant(
        "keyed tool with a fresh key",
        "each attempt calls under a key of its own",
        (Swap(Toolbox, "_run", _fresh_key),),
        frozenset({"a_keyed_tool_has_one_key"}),
        story(_dies_in_a_tool("keyed")),
    ),
    Mutant(
        "answered by row order",
        "what stands before an answer counts as answered, also what landed during the run",
        (Swap(session, "_arrive", _lands_in_the_run),),
        frozenset({"answers_cover_what_they_claim"}),
        story(_second_message_during_the_run),
    ),
    Mutant(
        "attempt counted after dispatch",
        "an attempt that dies is not counted",
        (Swap(opening, "_counts", lambda _: lambda *_args, **_words: False),),
        frozenset({"attempts_are_counted"}),
    ),
    Mutant(
        "freshness stamped by restarts",
        "each restart makes old work look new",
        (Swap(opening, "_next_run", _stamped_by_restarts),),
        frozenset({"old_work_does_not_wake"}),
        story(_keeps_restarting, policy=Policy(fresh_s=400.0, attempts_max=100, unclean_boots_max=100)),
    ),
    Mutant(
        "question answered by an older message",
        "whatever waits counts as the answer, also what was said before the question",
        (Swap(session, "answer_to", _first_that_waits), Swap(opening, "answer_to", _first_that_waits)),
        frozenset({"an_answer_comes_after_its_question"}),
        story(_waits_while_asked),
    ),
)
