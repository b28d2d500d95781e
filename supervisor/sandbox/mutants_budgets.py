"""Bugs of the field, planted in what work may spend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors import session, spending
from greenroom.actors.acts import Confirm
from greenroom.actors.facts import RunClosed
from greenroom.actors.model import NOTHING_SPENT
from greenroom.actors.session_actor import SessionActor
from greenroom.storage import reading
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.actors.draft import Draft
    from greenroom.supervisor.sandbox.scenario import Scenario


def _never(_: Any) -> Any:
    return lambda *_args: None


def _forgets(_: Any) -> Any:
    return lambda *_args: NOTHING_SPENT


def _tells_again(_: Any) -> Any:
    """Who goes over a budget hears of it, as often as it likes."""

    def refuse(draft: Draft, _phase: Any, key: str, excess: Any, _rules: Any) -> None:
        draft.do(Confirm(draft.generation, key, excess))

    return refuse


def _says_no_cause(real: Any) -> Any:
    def conclude(draft: Draft, *args: Any) -> None:
        real(draft, *args)
        for n, fact in enumerate(draft.facts):
            if isinstance(fact, RunClosed):
                draft.facts[n] = replace(fact, failed_by=None)

    return conclude


def _goes_in_circles(room: Scenario, _seed: int) -> None:
    room.says("m1 loop")
    room.advance(1_000)


def _spends_and_dies(room: Scenario, _seed: int) -> None:
    room.says("m1 spend nap spend nap answer")
    for lived_s in (4, 1):
        room.advance(lived_s)
        room.restart()


def _fails(room: Scenario, _seed: int) -> None:
    room.says("m1 fail")


def _sleeps_at_work(told: Scenario, _: int) -> None:
    told.says("m1 hang")
    told.advance(100)
    told.host_sleeps(7_000)


MUTANTS = (
    Mutant(
        "a loop is not noticed",
        "an agent calls the same tool with the same arguments for ever",
        (Swap(spending, "excess_of_call", _never),),
        frozenset({"no_work_goes_over_its_budget", "it_comes_to_rest"}),
        story(_goes_in_circles, policy=Policy(run_max_s=5.0)),
    ),
    Mutant(
        "a budget that can be swallowed",
        "an agent that does not heed that its budget is used up goes on",
        (Swap(spending, "_refuse", _tells_again),),
        frozenset({"who_goes_over_is_ended"}),
        story(_goes_in_circles, policy=Policy(run_max_s=600.0)),
    ),
    Mutant(
        "budgets begin anew with each attempt",
        "what was spent before an interruption is forgotten",
        (Swap(reading, "read_spent", _forgets),),
        frozenset({"what_was_spent_is_kept"}),
        story(_spends_and_dies),
    ),
    Mutant(
        "a failure without a cause",
        "a run that failed is closed, and nothing says by what",
        (Swap(session, "conclude", _says_no_cause),),
        frozenset({"a_failure_has_its_cause"}),
        story(_fails),
    ),
    Mutant(
        "time asleep is a run's time",
        "a host wakes up, and ends for its length the run that had no chance to work",
        (Swap(SessionActor, "_ran_s", lambda _: lambda _actor: 1e9),),
        frozenset({"a_run_has_its_time"}),
        story(_sleeps_at_work, policy=Policy(run_max_s=2_000.0, silent_max_s=0.0)),
    ),
)
