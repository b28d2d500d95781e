"""Cutting a text that is too long for one message. Pure: the same text and limit always give the same parts.

A cut is made, best first: between paragraphs, between lines, after a sentence, at a space, between two visible
characters. A code fence goes whole into the next part if it fits there; otherwise it is closed and opened again.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct

_FENCE = re.compile(r"^ {0,3}(?P<marker>`{3,}|~{3,})(?P<word>[^\n]*)$", re.MULTILINE)
_SEPARATORS = (("\n\n",), ("\n",), (". ", "! ", "? ", "。"), (" ", "\t"))
_CLUSTER_MAX = 64
"""A visible character of more code points than this may be cut after all: somebody is playing."""
_JOINER = "\u200d"
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_JAMO_TAILS = range(0x1160, 0x1200)
_LOW_SURROGATES = range(0xDC00, 0xE000)
_TAGS = range(0xE0020, 0xE0080)


class Piece(Struct, frozen=True):
    """One part: the `body` is cut from the text, `opener` and `closer` are the fence lines added around it."""

    body: str
    opener: str = ""
    closer: str = ""

    def __str__(self) -> str:
        """Write the part as it is sent."""
        return self.opener + self.body + self.closer


class _Block(Struct, frozen=True):
    """A fenced block, from the first character of its opening line to behind its closing line."""

    start: int
    inner: int
    end: int
    opener: str
    marker: str


def split(text: str, limit: int) -> tuple[str, ...]:
    """Cut `text` into parts of at most `limit` characters. Parts that show nothing are left out.

    >>> split("One sentence. Another one.", 16)
    ('One sentence. ', 'Another one.')
    """
    return tuple(str(piece) for piece in pieces(text, limit) if piece.body.strip())


def split_utf16(text: str, limit: int) -> tuple[str, ...]:
    """Cut `text` into parts of at most `limit` UTF-16 code units (at least 2).

    >>> split_utf16("🎈🎈🎈", 4)
    ('🎈🎈', '🎈')
    """
    parts = split(text, limit)
    if text.isascii():
        return parts
    return tuple(each for part in parts for each in ([part] if utf16_units(part) <= limit else split(part, limit // 2)))


def utf16_units(text: str) -> int:
    """Count UTF-16 code units."""
    return len(text) + sum(char > "\uffff" for char in text)


def pieces(text: str, limit: int) -> Iterator[Piece]:
    """Cut `text`; the bodies put together are the text again. Raises ValueError for a limit below 1."""
    if limit < 1:
        msg = f"limit: must be at least 1 character, got {limit}"
        raise ValueError(msg)
    if len(text) <= limit:
        yield Piece(text)
        return
    cutter = _Cutter(text, limit)
    start = 0
    while True:
        opener = cutter.opener_at(start)
        if len(text) - start + len(opener) <= limit:
            yield Piece(text[start:], opener)
            return
        cut = max(cutter.cut_after(start, limit - len(opener)), start + 1)
        body = text[start:cut]
        yield Piece(body, opener, cutter.closer_at(cut, room=limit - len(opener) - len(body)))
        start = cut


class _Cutter:
    """One text with its fenced blocks."""

    def __init__(self, text: str, limit: int) -> None:
        self._text = text
        self._limit = limit
        self._blocks = list(_read_blocks(text))
        self._starts = [block.start for block in self._blocks]

    def opener_at(self, at: int) -> str:
        """The line that opens again the fence that a cut at `at` is in; shorter, or none, where the limit is tiny."""
        block = self._block_around(at)
        if block is None:
            return ""
        for opener in (f"{block.opener}\n", f"{block.marker}\n"):
            if len(opener) + len(block.marker) + 1 <= self._limit // 2:
                return opener
        return ""

    def closer_at(self, at: int, *, room: int) -> str:
        """The line that closes the fence that a cut at `at` is in."""
        block = self._block_around(at)
        if block is None:
            return ""
        closer = block.marker if self._text[at - 1] == "\n" else f"\n{block.marker}"
        return closer if len(closer) <= room else ""

    def cut_after(self, start: int, room: int) -> int:
        """Choose where the part that begins at `start` ends, with at most `room` characters of the text."""
        stop = start + room
        block = self._block_around(stop)
        if block is None:
            return self._cut_in_prose(start, stop)
        if block.start > start and (block.end - block.start <= self._limit or stop - block.inner < room // 4):
            return block.start
        return self._cut_in_code(block, start, stop - len(block.marker) - 1)

    def _cut_in_code(self, block: _Block, start: int, stop: int) -> int:
        low = max(start, block.inner)
        if stop <= low:
            return block.start if block.start > start else start + 1
        newline = self._text.rfind("\n", low, stop)
        return newline + 1 if newline >= low else self._whole_characters(low, stop)

    def _cut_in_prose(self, start: int, stop: int) -> int:
        low = start + (stop - start) // 2
        for separators in _SEPARATORS:
            cut = max(self._last_outside(separator, low, stop) for separator in separators)
            if cut > low:
                return cut
            if "\n" not in separators[0]:
                low = start
        return self._whole_characters(start, stop)

    def _last_outside(self, separator: str, low: int, stop: int) -> int:
        """The last place behind `separator`, up to `stop`, that is in no fence; -1 if there is none."""
        at = self._text.rfind(separator, low, stop)
        while at >= 0:
            cut = at + len(separator)
            block = self._block_around(cut)
            if block is None:
                return cut
            at = self._text.rfind(separator, low, max(low, min(block.start, at)))
        return -1

    def _whole_characters(self, low: int, stop: int) -> int:
        for cut in range(stop, max(low, stop - _CLUSTER_MAX), -1):
            if not _is_inside_character(self._text, cut):
                return cut
        return stop

    def _block_around(self, at: int) -> _Block | None:
        index = bisect_left(self._starts, at) - 1  # The last block that starts before `at`.
        return self._blocks[index] if index >= 0 and at < self._blocks[index].end else None


def _read_blocks(text: str) -> Iterator[_Block]:
    opened: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        marker, word = line["marker"], line["word"]
        if opened is None:
            if not (marker[0] == "`" and "`" in word):  # That is code within a line of prose.
                opened = line
        elif marker.startswith(opened["marker"]) and not word.strip():
            yield _block(opened, min(line.end() + 1, len(text)))
            opened = None
    if opened is not None:
        yield _block(opened, len(text) + 1)  # Never closed: it reaches behind the end.


def _block(opened: re.Match[str], end: int) -> _Block:
    return _Block(opened.start(), opened.end() + 1, end, opened[0].rstrip(), opened["marker"])


def _is_inside_character(text: str, cut: int) -> bool:
    """Say whether the two code points around `cut` belong to one visible character."""
    if not 0 < cut < len(text):
        return False
    before, after = text[cut - 1], text[cut]
    if before == "\r" and after == "\n":
        return True
    if _JOINER in (before, after) or unicodedata.category(after) in {"Mn", "Mc", "Me"}:
        return True
    code = ord(after)
    if code in _FLAG_LETTERS:
        return _flag_letters_before(text, cut) % 2 == 1
    return code in _SKIN_TONES or code in _JAMO_TAILS or code in _LOW_SURROGATES or code in _TAGS


def _flag_letters_before(text: str, cut: int) -> int:
    count = 0
    while count < min(cut, _CLUSTER_MAX) and ord(text[cut - 1 - count]) in _FLAG_LETTERS:
        count += 1
    return count
