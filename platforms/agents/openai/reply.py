"""What a model said in one answer, put together from the pieces of a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from greenroom.actors.mending import mend
from greenroom.actors.window import CHARS_A_TOKEN
from greenroom.platforms.agents.talk import Call

STOP, LENGTH = "stop", "length"

TO_CALL = frozenset({"tool_calls", "function_call", STOP})
"""The finishes with which calls are meant to be made; a text or a call that was cut short has another, or none."""


class Usage(Struct, frozen=True):
    """Tokens that an answer cost."""

    read: int = 0
    written: int = 0


class Reply(Struct, frozen=True):
    """An answer. Without `finish` it is not whole, whatever there is of it."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish: str | None = None
    usage: Usage | None = None
    reasoning: tuple[str, str] | None = None
    kept: tuple[Mapping[str, Any], ...] = ()
    details: tuple[Mapping[str, Any], ...] = ()

    @property
    def wants_calls(self) -> bool:
        """Whether its calls are whole, and to be made."""
        return bool(self.calls) and self.finish in TO_CALL

    @property
    def written(self) -> int:
        """Tokens of it: as the server says, or about so many."""
        if self.usage is not None:
            return self.usage.written
        thoughts = len(self.reasoning[1]) if self.reasoning is not None else 0
        length = len(self.text) + thoughts + sum(len(call.name) + len(call.args) for call in self.calls)
        return length // CHARS_A_TOKEN


class BrokenStreamError(Exception):
    """A stream said that something went wrong, or something that nobody can read."""


class Reader(Protocol):
    """Takes a stream piece by piece. Pieces come from foreign servers: nothing in them is taken for granted."""

    def take(self, piece: Mapping[str, Any]) -> str:
        """Take the next piece, and give the words that are new in it."""

    def reply(self) -> Reply:
        """Give what there is so far."""


def bounded(value: Any, most: int) -> Any:
    """Make a value fit for disk and wire, if it has no more characters as JSON; else None."""
    try:
        text = mend(json.dumps(value, ensure_ascii=False, allow_nan=False), "a field")
    except (ValueError, TypeError, RecursionError):
        return None
    return json.loads(text) if len(text) <= most else None


def text_in(value: object) -> str:
    """Take it if it is text."""
    return value if isinstance(value, str) else ""


def count_in(value: object) -> int:
    """Take it if it is a count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def fields_in(value: object) -> Mapping[str, Any]:
    """Take it if it has fields."""
    return value if isinstance(value, Mapping) else {}


def list_in(value: object) -> list[Any]:
    """Take it if it is a list."""
    return value if isinstance(value, list) else []
