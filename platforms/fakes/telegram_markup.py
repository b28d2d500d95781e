"""What the fake Bot API takes as formatted text: MarkdownV2 with Telegram's complaints, and lists of entities. Pure."""

from __future__ import annotations

import json
from typing import Any

RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
"""Must be escaped by a backslash where they are meant as they are."""

_PAIRS = {
    "*": "bold",
    "_": "italic",
    "__": "underline",
    "~": "strikethrough",
    "||": "spoiler",
    "`": "code",
    "```": "pre",
}
_KINDS = {*_PAIRS.values(), "text_link", "text_mention", "blockquote", "mention", "url", "bot_command", "custom_emoji"}


class BadMarkupError(ValueError):
    """Telegram's words of a text that it cannot parse."""


def utf16(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_markdown_v2(written: str) -> tuple[str, list[dict[str, Any]]]:
    r"""Read a text and its entities. Raises BadMarkupError.

    >>> parse_markdown_v2("*a* b\\.")
    ('a b.', [{'type': 'bold', 'offset': 0, 'length': 1}])
    """
    return _Parser(written).parse()


def read_entities(given: str | None) -> list[dict[str, Any]]:
    """Read a list of entities as it was sent. Raises BadMarkupError."""
    if not given:
        return []
    try:
        entities = json.loads(given)
        for each in entities:
            if each["type"] not in _KINDS or int(each["offset"]) < 0 or int(each["length"]) < 1:
                raise BadMarkupError(f"can't parse entities: unsupported entity {each['type']}")
    except (ValueError, KeyError, TypeError) as error:
        raise BadMarkupError(str(error) if isinstance(error, BadMarkupError) else "can't parse entities JSON") from None
    return list(entities)


class _Parser:
    def __init__(self, written: str) -> None:
        self._rest = written
        self._at = 0
        self._text = ""
        self._open: list[tuple[str, int, int]] = []  # marker, where it begins in the text, in bytes of what was written
        self._entities: list[dict[str, Any]] = []

    def parse(self) -> tuple[str, list[dict[str, Any]]]:
        while self._at < len(self._rest):
            self._step()
        if self._open:
            marker, _, at = self._open[-1]
            raise BadMarkupError(
                f"can't parse entities: Can't find end of {_PAIRS[marker].title()} entity at byte offset {at}"
            )
        self._entities.sort(key=lambda each: each["offset"])
        return self._text, self._entities

    def _step(self) -> None:
        char = self._rest[self._at]
        marker = next((each for each in ("```", "||", "__") if self._rest.startswith(each, self._at)), char)
        code = bool(self._open) and self._open[-1][0] in {"`", "```"}
        if char == "\\" and self._at + 1 < len(self._rest):
            self._text += self._rest[self._at + 1]
            self._at += 2
        elif marker in _PAIRS and (not code or marker == self._open[-1][0]):
            self._mark(marker)
        elif char == "[" and not code:
            self._link()
        elif char in RESERVED and not code:
            raise BadMarkupError(
                f"can't parse entities: Character '{char}' is reserved and must be escaped with the preceding '\\'"
            )
        else:
            self._text += char
            self._at += 1

    def _mark(self, marker: str) -> None:
        if self._open and self._open[-1][0] == marker:
            _, began, _ = self._open.pop()
            self._entity(_PAIRS[marker], began)
        else:
            self._open.append((marker, utf16(self._text), len(self._rest[: self._at].encode())))
        self._at += len(marker)

    def _link(self) -> None:
        words, middle, rest = self._rest[self._at + 1 :].partition("](")
        url, end, _ = rest.partition(")")
        if not middle or not end:
            raise BadMarkupError(
                "can't parse entities: Character '[' is reserved and must be escaped with the preceding '\\'"
            )
        began = utf16(self._text)
        self._text += words
        self._entity("text_link", began, url=url)
        self._at += len(words) + len(url) + 4

    def _entity(self, kind: str, began: int, **more: str) -> None:
        if length := utf16(self._text) - began:
            self._entities.append({"type": kind, "offset": began, "length": length, **more})
