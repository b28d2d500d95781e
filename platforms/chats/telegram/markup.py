"""Markdown, as agents write it, made what Telegram shows: a plain text and marks on parts of it. Pure and total.

Only what is certain becomes a mark: an asterisk that closes nothing stays an asterisk. Lengths are counted as Telegram
counts them, in UTF-16 code units.
"""

from __future__ import annotations

import re

from msgspec import Struct

from greenroom.actors.splitting import utf16_units

MARKS_MAX = 100
"""Telegram ignores more marks in one message."""

_FENCE = re.compile(
    r"^ {0,3}```[ \t]*(?P<language>[\w+#.-]*)[^\n`]*\n(?P<code>.*?)(?:\n {0,3}```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^#{1,6} +(?P<words>[^\n]+?)(?: +#+)? *$", re.MULTILINE)
_INLINE = re.compile(
    r"(?P<tick>`+)(?!`)(?P<code>[^\n]+?)(?<!`)(?P=tick)(?!`)"
    r"|\*\*(?P<bold>\S(?:[^\n]*?\S)?)\*\*(?!\*)"
    r"|~~(?P<strike>\S(?:[^\n]*?\S)?)~~"
    r"|(?<![\w*])\*(?P<star>[^\s*](?:[^*\n]*?[^\s*])?)\*(?![\w*])"
    r"|(?<!\w)_(?P<under>[^\s_](?:[^_\n]*?[^\s_])?)_(?!\w)"
    r"|\[(?P<words>[^\]\[\n]+)\]\((?P<link>https?://[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)"
)
_KINDS = {"bold": "bold", "strike": "strikethrough", "star": "italic", "under": "italic"}


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
    end = 0
    written = written.strip()
    for fence in _FENCE.finditer(written):
        page.lines(written[end : fence.start()])
        page.marked("pre", fence["code"], language=fence["language"] or None)
        end = fence.end()
    page.lines(written[end:])
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

    def lines(self, text: str) -> None:
        end = 0
        for heading in _HEADING.finditer(text):
            self.inline(text[end : heading.start()])
            began = self.at
            self.inline(heading["words"])
            self.marks.append(Mark("bold", began, self.at - began))
            end = heading.end()
        self.inline(text[end:])

    def inline(self, text: str) -> None:
        end = 0
        for found in _INLINE.finditer(text):
            self.plain(text[end : found.start()])
            end = found.end()
            if found["code"] is not None:
                self.marked("code", found["code"])
            elif found["link"] is not None:
                self.marked("text_link", found["words"], url=found["link"])
            else:
                (name,) = [name for name in _KINDS if found[name] is not None]
                began = self.at
                self.inline(found[name])
                self.marks.append(Mark(_KINDS[name], began, self.at - began))
        self.plain(text[end:])
