"""The terminal chat's screen, without a terminal: what to write so that messages change in place.

What may still change stands at the bottom, above the prompt, and is drawn anew on every change; what is concluded is
written once and scrolls away. Of a text that is taller than the window the end is shown until it is concluded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from greenroom.platforms.chats.legible import cells, clean, wrap

PROMPT = "> "
PLACEHOLDER = "..."
DONE_MAX = 1000
"""Concluded messages whose ids are remembered, so that a repeat writes nothing."""

_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"


class Row(Struct, frozen=True):
    """One message on the screen. `mark` is a quiet remark behind it."""

    id: str
    mine: bool
    text: str
    final: bool
    mark: str = ""


def erase(rows: int) -> str:
    """Go up `rows` rows and clear from there on."""
    return "\r" + (f"\x1b[{rows}A" if rows else "") + "\x1b[J"


def body(row: Row) -> str:
    """Write a message without colours."""
    if row.mine:
        return PROMPT + row.text
    return "…" if not row.final and row.text.strip() in {"", PLACEHOLDER} else row.text


def live_rows(rows: Sequence[Row], width: int, height: int) -> list[str]:
    """Break what may still change into rows that all fit on the screen with the prompt below."""
    broken = [line for row in rows for line in wrap(_with_mark(row), width - 1)]
    room = max(1, height - 2)
    return broken if len(broken) <= room else ["⋮", *broken[len(broken) - room + 1 :]]


def _with_mark(row: Row) -> str:
    return f"{body(row)}  {row.mark}" if row.mark else body(row)


def _concluded(row: Row) -> str:
    mark = f"  {_DIM}{row.mark}{_PLAIN}" if row.mark else ""
    return f"{_BOLD}{body(row)}{_PLAIN}{mark}\n" if row.mine else f"{body(row)}{mark}\n"


class Screen:
    """Remembers what is on the screen and says what to write for each change. The prompt is always last."""

    def __init__(self) -> None:
        """Start below whatever the terminal shows."""
        self._live: OrderedDict[tuple[bool, str], Row] = OrderedDict()
        self._done: OrderedDict[tuple[bool, str], str] = OrderedDict()
        self._drawn = 0  # rows above the prompt that belong to us
        self.width, self.height = 80, 24

    def typed(self, text: str) -> None:
        """Account for a line that the terminal echoed behind the prompt."""
        self._drawn += max(1, -(-cells(PROMPT + text) // self.width))

    def show(self, row: Row) -> str:
        """Show a new or changed message; empty when nothing changes. Late words of what is concluded are dropped."""
        return self.redraw() if self.put(row) else ""

    def put(self, row: Row) -> bool:
        """Take in a new or changed message, for the next drawing; False when nothing changes."""
        row = replace(row, text=clean(row.text))
        name = (row.mine, row.id)
        if name in self._done and (not row.final or self._done[name] == row.text):
            return False
        if self._live.get(name) == row:
            return False
        self._live[name] = row
        return True

    def redraw(self) -> str:
        """Draw everything that may still change, and the prompt."""
        out = erase(self._drawn)
        while self._live and next(iter(self._live.values())).final:
            name, row = self._live.popitem(last=False)
            self._done[name] = row.text
            out += _concluded(row)
        while len(self._done) > DONE_MAX:
            self._done.popitem(last=False)
        rows = live_rows(tuple(self._live.values()), self.width, self.height)
        self._drawn = len(rows)
        return out + "".join(f"{row}\n" for row in rows) + PROMPT
