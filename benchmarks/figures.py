"""What a benchmark yields: one measured number beside the number it must reach."""

from collections.abc import Iterable
from dataclasses import dataclass

HEADINGS = ("what", "figure", "target", "met", "beside")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `beside` says what it is compared with; `met` is None where there is nothing to reach."""

    what: str
    value: float
    unit: str
    target: str
    met: bool | None
    beside: str = ""


def number(value: float) -> str:
    """Write a number with three significant digits or all of its whole ones.

    >>> number(1234567.8), number(98.765), number(0.012345), number(0)
    ('1,234,568', '98.8', '0.0123', '0')
    """
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cells(figure: Figure) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    return figure.what, f"{number(figure.value)} {figure.unit}".strip(), figure.target, met, figure.beside


def table(figures: Iterable[Figure]) -> str:
    """Lay figures out in columns as wide as their widest cell, numbers to the right."""
    rows = [HEADINGS, *(cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _padded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(width) if heading == "figure" else cell.ljust(width)
        for cell, width, heading in zip(row, widths, HEADINGS, strict=True)
    ]
