"""Slack's mrkdwn: what of it stands for something, on the way in and on the way out. Pure.

In Slack's texts `&`, `<` and `>` are always escaped, and `<...>` is a link, or names a user, a channel or a group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_REFERENCE = re.compile(r"<(?P<what>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")
_USER = re.compile(r"<@(?P<user>[A-Z0-9]+)(?:\|[^<>]*)?>")


def escape(text: str) -> str:
    """Make a text say in Slack what it says here.

    >>> escape("a < b && <@U1>")
    'a &lt; b &amp;&amp; &lt;@U1&gt;'
    """
    for char, escaped in _ESCAPES:
        text = text.replace(char, escaped)
    return text


def unescape(text: str) -> str:
    """Undo `escape`."""
    for char, escaped in reversed(_ESCAPES):
        text = text.replace(escaped, char)
    return text


def users_in(text: str) -> frozenset[str]:
    """Find the users that a text mentions."""
    return frozenset(found["user"] for found in _USER.finditer(text))


def readable(text: str, names: Mapping[str, str], *, me: str) -> str:
    """Write a person's text as an agent should read it: names for users, addresses for links, no escapes.

    A mention of us at the beginning only says who is meant: it is left out.

    >>> readable("<@UBOT> ask <@U1> about <https://a.example|this>, a &lt; b", {"U1": "Ann"}, me="UBOT")
    'ask @Ann about this (https://a.example), a < b'
    """
    text = re.sub(rf"^\s*<@{re.escape(me)}(?:\|[^<>]*)?>[,:]?\s*", "", text)
    return unescape(_REFERENCE.sub(lambda found: _named(found["what"], found["label"], names), text))


def _named(what: str, label: str | None, names: Mapping[str, str]) -> str:
    """Write one reference. What it becomes is unescaped with the rest of the text."""
    sigil, rest = what[0], what[1:]
    if sigil == "@":
        return f"@{escape(names[rest]) if rest in names else label or rest}"
    if sigil == "#":
        return f"#{label or rest}"
    if sigil == "!":
        words = label or rest.partition("^")[0]
        return words if rest.startswith("date^") or words.startswith("@") else f"@{words}"
    if not label or label in {what, what.removeprefix("mailto:"), what.partition("://")[2]}:
        return what.removeprefix("mailto:")
    return f"{label} ({what.removeprefix('mailto:')})"
