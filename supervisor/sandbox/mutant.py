"""A bug that is planted from outside, by replacing functions for a while, and the hunt for it.

Production code knows nothing of this: no flag, no branch, no hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from greenroom.supervisor.sandbox.agents import ScriptedAgent
from greenroom.supervisor.sandbox.faults import DEFAULT_MIX, Mix
from greenroom.supervisor.sandbox.invariants import Violation
from greenroom.supervisor.sandbox.scenario import NeverRestsError, Scenario
from greenroom.supervisor.sandbox.simulator import migrated, simulate
from greenroom.supervisor.sandbox.swap import Swap

SEEDS_MAX = 400
"""How many seeds a hunt tries before the mutant counts as a survivor."""

Trial = Callable[[int], tuple[Violation, ...]]
"""Live through one seed; what broke in it."""


def seeds(mix: Mix = DEFAULT_MIX) -> Trial:
    """Try worlds drawn from seeds."""
    return lambda seed: simulate(seed, mix).violations


def story(tell: Callable[[Scenario, int], None], **room: Any) -> Trial:
    """Try one story. It is told the seed, and need not tell that all comes to rest."""

    def live(seed: int) -> tuple[Violation, ...]:
        with Scenario(seed=seed + 1, **room) as told:
            told.agent = ScriptedAgent(told.world, fresh_s=told.policy.fresh_s)  # From the next boot on.
            tell(told, seed)
            told.world.calm = True
            if told.life is None:
                told.boot()
            try:
                told.rest()
            except NeverRestsError as error:
                return (Violation("it_comes_to_rest", str(error)),)
            return tuple(told.broken())

    return live


WORLDS = seeds()
"""Worlds as every campaign tries them."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug of the field. `trial` is where it is sought first; `caught_by` are promises that it may break first."""

    name: str
    sentence: str
    swaps: tuple[Swap, ...]
    caught_by: frozenset[str]
    trial: Trial = WORLDS


@dataclass(frozen=True, slots=True)
class Hunted:
    """What became of a mutant. `seeds` were tried until it was caught."""

    name: str
    caught: bool
    seeds: int
    invariant: str | None
    detail: str


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Let the bug live for a while; always taken out again."""
    migrated()  # The empty database that all worlds begin with is made by the house that stands.
    with ExitStack() as stack:
        for swap in mutant.swaps:
            stack.enter_context(swap.planted())
        yield


def hunt(mutant: Mutant, *, seeds_max: int = SEEDS_MAX) -> Hunted:
    """Run seed after seed until a promise breaks."""
    with planted(mutant):
        for seed in range(seeds_max):
            violations = _live(mutant.trial, seed)
            if violations:
                first = violations[0]
                return Hunted(mutant.name, caught=True, seeds=seed + 1, invariant=first.invariant, detail=first.detail)
    return Hunted(mutant.name, caught=False, seeds=seeds_max, invariant=None, detail=mutant.sentence)


def _live(trial: Trial, seed: int) -> tuple[Violation, ...]:
    try:
        return trial(seed)
    except Exception as error:  # Invariant: as for a campaign, a seed that breaks the simulator is a finding.
        return (Violation("nothing_escapes", f"{type(error).__name__}: {error}"),)
