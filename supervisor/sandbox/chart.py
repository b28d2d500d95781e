"""Draws a story as a sequence chart: one SVG text, made of nothing but the story. Pure; the standard library only.

Time runs down, one line for each happening. Each party has a lifeline, people at the left, the disk at the right; an
arrow goes from who acts to whom it is done to, and the rows that were made or changed stand at the right. A band is one
life of the process; it ends in red where the process died. What has no room is to be read by pointing at its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from greenroom.supervisor.sandbox.happening import Happening, Kind, Place, place_of

LANE, LINE, LEFT, TOP, RIGHT, BOTTOM = 168, 28, 96, 84, 360, 28
"""Pixels: between lifelines, between lines, and around them; the rows are at the right."""

CHAR = 6.3
"""Pixels that a letter of a label takes; more than most do."""

ROW_CHAR = 6.7
"""Pixels that a letter of a row's name takes."""

STYLE = """
svg { color-scheme: light dark; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  --paper: #ffffff; --ink: #1c2430; --faint: #66707f; --line: #c3cad4; --band: #eef4fb; --edge: #b9cbe0;
  --arrow: #2f6db0; --bad: #c62828; --warn: #9a5b00; }
@media (prefers-color-scheme: dark) { svg { --paper: #12161c; --ink: #e4e9f0; --faint: #98a3b3; --line: #3a4452;
  --band: #1a2431; --edge: #33475f; --arrow: #7db5ef; --bad: #ff7b72; --warn: #e3a84a; } }
text { fill: var(--ink); } .paper { fill: var(--paper); } .head { font-weight: 600; text-anchor: middle; }
.title { font-size: 15px; font-weight: 600; } .faint, .row { fill: var(--faint); }
.time { fill: var(--faint); text-anchor: end; font-variant-numeric: tabular-nums; }
.row { font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.say { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.inside { stroke: var(--band); } .number { text-anchor: end; }
.life { stroke: var(--line); stroke-dasharray: 2 4; } .box { fill: var(--paper); stroke: var(--line); }
.band { fill: var(--band); stroke: var(--edge); }
.arrow { stroke: var(--arrow); stroke-width: 1.5; fill: none; marker-end: url(#tip); }
.tip, .dot { fill: var(--arrow); }
.crash { stroke: var(--bad); stroke-width: 2.5; } .bad { fill: var(--bad); font-weight: 600; }
.warn { fill: var(--warn); } .fault { stroke: var(--warn); stroke-dasharray: 6 4; }
"""


@dataclass(frozen=True, slots=True)
class _Band:
    """One life of the process, in lines of the chart."""

    first: int
    last: int
    number: int


def draw(story: Sequence[Happening], title: str) -> str:
    """Draw a story. An empty one is a chart without lines."""
    return "\n".join(_Chart(story, title).lines()) + "\n"


def lifelines(story: Sequence[Happening]) -> list[str]:
    """Everybody who does something in a story, or to whom something is done, from people to the disk."""
    names = dict.fromkeys(name for each in story for name in (each.source, each.target) if name)
    return sorted((name for name in names if place_of(name) is not None), key=lambda name: (place_of(name), name))


class _Chart:
    def __init__(self, story: Sequence[Happening], title: str) -> None:
        self._story = story
        self._title = title
        self._names = lifelines(story)
        self._x = {name: LEFT + LANE * n + LANE // 2 for n, name in enumerate(self._names)}
        self._width = LEFT + LANE * len(self._names) + RIGHT
        self._height = TOP + LINE * len(story) + BOTTOM
        inside = [self._x[name] for name in self._names if place_of(name) not in {Place.PEOPLE, Place.PLATFORM}]
        self._inside = (min(inside, default=LEFT) - LANE // 2 + 12, max(inside, default=LEFT) + LANE // 2 - 12)
        self._rows_x = self._inside[1] + 20
        self._bands = list(_bands(story))

    def lines(self) -> Iterator[str]:
        size = f'width="{self._width}" height="{self._height}" viewBox="0 0 {self._width} {self._height}"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{_attribute(self._title)}">'
        yield f"<style>{STYLE}</style>"
        yield '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
        yield ' markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0,0 L8,4 L0,8 z"/></marker></defs>'
        yield f'<rect class="paper" width="{self._width}" height="{self._height}"/>'
        yield f'<text class="title" x="16" y="26">{escape(_printable(self._title))}</text>'
        for band in self._bands:
            yield from self._draw_band(band)
        for name in self._names:
            yield from self._draw_lifeline(name)
        yield f'<text class="faint" x="{self._rows_x}" y="58">rows</text>'
        shown = ""
        for n, each in enumerate(self._story):
            y = _y(n)
            yield f"<g><title>{escape(_printable(str(each)))}</title>"
            moment = say_moment(each.at)
            if moment != shown:
                yield f'<text class="time" x="{LEFT - 14}" y="{y + 4}">{moment}</text>'
            shown = moment
            yield from self._draw(each, y)
            if each.row:
                rows = escape(_cut(each.row, self._width - self._rows_x, ROW_CHAR))
                yield f'<text class="row" x="{self._rows_x}" y="{y + 5}">{rows}</text>'
            yield "</g>"
        yield "</svg>"

    def _draw_band(self, band: _Band) -> Iterator[str]:
        left, right = self._inside
        top, height = _y(band.first) - LINE // 2 + 1, (band.last - band.first + 1) * LINE - 3
        yield f'<rect class="band" x="{left}" y="{top}" width="{right - left}" height="{height}" rx="5"/>'
        yield f'<text class="faint number" x="{right - 10}" y="{top + 18}">life {band.number}</text>'

    def _draw_lifeline(self, name: str) -> Iterator[str]:
        x = self._x[name]
        yield f'<line class="life" x1="{x}" y1="{TOP - 18}" x2="{x}" y2="{self._height - BOTTOM // 2}"/>'
        yield f'<rect class="box" x="{x - LANE // 2 + 8}" y="42" width="{LANE - 16}" height="24" rx="5"/>'
        yield f'<text class="head" x="{x}" y="58">{escape(_cut(name, LANE - 24))}</text>'

    def _draw(self, each: Happening, y: int) -> Iterator[str]:
        left, right = self._inside
        if each.kind is Kind.CRASH:
            yield f'<line class="crash" x1="{left}" y1="{y + 8}" x2="{right}" y2="{y + 8}"/>'
            yield self._say(f"✕ {each.what}", left + 12, y + 3, "say inside bad")
        elif each.kind is Kind.BROKEN:
            yield f'<line class="crash" x1="{LEFT}" y1="{y + 8}" x2="{self._width - 16}" y2="{y + 8}"/>'
            yield self._say(f"BROKEN  {each.what}", LEFT, y + 3, "say bad")
        elif each.kind is Kind.FAULT:
            yield f'<line class="fault" x1="{left}" y1="{y + 8}" x2="{right}" y2="{y + 8}"/>'
            yield self._say(f"⚡ {each.what}", left + 12, y + 3, "say inside warn")
        elif each.target in self._x and each.source in self._x:
            yield from self._draw_arrow(each, self._x[each.source], self._x[each.target], y)
        elif (x := self._x.get(each.target, self._x.get(each.source))) is not None:
            yield f'<circle class="dot" cx="{x}" cy="{y}" r="4"/>'
            yield self._say(each.what, x + 9, y + 4, self._halo(x))
        else:
            yield self._say(each.what, left + 12, y + 4, "say inside")

    def _draw_arrow(self, each: Happening, start: int, end: int, y: int) -> Iterator[str]:
        yield self._say(each.what, min(start, end) + 9, y + 2, self._halo(max(start, end)))
        yield f'<path class="arrow" d="M{start},{y + 8} L{end},{y + 8}"/>'

    def _halo(self, x: int) -> str:
        left, right = self._inside
        return "say inside" if left < x < right else "say"

    def _say(self, what: str, x: int, y: int, style: str) -> str:
        """A label, as much of it as there is room for."""
        room = (self._inside[1] + 14 if x < self._inside[1] else self._width) - x
        return f'<text class="{style}" x="{x}" y="{y}">{escape(_cut(what, room))}</text>'


def say_moment(at: float) -> str:
    """When something happened, in the units that matter.

    >>> say_moment(0.25), say_moment(75.5), say_moment(90_000)
    ('0.25 s', '1:15.50', '25:00:00')
    """
    minutes, seconds = divmod(round(at, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours}:{minutes:02}:{int(seconds):02}"
    return f"{minutes}:{seconds:05.2f}" if minutes else f"{seconds:.2f} s"


def _bands(story: Sequence[Happening]) -> Iterator[_Band]:
    first, number = None, 0
    for n, each in enumerate(story):
        if each.kind is Kind.START or (first is not None and each.kind in {Kind.CRASH, Kind.END}):
            if first is not None:
                yield _Band(first, n - (each.kind is Kind.START), number)
            number += each.kind is Kind.START
            first = n if each.kind is Kind.START else None
    if first is not None:
        yield _Band(first, len(story) - 1, number)


def _y(line: int) -> int:
    return TOP + LINE * line + LINE // 2


def _cut(text: str, room: float, char: float = CHAR) -> str:
    most = int(room / char)
    plain = _printable(text)
    return plain if len(plain) <= most else plain[: max(0, most - 1)] + "…"


def _attribute(text: str) -> str:
    return escape(_printable(text), {'"': "&quot;"})


def _printable(text: str) -> str:
    """XML knows no control characters, however they are written."""
    return "".join(char if char.isprintable() else " " for char in text)
