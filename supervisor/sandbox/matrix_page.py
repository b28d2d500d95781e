"""Writes the matrix: as Markdown for a README, as rows for a terminal, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from greenroom.actors.model import DeliveryClass
from greenroom.supervisor.sandbox.matrix import Cell, Column, Matrix, Outcome, Point

BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
WORSE = frozenset({Outcome.DOUBLED, Outcome.LOST})
NOT_THERE = "-"
NAMES = {
    DeliveryClass.NATIVE_KEY: "native key",
    DeliveryClass.EDIT_ANCHOR: "edit anchor",
    DeliveryClass.RECONCILE: "reconcile",
    DeliveryClass.NONE: "none",
}
BESIDE = (DeliveryClass.NONE, DeliveryClass.NATIVE_KEY)
"""The kinds of platform on which all systems are shown beside each other."""


class NoPlace(Exception):
    """A file has no two markers between which the table could stand."""


def say_cell(cell: Cell | None) -> str:
    """What came of all runs, with how many; `-` where no turn can be, or none was tried."""
    if cell is None or not cell.outcomes:
        return "BROKEN: never tried" if cell is not None and cell.missing else NOT_THERE
    said = ", ".join(f"{outcome.value} {count}" for outcome, count in cell.outcomes.items())
    return f"BROKEN: {said}" if cell.broken else said


def own_table(column: Column) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of one system: a column for each kind of platform."""
    platforms = [each for each in DeliveryClass if column.cell(Point.A, each) is not None]
    headings = ["crash", *(NAMES[each] for each in platforms)]
    return headings, [[point.value, *(say_cell(column.cell(point, each)) for each in platforms)] for point in Point]


def table_beside(columns: Sequence[Column], platform: DeliveryClass) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of all systems on one kind of platform."""
    headings = ["crash", *(f"{each.system} {each.version}".strip() for each in columns)]
    return headings, [[point.value, *(say_cell(each.cell(point, platform)) for each in columns)] for point in Point]


def tables(matrix: Matrix) -> list[tuple[str, list[str], list[list[str]]]]:
    """All tables with their titles: our own on each kind of platform, then all systems beside each other."""
    own = matrix.columns[0]
    found = [(f"{own.system}, by what the platform offers", *own_table(own))]
    if len(matrix.columns) > 1:
        for each in BESIDE:
            title = f"All systems, on a platform with {_offer(each)}"
            found.append((title, *table_beside(matrix.columns, each)))
    return found


def _offer(platform: DeliveryClass) -> str:
    return "idempotency keys" if platform is DeliveryClass.NATIVE_KEY else "neither keys, edits nor a search"


def write_markdown(matrix: Matrix) -> str:
    """Write all tables, the versions and the day."""
    runs = sum(cell.runs for cell in matrix.columns[0].cells)
    lines = [f"*Made by `greenroom matrix` on {matrix.made_on}: {runs} runs of ours.*"]
    for title, headings, rows in tables(matrix):
        lines += ["", f"**{title}**", "", _line(headings), _line(["---"] * len(headings))]
        lines += [_line([row[0], *(_stress(cell) for cell in row[1:])]) for row in rows]
    lines += ["", *(f"Not tried: {name} ({why})." for name, why in matrix.absent.items())]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _stress(cell: str) -> str:
    for outcome in WORSE:
        cell = cell.replace(outcome.value, f"**{outcome.value}**")
    return cell


def place(page: str, table: str) -> str:
    """Put the table between the markers of a page. Raises NoPlace if they are not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoPlace(f"the page has no {BEGIN} ... {END}")
    return f"{before}{begin}\n{table}{end}{after}"


def write_to(file: Path, table: str) -> None:
    """Put the table into a file, between its markers. Raises NoPlace."""
    file.write_text(place(file.read_text(encoding="utf-8"), table), encoding="utf-8")


class MatrixCell(Struct, frozen=True):
    """All runs of one system that were cut off at one point, on one kind of platform."""

    point: str  # short name of the point
    crash: str  # the point in words
    platform: DeliveryClass  # what the platform offers against repeats
    runs: int  # so many were cut off there
    outcomes: dict[str, int]  # how many, by what their person sees afterwards
    broken: tuple[str, ...]  # how to do those again that are worse than promised


class MatrixSystem(Struct, frozen=True):
    """One system, in all its cells."""

    system: str  # its name
    version: str  # its release; may be empty
    cells: tuple[MatrixCell, ...]  # by platform, then by point


class MatrixTable(Struct, frozen=True):
    """What a person sees after a crash at every point, on every kind of platform."""

    made_on: str  # the day, as in 2026-11-21
    failures: int  # cells that are worse than promised, or were never tried; if any, the exit code is 1
    absent: dict[str, str]  # systems that were not tried, and why
    systems: tuple[MatrixSystem, ...]  # ours first


def as_values(matrix: Matrix) -> MatrixTable:
    """Lay everything out for programs."""
    return MatrixTable(
        made_on=matrix.made_on,
        failures=sum(len(column.failures) for column in matrix.columns),
        absent=dict(matrix.absent),
        systems=tuple(
            MatrixSystem(column.system, column.version, tuple(_cell_values(cell) for cell in column.cells))
            for column in matrix.columns
        ),
    )


def _cell_values(cell: Cell) -> MatrixCell:
    return MatrixCell(
        point=cell.point.name,
        crash=cell.point.value,
        platform=cell.platform,
        runs=cell.runs,
        outcomes={outcome.value: count for outcome, count in cell.outcomes.items()},
        broken=tuple(run.moment for run in cell.broken),
    )
