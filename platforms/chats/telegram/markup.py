"""Markdown, as agents write it, made what Telegram shows: a plain text and marks on parts of it. Pure and total.

Lengths are counted as Telegram counts them, in UTF-16 code units.
"""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct

from greenroom.actors.splitting import utf16_units
from greenroom.platforms.chats.markdown import (
    Code,
    Fence,
    Heading,
    Link,
    Plain,
    Prose,
    Style,
    Styled,
    read_blocks,
    read_inline,
)

MARKS_MAX = 100
"""Telegram ignores more marks in one message."""

_KINDS = {Style.BOLD: "bold", Style.ITALIC: "italic", Style.STRIKE: "strikethrough"}


class Mark(Struct, frozen=True):
    """A part of a text that looks different. `offset` and `length` count UTF-16 code units."""

    kind: str  # in Telegram's words
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


class Marked(Struct, frozen=True):
    """What is sent."""

    text: str
    marks: tuple[Mark, ...] = ()


def read_markdown(written: str) -> Marked:
    """Read off the marks.

    >>> read_markdown("**Hi** 2*3*4 [x](https://example.org)")
    Marked(text='Hi 2*3*4 x', marks=(Mark(kind='bold', offset=0, length=2, url=None, language=None), \
Mark(kind='text_link', offset=9, length=1, url='https://example.org', language=None)))
    """
    page = _Page()
    written = written.strip()
    for block in read_blocks(written):
        page.add(block)
    text = "".join(page.written)
    if not text.strip():
        return Marked(written)
    return Marked(text, tuple(sorted(page.marks, key=lambda mark: (mark.offset, -mark.length))[:MARKS_MAX]))


class _Page:
    """What was written so far, and where."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.marks: list[Mark] = []
        self.at = 0

    def plain(self, text: str) -> None:
        self.written.append(text)
        self.at += utf16_units(text)

    def marked(self, kind: str, text: str, url: str | None = None, language: str | None = None) -> None:
        if text.strip():
            self.marks.append(Mark(kind, self.at, utf16_units(text), url, language))
        self.plain(text)

    def add(self, block: Fence | Heading | Prose) -> None:
        match block:
            case Fence(code, language):
                self.marked("pre", code, language=language)
            case Heading(words):
                self.styled("bold", words)
            case Prose(text):
                self.inline(text)
            case _:
                assert_never(block)

    def styled(self, kind: str, words: str) -> None:
        began = self.at
        self.inline(words)
        self.marks.append(Mark(kind, began, self.at - began))

    def inline(self, text: str) -> None:
        for span in read_inline(text):
            match span:
                case Plain(words):
                    self.plain(words)
                case Code(code):
                    self.marked("code", code)
                case Link(words, url):
                    self.marked("text_link", words, url=url)
                case Styled(style, words):
                    self.styled(_KINDS[style], words)
                case _:
                    assert_never(span)
