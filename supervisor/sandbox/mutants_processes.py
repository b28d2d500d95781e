"""Bugs of the field, planted in what background processes do to their session, and in who ends them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenroom.actors import commanding, processes, session, session_actor
from greenroom.actors.acts import Confirm
from greenroom.actors.draft import Draft
from greenroom.actors.events import Matched, ProcessHeard
from greenroom.actors.house import House
from greenroom.actors.keeper import Keeper
from greenroom.actors.keys import process_key
from greenroom.actors.process_facts import ProcessConsumed, ProcessesDismissed
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.state import Idle
from greenroom.storage import statements, unfinished
from greenroom.supervisor.core import Core
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.faults import Accident
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.actors.model import SessionId
    from greenroom.supervisor.sandbox.scenario import Scenario

PATIENT = Policy(attempts_max=9, unclean_boots_max=99)


def _hears_late_matches(real: Callable[..., Any]) -> Any:
    """A match counts whenever it comes, also when the run that started its process is over."""

    def step(state: Any, event: Any, now: float, rules: Any) -> Any:
        if isinstance(event, Matched) and isinstance(state.phase, Idle):
            draft = Draft(state, now)
            processes.hear_match(draft, event)
            session._go_on(draft, rules)  # noqa: SLF001 - the bug is planted in there
            return draft.result()
        return real(state, event, now, rules)

    return step


def _forgets_who_looked(_: object) -> Any:
    """That the agent looked after its process is confirmed, and not remembered."""

    def consume(draft: Draft, event: ProcessHeard) -> None:
        draft.do(Confirm(draft.generation, process_key(event.id)))

    return consume


def _nothing(_: object) -> Any:
    return lambda *_args: None


def _forgets_the_fallen(real: Callable[[Core, Any], None]) -> Any:
    def drain(core: Core, intent: Any) -> None:
        core._bereft = None  # noqa: SLF001 - the bug is planted in there
        real(core, intent)

    return drain


def _dismisses_nothing(_: object) -> Any:
    return lambda *_args: 0


def _forgets_after_a_death(real: Callable[..., Any]) -> Any:
    """Only the actor that carried the order out ends anything."""

    def end(house: House, session_id: SessionId) -> None:
        if isinstance(sys._getframe(1).f_locals.get("self"), SessionActor):  # noqa: SLF001 - who asks
            real(house, session_id)

    return end


def _sweeps_nothing(_: object) -> Any:
    return lambda _keeper, then: then()


def _ends_nothing(_: object) -> Any:
    return lambda _keeper, then, at_once=False: then()  # noqa: ARG005 - as the real one is called


def _watches_and_talks_on(told: Scenario, seed: int) -> None:
    told.says(f"m{seed} process:watch answer")
    told.advance(7)
    told.says("m900 answer")
    told.rest()


def _looks_after_it(told: Scenario, seed: int) -> None:
    told.says(f"m{seed} process:{('kill', 'wait', 'log')[seed % 3]} answer")
    told.rest()


def _dies_beside_it(told: Scenario, seed: int) -> None:
    told.says(f"m{seed} process:forget answer")
    told.advance(2)
    told.restart()
    told.advance(10)  # The most stubborn is ended by then.
    told.world.mistakes.extend(str(each) for each in told.broken(at_rest=False))


def _ends_beside_it(told: Scenario, seed: int) -> None:
    told.says(f"m{seed} process:forget answer")
    told.advance(2)
    told.drain()


def _is_hurried_in_a_fall(told: Scenario, _seed: int) -> None:
    """The storage falls, and who ends the service twice does not wait until it stands again."""
    told.says("m1 process:forget nap answer")
    told.until(told.world.machine.living)
    told.accident(Accident.STORAGE_RAISES)
    told.says("m")
    told.until(lambda: told.life is None or told.life.core.store is None)
    told.order_drain()
    told.drain()


def _is_left_beside_it(told: Scenario, seed: int) -> None:
    told.says(f"m{seed} process:forget answer")
    told.advance(2)
    told.says("/new")
    told.rest()


def _is_stopped_beside_it(told: Scenario, seed: int) -> None:
    told.says(f"m{seed} process:forget answer")
    told.advance(2)
    told.says("/stop")
    told.rest()


def _dies_while_it_stops(told: Scenario, seed: int) -> None:
    """The session raises at each of its messages after the order, one a seed."""
    told.says(f"m{seed // 8} process:forget answer")
    told.advance(2)
    told.says("/stop")
    told.steps(seed % 8)
    told.accident(Accident.SESSION_RAISES)
    told.rest()


MUTANTS = (
    Mutant(
        "an end waits for nobody",
        "a conversation that was left keeps what runs for it, and what it was to be told of that",
        (Swap(commanding, "dismiss_processes", _dismisses_nothing),),
        frozenset({"what_was_left_is_not_awaited", "what_was_ended_runs_no_more"}),
        story(_is_left_beside_it, policy=PATIENT),
    ),
    Mutant(
        "a stop ends the run alone",
        "what runs in the background goes on after /stop, and its end starts a run",
        (Swap(commanding, "dismiss_processes", _dismisses_nothing),),
        frozenset({"what_was_ended_runs_no_more", "what_was_ended_is_not_told"}),
        story(_is_stopped_beside_it, policy=PATIENT),
    ),
    Mutant(
        "a stop is known to its actor alone",
        "that a user ended what runs is not written down",
        (Swap(statements.STATEMENTS, ProcessesDismissed, _nothing),),
        frozenset({"what_was_ended_runs_no_more", "what_was_ended_is_not_told", "what_was_asked_for_is_told"}),
        story(_is_stopped_beside_it, policy=PATIENT),
    ),
    Mutant(
        "a stop dies with its actor",
        "an actor that dies when its stop is on disk leaves running what it was about to end",
        (Swap(House, "end_unwanted", _forgets_after_a_death),),
        frozenset({"what_was_ended_runs_no_more"}),
        story(_dies_while_it_stops, policy=PATIENT),
    ),
    Mutant(
        "stale-generation watch event starts a run",
        "a match is heard although the run that started the process is over",
        (Swap(session_actor, "step", _hears_late_matches),),
        frozenset({"a_match_is_of_the_run_before"}),
        story(_watches_and_talks_on, policy=PATIENT),
    ),
    Mutant(
        "killed process's completion starts a run",
        "the end of a process is told though the agent waited for it, read it or ended it",
        (Swap(session, "consume_process", _forgets_who_looked),),
        frozenset({"an_end_is_told_once"}),
        story(_looks_after_it, policy=PATIENT),
    ),
    Mutant(
        "a completion is kept in memory",
        "a session whose process ended is not woken by a boot",
        (Swap(unfinished, "read_untold", lambda _: lambda _db, _session: {}),),
        frozenset({"what_was_asked_for_is_told"}),
        story(_dies_beside_it, policy=PATIENT),
    ),
    Mutant(
        "a telling is not written down",
        "that the end of a process was told is known to the session's actor only",
        (Swap(statements.STATEMENTS, ProcessConsumed, _nothing),),
        frozenset({"what_was_asked_for_is_told"}),
        story(_dies_beside_it, policy=PATIENT),
    ),
    Mutant(
        "processes of a dead owner live on",
        "a boot does not look for what the process before it left running",
        (Swap(Keeper, "sweep", _sweeps_nothing),),
        frozenset({"no_process_outlives_its_owner", "what_is_left_is_marked"}),
        story(_dies_beside_it, policy=PATIENT),
    ),
    Mutant(
        "an orderly end leaves processes behind",
        "a drain does not end what agents started",
        (Swap(Keeper, "end_all", _ends_nothing),),
        frozenset({"an_orderly_end_leaves_no_process"}),
        story(_ends_beside_it, policy=PATIENT),
    ),
    Mutant(
        "a hurried end does not wait for who was killed",
        "storage fell, and an end that is hurried before it stands again leaves what agents started",
        (Swap(Core, "drain", _forgets_the_fallen),),
        frozenset({"an_orderly_end_leaves_no_process"}),
        story(_is_hurried_in_a_fall, policy=PATIENT),
    ),
)
