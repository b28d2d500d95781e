"""Markdown, as agents write it, for platforms that have marks of their own. Pure and total.

Only what is certain becomes a mark: an asterisk that closes nothing stays an asterisk, also while words still stream.
The rules are those of https://spec.commonmark.org/0.31.2/, where they are simple; no mark goes on over a line's end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

_FENCE = re.compile(
    r"^[ \t]*(?P<marker>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n`]*\n"
    r"(?P<code>.*?)(?:^[ \t]*(?P=marker)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^#{1,6} +(?P<words>[^\n]+?)(?: +#+)? *$", re.MULTILINE)
_INLINE = re.compile(
    r"(?P<tick>`+)(?!`)(?P<code>[^\n]+?)(?<!`)(?P=tick)(?!`)"
    r"|(?<!\*)\*\*(?!\*\*)(?P<bold>\S(?:[^\n]*?\S)??)\*\*(?!\*)"
    r"|(?<!\w)__(?P<strong>[^\s_](?:[^\n]*?[^\s_])??)__(?!\w|\.\w|\()"  # `__init__.py` and `__len__()` are names.
    r"|(?<!~)~~(?!~)(?P<strike>\S(?:[^\n]*?\S)??)~~(?!~)"
    r"|(?<![\w*])\*(?P<star>[^\s*](?:[^*\n]*?[^\s*])?)\*(?![\w*])"
    r"|(?<!\w)_(?P<under>[^\s_](?:[^_\n]*?[^\s_])?)_(?!\w)"
    r"|\[(?P<words>[^\]\[\n]+)\]\((?P<link>https?://[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)"
)


class Style(StrEnum):
    """How words look."""

    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"


_STYLES = {
    "bold": Style.BOLD,
    "strong": Style.BOLD,
    "strike": Style.STRIKE,
    "star": Style.ITALIC,
    "under": Style.ITALIC,
}


class Fence(Struct, frozen=True):
    """A block of code; one that is not closed reaches to the end."""

    code: str
    language: str | None = None


class Heading(Struct, frozen=True):
    """A heading of any level: `words` are Markdown within a line."""

    words: str


class Prose(Struct, frozen=True):
    """All else, with its line ends."""

    text: str


class Plain(Struct, frozen=True):
    """Words without a mark."""

    text: str


class Code(Struct, frozen=True):
    """Code within a line."""

    code: str


class Link(Struct, frozen=True):
    """Words that lead somewhere; only to a page of the web."""

    words: str
    url: str


class Styled(Struct, frozen=True):
    """Words that look different: they are Markdown again."""

    style: Style
    words: str


def read_blocks(written: str) -> Iterator[Fence | Heading | Prose]:
    """Take a text apart, in order.

    >>> list(read_blocks("# Plan"))
    [Heading(words='Plan')]
    """
    end = 0
    for fence in _FENCE.finditer(written):
        yield from _lines(written[end : fence.start()])
        yield Fence(fence["code"].removesuffix("\n"), fence["language"] or None)
        end = fence.end()
    yield from _lines(written[end:])


def _lines(text: str) -> Iterator[Heading | Prose]:
    end = 0
    for heading in _HEADING.finditer(text):
        if heading.start() > end:
            yield Prose(text[end : heading.start()])
        yield Heading(heading["words"])
        end = heading.end()
    if end < len(text):
        yield Prose(text[end:])


def read_inline(text: str) -> Iterator[Plain | Code | Link | Styled]:
    """Take words apart, in order.

    >>> list(read_inline("2*3 **or**"))
    [Plain(text='2*3 '), Styled(style=<Style.BOLD: 'bold'>, words='or')]
    """
    end = 0
    for found in _INLINE.finditer(text):
        if found.start() > end:
            yield Plain(text[end : found.start()])
        end = found.end()
        if found["code"] is not None:
            yield Code(found["code"])
        elif found["link"] is not None:
            yield Link(found["words"], found["link"])
        else:
            (name,) = [name for name in _STYLES if found[name] is not None]
            yield Styled(_STYLES[name], found[name])
    if end < len(text):
        yield Plain(text[end:])
