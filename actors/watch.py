"""What is told of a process whose output matches patterns: one match a window, and nothing more after three floods.

Pure: whoever feeds it opens a window with the first match and closes it when the time is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.process import Match

LINE_MAX = 2_000
"""Characters of one line that are looked at, and told."""


class Watch(Struct, frozen=True):
    """How the watch over one process stands. `heard` is what the window that is open collects."""

    patterns: tuple[str, ...]
    heard: Match | None = None
    strikes: int = 0  # windows one after the other in which there was more than one match
    off: bool = False


def hear(watch: Watch, lines: Iterable[str]) -> Watch:
    """Look at lines of output. When `heard` was None before and is not after, a window begins."""
    if watch.off or not watch.patterns:
        return watch
    found = [line for line in lines if _matches(line, watch.patterns)]
    if not found:
        return watch
    before = watch.heard or Match(found[0], 0)
    return replace(watch, heard=replace(before, count=before.count + len(found)))


def close_window(watch: Watch, strikes_max: int) -> tuple[Watch, Match | None]:
    """End a window: what is told of it, and how the watch stands now. `off` from the last strike on.

    >>> quiet, told = close_window(hear(Watch(("READY",)), ["READY now"]), strikes_max=3)
    >>> told, quiet.strikes
    (Match(line='READY now', count=1), 0)
    """
    match = watch.heard
    if match is None:
        return watch, None
    strikes = watch.strikes + 1 if match.count > 1 else 0
    return replace(watch, heard=None, strikes=strikes, off=strikes >= strikes_max), match


class Lines:
    """Cuts output into lines as it comes."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> Sequence[str]:
        """Take more output; give the lines that are complete, each cut at LINE_MAX."""
        *lines, rest = (self._rest + text).split("\n")
        self._rest = rest[:LINE_MAX]  # What no line ends is not kept without limit.
        return [line[:LINE_MAX] for line in lines]

    def end(self) -> Sequence[str]:
        """Give what no line ended."""
        rest, self._rest = self._rest, ""
        return [rest] if rest else []


def _matches(line: str, patterns: tuple[str, ...]) -> bool:
    return any(pattern in line for pattern in patterns)
