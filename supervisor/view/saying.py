"""The words of the pages: times, ages, sizes and states, as the command line says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from greenroom.actors.session_key import InvalidKeyError, SessionKey
from greenroom.storage.views import SessionState
from greenroom.supervisor.cli.paper import say_bytes, say_duration, say_time

STATES: Mapping[SessionState, str] = {
    SessionState.QUARANTINED: "set aside after attempts that got nowhere",
    SessionState.SUSPENDED: "set aside by its user or an operator",
    SessionState.ASKING: "the agent asked, the user has the word",
    SessionState.RUNNING: "the agent works",
    SessionState.INTERRUPTED: "a run is open and nobody works on it",
    SessionState.WAITING: "messages are stored and no run has taken them",
    SessionState.OWING: "answers are stored and not yet sent",
    SessionState.IDLE: "nothing is to be done",
}
"""What each state means."""


def say_ago(at: float | None, now: float) -> str:
    """How long ago something was.

    >>> say_ago(40.0, 100.0)
    '1 min ago'
    """
    return "-" if at is None else f"{say_duration(now - at)} ago"


def say_iso(at: float | None) -> str:
    """A moment for machines."""
    try:
        return "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return ""


def say_platform(key: str) -> str:
    """The platform of a session's key."""
    return key.partition(":")[0]


def say_chat(key: str) -> str:
    """What a session's key says beside the platform: the account, the chat and its thread.

    >>> say_chat("matrix:bot:!room%3Aexample.org")
    'bot / !room:example.org'
    """
    try:
        named = SessionKey.parse(key)
    except InvalidKeyError:
        return key
    return " / ".join(part for part in (named.account, named.chat, named.thread) if part is not None)


def say_plain(text: str) -> str:
    """Foreign words on one line, without what cannot be seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


WORDS: Mapping[str, Callable[..., str]] = {
    "ago": say_ago,
    "bytes": say_bytes,
    "chat": say_chat,
    "duration": say_duration,
    "iso": say_iso,
    "plain": say_plain,
    "platform": say_platform,
    "time": say_time,
}
"""The filters of the templates."""
