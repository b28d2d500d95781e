"""Markdown, as agents write it, made Slack's mrkdwn. Pure and total.

See https://docs.slack.dev/messaging/formatting-message-text/. mrkdwn has no headings, no tables and no way to say that
a character is no mark; so words that hold a mark's own character go without that mark.
"""

from __future__ import annotations

import re
from typing import assert_never

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
from greenroom.platforms.chats.slack.markup import escape

_MARKS = {Style.BOLD: "*", Style.ITALIC: "_", Style.STRIKE: "~"}
_TICK, _TICKS = "`", "```"
_ALL_MARKS = "".join(_MARKS.values()) + _TICK

_BOUNDARY = "\u200b"
"""Shows nothing. Slack takes a mark for one only where no word goes on; many languages have no blanks there."""

_TABLE = re.compile(r"^[ \t]*\|[^\n]*\n[ \t]*\|(?=[ \t:|]*-)[ \t:|-]+$(?:\n[ \t]*\|[^\n]*)*", re.MULTILINE)


def as_mrkdwn(written: str) -> str:
    """Write Markdown as mrkdwn.

    >>> as_mrkdwn("**Hi** & *you*: [x](https://example.org)")
    '*Hi* &amp; _you_: <https://example.org|x>'
    """
    return "".join(map(_block, read_blocks(written)))


def _block(block: Fence | Heading | Prose) -> str:
    match block:
        case Fence(code):
            return _fenced(code)
        case Heading(words):
            return _styled(Style.BOLD, words)
        case Prose(text):
            return _prose(text)
        case _:
            assert_never(block)


def _fenced(code: str) -> str:
    """Slack knows no languages, and no longer fences for code that holds one."""
    within = escape(code).replace(_TICKS, _BOUNDARY.join(_TICKS))
    return f"{_TICKS}\n{within}\n{_TICKS}"


def _prose(text: str) -> str:
    written: list[str] = []
    end = 0
    for table in _TABLE.finditer(text):
        written += (_inline(text[end : table.start()]), _table(table[0]))
        end = table.end()
    return "".join([*written, _inline(text[end:])])


def _table(rows: str) -> str:
    """Let its columns stand below each other, unless there are marks in it: in a fence these would show."""
    simple = all(isinstance(span, Plain) for span in read_inline(rows))
    return _fenced(rows) if simple else _inline(rows)


def _inline(text: str, within: str = "") -> str:
    """Write what stands in a line; `within` are the marks around it."""
    written, was_marked = "", False
    for span in read_inline(text):
        piece = _span(span, within)
        is_marked = not isinstance(span, Plain | Link) and piece[0] in _ALL_MARKS
        if (is_marked and _goes_on(written[-1:])) or (was_marked and _goes_on(piece[0])):
            written += _BOUNDARY
        written, was_marked = written + piece, is_marked
    return written


def _goes_on(char: str) -> bool:
    return char.isalnum() or char > "\x7f" or (char != "" and char in _ALL_MARKS)


def _span(span: Plain | Code | Link | Styled, within: str) -> str:
    match span:
        case Plain(text):
            return escape(text)
        case Code(code):
            return escape(code) if _TICK in code else f"{_TICK}{escape(code)}{_TICK}"
        case Link(words, url):
            return f"<{escape(url).replace('|', '%7C')}|{escape(_plain(words))}>"
        case Styled(style, words):
            return _styled(style, words, within)
        case _:
            assert_never(span)


def _styled(style: Style, words: str, within: str = "") -> str:
    mark = _MARKS[style]
    inner = _inline(words, within + mark)
    return inner if mark in within or mark in inner else f"{mark}{inner}{mark}"


def _plain(text: str) -> str:
    """Leave all marks out: a link's words have none."""
    return "".join(map(_words, read_inline(text)))


def _words(span: Plain | Code | Link | Styled) -> str:
    match span:
        case Plain(text):
            return text
        case Code(code):
            return code
        case Link(words) | Styled(words=words):
            return _plain(words)
        case _:
            assert_never(span)
