"""One answer of /sync, and what is to be asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec import Struct, field

from greenroom.platforms.chats.matrix.events import TYPES

TIMELINE_MAX = 50
"""Events of one room in one answer; what is between them and the last answer is fetched, page by page."""

_EVENTS = {"types": list(TYPES), "lazy_load_members": True}
_NOTHING: dict[str, list[str]] = {"types": []}
FILTER = msgspec.json.encode(
    {
        "presence": _NOTHING,
        "account_data": _NOTHING,
        "room": {
            "timeline": {**_EVENTS, "limit": TIMELINE_MAX},
            "state": {"types": ["m.room.member"], "lazy_load_members": True},
            "ephemeral": _NOTHING,
            "account_data": _NOTHING,
        },
    }
).decode()
"""Of /sync: messages, and who comes and goes."""

PAGE_FILTER = msgspec.json.encode(_EVENTS).decode()
"""Of a room's past: the same."""


class Timeline(Struct, frozen=True):
    """What happened in one room, oldest first. `limited`: more happened before it, back to `prev_batch`."""

    events: tuple[dict[str, Any], ...] = ()
    limited: bool = False
    prev_batch: str | None = None


class _Events(Struct, frozen=True):
    events: tuple[dict[str, Any], ...] = ()


class Joined(Struct, frozen=True):
    """A room in which we are."""

    timeline: Timeline = Timeline()
    state: _Events = _Events()


class Invited(Struct, frozen=True):
    """A room into which we are invited."""

    invite_state: _Events = _Events()

    def by(self, me: str) -> str:
        """Who invites us; empty if the server does not say."""
        for event in self.invite_state.events:
            if event.get("type") == "m.room.member" and event.get("state_key") == me:
                return str(event.get("sender", ""))
        return ""


class _Rooms(Struct, frozen=True):
    join: dict[str, Joined] = {}
    invite: dict[str, Invited] = {}
    leave: dict[str, Any] = {}


class Batch(Struct, frozen=True):
    """All that happened since the last answer."""

    next_batch: str
    rooms: _Rooms = field(default_factory=_Rooms)


def read_batch(raw: Mapping[str, Any]) -> Batch:
    """Read an answer. Raises msgspec.ValidationError for what no home server says."""
    try:
        return msgspec.convert(raw, Batch)
    except UnicodeError as wrong:
        raise msgspec.ValidationError(f"half a character stands where a name belongs: {wrong}") from None


def is_welcome(room: str, inviter: str, patterns: tuple[str, ...]) -> bool:
    """Whether an invitation is to be accepted.

    >>> is_welcome("!r", "@ann:example.org", ("@*:example.org",)), is_welcome("!r", "@eve:elsewhere", ("@ann:*", "!r"))
    (True, True)
    """
    return any(fnmatchcase(inviter, pattern) or fnmatchcase(room, pattern) for pattern in patterns)
