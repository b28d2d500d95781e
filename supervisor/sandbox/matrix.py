"""The table of promises: where a crash strikes, on which kind of platform, and what its person sees afterwards.

Words and values only. `matrix_house.py` fills the table from runs of this house, `foreign/` from runs of others,
`matrix_page.py` prints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from greenroom.actors.model import DeliveryClass, ToolPolicy


class Point(StrEnum):
    """How far a turn had come when it was cut off. Exactly one is true of any world and disk; see `classify`."""

    A = "A read from the platform, not stored"
    B = "B stored, not acknowledged"
    C = "C run started, model's answer not stored"
    D_PURE = "D tool called, result not stored: pure"
    D_KEYED = "D tool called, result not stored: keyed"
    D_ONCE = "D tool called, result not stored: once"
    D_ASK = "D tool called, result not stored: ask"
    E = "E tool result stored"
    F = "F part of the answer visible, not stored"
    G = "G answer stored, not sent"
    H = "H sent, platform's answer lost or not recorded"
    I = "I recorded"  # noqa: E741 - the row's letter


TOOL_POINTS = MappingProxyType(
    {
        ToolPolicy.PURE: Point.D_PURE,
        ToolPolicy.KEYED: Point.D_KEYED,
        ToolPolicy.ONCE: Point.D_ONCE,
        ToolPolicy.ASK: Point.D_ASK,
    }
)


class Outcome(StrEnum):
    """What the person has in the end, best first."""

    ONCE = "once"
    ASKED = "asked"
    IN_DOUBT = "in doubt"
    DECLARED = "declared at-least-once"
    DOUBLED = "doubled"
    LOST = "lost"


ONCE = frozenset({Outcome.ONCE})
EDITING = frozenset({DeliveryClass.NATIVE_KEY, DeliveryClass.EDIT_ANCHOR})
"""Classes whose platforms show an answer while it grows: row F exists for no other."""


def promise(point: Point, platform: DeliveryClass) -> frozenset[Outcome]:
    """What may come of a crash there. Anything else breaks the promise; the empty set: no turn can be there.

    >>> sorted(promise(Point.H, DeliveryClass.NONE))
    [<Outcome.DECLARED: 'declared at-least-once'>, <Outcome.ONCE: 'once'>]
    """
    match point:
        case Point.D_ONCE:
            return frozenset({Outcome.IN_DOUBT})
        case Point.D_ASK:
            return frozenset({Outcome.ASKED})
        case Point.F:
            return ONCE if platform in EDITING else frozenset()
        case Point.H if platform is DeliveryClass.NONE:
            return frozenset({Outcome.ONCE, Outcome.DECLARED})
        case _:
            return ONCE


class Run(Struct, frozen=True):
    """One turn that was cut off: where, and what came of it. `moment` says how to do it again."""

    point: Point
    platform: DeliveryClass
    outcome: Outcome
    moment: str


class Cell(Struct, frozen=True):
    """All runs of one system that were cut off at one point, on one kind of platform."""

    point: Point
    platform: DeliveryClass
    outcomes: Mapping[Outcome, int]
    broken: tuple[Run, ...] = ()  # the runs that are worse than what was promised
    missing: bool = False  # something was promised, and never tried

    @property
    def runs(self) -> int:
        """How many runs were cut off there."""
        return sum(self.outcomes.values())


class Column(Struct, frozen=True):
    """One system's cells."""

    system: str
    version: str
    cells: tuple[Cell, ...]

    def cell(self, point: Point, platform: DeliveryClass) -> Cell | None:
        """Find a cell; None where this system was not tried."""
        return next((it for it in self.cells if (it.point, it.platform) == (point, platform)), None)

    @property
    def failures(self) -> tuple[Cell, ...]:
        """Cells that are worse than promised, or were promised and are empty."""
        return tuple(it for it in self.cells if it.broken or it.missing)


class Matrix(Struct, frozen=True):
    """The whole table. `absent` names the systems that are not installed here, and why they do not run."""

    columns: tuple[Column, ...]
    absent: Mapping[str, str]
    made_on: str  # the day, as people write it: 2026-11-21


def tally(
    system: str, version: str, runs: Iterable[Run], platforms: Iterable[DeliveryClass], *, promises: bool = False
) -> Column:
    """Put runs into their cells, every point of every platform. `promises`: they are held to ours; others are shown."""
    held = list(runs)
    cells = []
    for platform in platforms:
        for point in Point:
            here = [run for run in held if (run.point, run.platform) == (point, platform)]
            counts = Counter(run.outcome for run in here)
            allowed = promise(point, platform)
            broken = tuple(run for run in here if run.outcome not in allowed) if promises else ()
            outcomes = {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}
            missing = promises and not here and bool(allowed)
            cells.append(Cell(point, platform, outcomes, broken, missing))
    return Column(system, version, tuple(cells))
