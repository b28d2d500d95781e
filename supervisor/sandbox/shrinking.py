"""A failing seed, told again with as little as still breaks the same promise.

Parts are left out by halves, then by quarters, then one by one, until nothing more can be left out (delta debugging).
What remains is named by the seed and what was left out, and is the same run whenever it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greenroom.supervisor.sandbox.faults import DEFAULT_MIX, Mix
from greenroom.supervisor.sandbox.simulator import Report, simulate

TRIES_MAX = 1_000
"""How often a story is told to shrink it; enough for any that a seed draws."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest story found. Left out of its seed is `omitted`; `report` is of what remains."""

    seed: int
    invariant: str
    omitted: tuple[str, ...]
    tries: int
    report: Report


class KeepsItsPromises(Exception):
    """There is nothing to shrink: the story breaks no promise, or not this one."""


def shrink(
    seed: int,
    mix: Mix = DEFAULT_MIX,
    *,
    omitted: Sequence[str] = (),
    invariant: str | None = None,
    told: Callable[[int, int], None] = lambda _tries, _parts: None,
) -> Shrunk:
    """Shrink a seed that breaks a promise: `invariant`, else the first that it breaks. Raises KeepsItsPromises.

    `told` hears after each telling how many there were, and of how many parts the smallest story consists.
    """
    first = simulate(seed, mix, omitted=omitted)
    broken = [each.invariant for each in first.violations]
    wanted = invariant or (broken[0] if broken else "")
    if wanted not in broken:
        raise KeepsItsPromises(f"seed {seed} breaks {', '.join(broken) or 'no promise'}")
    search = _Search(seed, mix, wanted, list(omitted), first, told)
    search.run()
    without = tuple(part for part in search.omitted if part.partition(".")[0] not in search.omitted or "." not in part)
    return Shrunk(seed, wanted, without, search.tries, simulate(seed, mix, omitted=without, history=True))


@dataclass(slots=True)
class _Search:
    seed: int
    mix: Mix
    invariant: str
    omitted: list[str]
    report: Report
    told: Callable[[int, int], None]
    tries: int = 0

    def run(self) -> None:
        """Leave out as much as can be, until no single part can be."""
        size = len(self.report.parts)
        while size and self.tries < TRIES_MAX:
            left_out = self._sweep(size)
            size = size // 2 if size > 1 else int(left_out)

    def _sweep(self, size: int) -> bool:
        """Try to leave out each run of so many parts, whole lives and messages first; whether one could be."""
        left_out, at = False, 0
        parts = self._parts()
        while at < len(parts) and self.tries < TRIES_MAX:
            if self._does_without(parts[at : at + size]):
                kept, left_out = set(parts[:at]), True
                parts = self._parts()
                at = sum(part in kept for part in parts[:at])
            else:
                at += size
        return left_out

    def _parts(self) -> list[str]:
        return sorted(self.report.parts, key=lambda part: "." in part)

    def _does_without(self, parts: Sequence[str]) -> bool:
        omitted = [*self.omitted, *parts]
        report = simulate(self.seed, self.mix, omitted=omitted)
        self.tries += 1
        fails = any(each.invariant == self.invariant for each in report.violations)
        if fails:
            self.omitted, self.report = omitted, report
        self.told(self.tries, len(self.report.parts))
        return fails
