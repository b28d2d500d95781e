"""What the outbox asks of a platform, and the few ways in which that can end. Pure: values and one translation."""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import (
    Choices,
    NotSentError,
    Outgoing,
    Platform,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)

REASON_MAX = 500
"""Characters of a platform's complaint that are kept."""


class Post(Struct, frozen=True):
    """Make a new message."""

    message: Outgoing


class Edit(Struct, frozen=True):
    """Change a message that exists. `live`: to words that stream, before the text was known."""

    session: SessionKey
    message_id: str
    text: str
    live: bool = False
    choices: Choices | None = None


class Look(Struct, frozen=True):
    """Ask whether a message was posted by an earlier try."""

    message: Outgoing


Call = Post | Edit | Look


class Worked(Struct, frozen=True):
    """The call did what it says. `message_id` is what was posted or found; None: edited, or surely absent."""

    message_id: str | None


class Forbidden(Struct, frozen=True):
    """The platform will never take it."""

    reason: str


class Postponed(Struct, frozen=True):
    """It had no effect; the whole account may come again in `after_s`."""

    after_s: float


class Unsent(Struct, frozen=True):
    """It certainly had no effect."""

    reason: str


class Gone(Struct, frozen=True):
    """What the call refers to (the message to edit, the message to reply to) does not exist."""

    reason: str


class Doubtful(Struct, frozen=True):
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
        case Edit(session, message_id, text, _, choices):
            if choices is None:  # What has no buttons is never given any.
                await platform.edit(session, message_id, text)
            else:
                await platform.edit(session, message_id, text, choices)
            return None
        case Look(message):
            return await platform.find(message)
        case _:
            assert_never(call)


async def show_typing(platform: Platform, session: SessionKey) -> None:
    """Let the platform show that somebody is typing. Whether that worked interests nobody."""
    show = getattr(platform, "typing", None)
    if show is not None:
        await show(session)


def _reason(error: BaseException) -> str:
    text = str(error).strip()
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:REASON_MAX]
