"""The words of the pages: times, ages, sizes and states, as the command line says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from greenroom.actors.model import TailKind
from greenroom.actors.process import show_command
from greenroom.actors.session_key import InvalidKeyError, SessionKey
from greenroom.actors.why import ADVICE, RULES
from greenroom.storage.views import SessionState
from greenroom.supervisor.cli.paper import say_bytes, say_duration, say_time
from greenroom.supervisor.cli.session_words import (
    say_answer,
    say_called,
    say_ending,
    say_input,
    say_length,
    say_process,
    say_result,
    say_rule,
    say_speaker,
)

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


def say_decided(rule: str) -> str:
    """What a rule of the resume table says, and what an operator can do about it."""
    why, advice = RULES.get(rule, rule), ADVICE.get(rule)
    return why if advice is None else f"{why}; {advice}"


def say_given(name: str, value: object) -> str:
    """What it was that a decision was made from."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "tail" and isinstance(value, dict) and value.get("kind") in TailKind.__members__:
        ends = TailKind[value["kind"]].value
        return f"{ends} ({say_input(name, {key: each for key, each in value.items() if key != 'kind'})})"
    return say_input(name, value)


def say_input_name(name: str) -> str:
    """What is meant by something that a decision was made from."""
    return INPUTS.get(name, name.replace("_", " "))


def say_timer(name: str) -> str:
    """What happens when a timer of a session rings."""
    return TIMERS.get(name, name)


TIMERS: Mapping[str, str] = {
    "placeholder": "the chat is shown that work goes on",
    "typing": "the chat is shown again that somebody is typing",
    "notice": "the chat is told how long it works already",
    "silence": "the run is given up, unless its agent gives a sign of life",
    "limit": "the run is given up: it goes on and on",
    "question": "its person is waited for no longer",
    "retry": "what could not be reached is tried again",
    "idle": "its actor is put to rest, if nothing is to be done",
}
"""The timers of a session, in words."""

INPUTS: Mapping[str, str] = {
    "now": "decided at",
    "age_s": "seconds since the last progress",
    "reason": "what interrupted it",
    "quarantined": "quarantined",
    "suspended": "suspended",
    "routed": "its chat leads to this session",
    "allowed": "the chat may write",
    "connected": "its platform is connected",
    "unclean_boots": "starts that ended in no order, of late",
    "tail": "how the transcript ends",
    "run": "the run that is open",
    "limits": "what the policy allowed then",
}
"""What decisions are made from, in words."""


def letter_link(word: str, delivery: str) -> str:
    """Where an order about a delivery is asked for.

    >>> letter_link("drop", "6.1.answer&x")
    '/letters/order/drop?delivery=6.1.answer%26x'
    """
    return f"/letters/order/{word}?delivery={quote(delivery, safe='')}"


WORDS: Mapping[str, Callable[..., str]] = {
    "ago": say_ago,
    "bytes": say_bytes,
    "answer": say_answer,
    "called": say_called,
    "chat": say_chat,
    "command": show_command,
    "decided": say_decided,
    "timer": say_timer,
    "duration": say_duration,
    "ending": say_ending,
    "input": say_given,
    "input_name": say_input_name,
    "iso": say_iso,
    "took": say_length,
    "plain": say_plain,
    "letter_link": letter_link,
    "platform": say_platform,
    "process": say_process,
    "result": say_result,
    "rule": say_rule,
    "speaker": say_speaker,
    "time": say_time,
}
"""The filters of the templates."""
