"""Text that a person can read: what remains of any string once nothing in it can steer a terminal or a page."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_KEPT_CONTROLS = frozenset("\n\t")
_WIDE = frozenset("WF")
_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})


def clean(text: str) -> str:
    r"""Keep what can be read: newlines for any line end, no other control characters but the tab.

    >>> clean("a\r\nb\x1b[31m")
    'a\nb[31m'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c in _KEPT_CONTROLS or unicodedata.category(c) not in {"Cc", "Cs"})


def cells(text: str) -> int:
    """Count the terminal cells that one line of text takes."""
    return sum(map(_cells_of, text))


def wrap(text: str, width: int) -> list[str]:
    r"""Break text into rows of at most `width` cells, as a terminal would; tabs become four spaces.

    >>> wrap("abcde\nf", 3)
    ['abc', 'de', 'f']
    """
    return [row for line in text.expandtabs(4).split("\n") for row in _rows(line, max(2, width))]


def _rows(line: str, width: int) -> Iterator[str]:
    row, used = "", 0
    for char in line:
        wide = _cells_of(char)
        if used + wide > width:
            yield row
            row, used = "", 0
        row, used = row + char, used + wide
    yield row


def _cells_of(char: str) -> int:
    if unicodedata.category(char) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1
