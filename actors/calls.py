"""What the outbox asks of a platform, and the few ways in which that can end. Pure: values and one translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import (
    NotSentError,
    Outgoing,
    Platform,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)

REASON_MAX = 500
"""Characters of a platform's complaint that are kept."""


@dataclass(frozen=True, slots=True)
class Post:
    """Make a new message."""

    message: Outgoing


@dataclass(frozen=True, slots=True)
class Edit:
    """Change a message that exists."""

    session: SessionKey
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """Ask whether a message was posted by an earlier try."""

    message: Outgoing


Call = Post | Edit | Look


@dataclass(frozen=True, slots=True)
class Worked:
    """The call did what it says. `message_id` is what was posted or found; None: edited, or surely absent."""

    message_id: str | None


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The platform will never take it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """It had no effect; the whole account may come again in `after_s`."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Unsent:
    """It certainly had no effect."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """What the call refers to (the message to edit, the message to reply to) does not exist."""

    reason: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """It may have had its effect. `raised` is False when there was simply no answer in time."""

    reason: str
    raised: bool


Outcome = Worked | Forbidden | Postponed | Unsent | Gone | Doubtful


def read_outcome(error: BaseException | None, message_id: str | None) -> Outcome:
    """Translate how a call ended. Whatever a platform raises that is not in the port counts as doubtful."""
    match error:
        case None:
            return Worked(message_id)
        case SendRefusedError():
            return Forbidden(_reason(error))
        case RetryLaterError(retry_after_s=after_s):
            return Postponed(after_s)
        case NotSentError():
            return Unsent(_reason(error))
        case TargetGoneError():
            return Gone(_reason(error))
        case TimeoutError():
            return Doubtful(_reason(error), raised=False)
        case _:
            return Doubtful(_reason(error), raised=True)


async def perform(platform: Platform, call: Call) -> str | None:
    """Make the call on the platform's loop."""
    match call:
        case Post(message):
            return str(await platform.send(message))
        case Edit(session, message_id, text):
            await platform.edit(session, message_id, text)
            return None
        case Look(message):
            return await platform.find(message)
        case _:
            assert_never(call)


def _reason(error: BaseException) -> str:
    text = str(error).strip()
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:REASON_MAX]
