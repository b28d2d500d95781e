"""What names a conversation. Reached through `model.py`, as all nouns are."""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import quote, unquote

from msgspec import Struct

KEY_PART_MAX = 255
"""Longest part of a session key, in characters, before escaping."""


_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class InvalidKeyError(ValueError):
    """A session key that cannot name a session. The message says which part and what to write instead."""


class SessionKey(Struct, frozen=True, order=True):
    """Names a conversation: `platform:account:chat[:thread]`, each part percent-escaped where it holds `:` or `%`.

    >>> str(SessionKey("matrix", "bot", "!room:example.org"))
    'matrix:bot:!room%3Aexample.org'
    >>> SessionKey.parse("telegram:me:42:7")
    SessionKey(platform='telegram', account='me', chat='42', thread='7')
    """

    platform: str
    account: str
    chat: str
    thread: str | None = None

    def __post_init__(self) -> None:
        """Refuse empty, overlong and unprintable parts, so that a key inside the house is valid."""
        for name, part in (("platform", self.platform), ("account", self.account), ("chat", self.chat)):
            _check_part(name, part)
        if self.thread is not None:
            _check_part("thread", self.thread)

    def __str__(self) -> str:
        """Write the key as `parse` reads it."""
        parts = (self.platform, self.account, self.chat) + ((self.thread,) if self.thread is not None else ())
        plain = ":".join(parts)
        if plain.count(":") < len(parts) and "%" not in plain:
            return plain  # Most keys hold nothing that must be escaped.
        return ":".join([_escape(part) for part in parts])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `platform:account:chat[:thread]`. Raises InvalidKeyError."""
        parts = [_unescape(part) for part in text.split(":")]
        if len(parts) == 3:  # noqa: PLR2004 - the form in the docstring
            return cls(parts[0], parts[1], parts[2])
        if len(parts) == 4:  # noqa: PLR2004 - the form in the docstring
            return cls(parts[0], parts[1], parts[2], parts[3])
        msg = (
            f"session key {text[:80]!r}: write platform:account:chat or platform:account:chat:thread, "
            "and %3A for a colon inside a part"
        )
        raise InvalidKeyError(msg)


def _escape(part: str) -> str:
    return quote(part, safe="!@#$&'()*+,;=/?[]~ -._", encoding="utf-8") if _needs_escape(part) else part


def _unescape(part: str) -> str:
    try:
        if _BROKEN_ESCAPE.search(part) is None:
            return unquote(part, errors="strict")
    except UnicodeDecodeError:
        pass
    msg = f"session key: {part[:40]!r} holds a % that begins no character; write %25 for a percent sign"
    raise InvalidKeyError(msg)


def _needs_escape(part: str) -> bool:
    return ":" in part or "%" in part


def _check_part(name: str, part: str) -> None:
    if not part or len(part) > KEY_PART_MAX or not part.isprintable():
        msg = f"session key: {name} must be 1 to {KEY_PART_MAX} printable characters, got {part[:40]!r}"
        raise InvalidKeyError(msg)
