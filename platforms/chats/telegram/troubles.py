"""What went wrong at Telegram, in the port's words. Pure. None of these words holds a token."""

from __future__ import annotations

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)

from greenroom.actors.ports import (
    MisconfiguredError,
    NotSentError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)

WRONG_TOKEN = "Telegram does not know this token; copy it again from @BotFather"  # noqa: S105 - no password
TWO_POLLERS = (
    "another program asks for this bot's updates (409 Conflict), and a token serves one at a time; "
    "stop the other one, or give this one a bot of its own"
)
WEBHOOK_TAKEN = (
    "the bot's webhook was moved to another address: another program uses this token; stop it, or give this one a bot "
    "of its own"
)

NOT_MODIFIED = "message is not modified"
GONE = ("message to edit not found", "message can't be edited", "message_id_invalid", "message to be edited not found")
"""What was to be edited cannot be, ever: it is posted anew."""

BAD_MARKS = ("entit", "parse")
"""In what Telegram says of marks that it does not take."""


class TooManyError(TelegramError):
    """Told to wait (429)."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"too many requests; retry after {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class TelegramTroubleError(Exception):
    """Telegram failed in a way that says nothing about the effect."""


def is_not_modified(error: TelegramError) -> bool:
    """Whether an edit had nothing to change: it is done."""
    return isinstance(error, BadRequest) and NOT_MODIFIED in error.message.lower()


def blames_marks(error: TelegramError) -> bool:
    """Whether the same text may be taken without marks."""
    return isinstance(error, BadRequest) and any(word in error.message.lower() for word in BAD_MARKS)


def of_call(error: TelegramError) -> Exception:
    """Translate what a call raised, for the outbox.

    A wrong token makes nothing undeliverable: the operator will cure it, so the call counts as not made. What Telegram
    finds bad (400) it will never take.
    """
    match error:
        case TooManyError(retry_after_s=retry_after_s):
            return RetryLaterError(retry_after_s)
        case InvalidToken():
            return NotSentError(WRONG_TOKEN)
        case Forbidden():
            return SendRefusedError(error.message)
        case BadRequest():
            gone = any(words in error.message.lower() for words in GONE)
            return TargetGoneError(error.message) if gone else SendRefusedError(error.message)
        case ChatMigrated():
            return TargetGoneError("the group became a supergroup, and its messages were left behind")
        case TimedOut():
            if isinstance(error.__cause__, httpx.ConnectTimeout | httpx.PoolTimeout):
                return NotSentError("Telegram cannot be reached in time")
            return TimeoutError("Telegram did not answer in time")
        case NetworkError() if isinstance(error.__cause__, httpx.ConnectError | httpx.UnsupportedProtocol):
            return NotSentError(f"Telegram cannot be reached: {error.message}")
        case _:
            return TelegramTroubleError(error.message)


def of_start(error: TelegramError) -> Exception:
    """Translate the same where we connect: there a wrong token is what is to be told."""
    if isinstance(error, InvalidToken):
        return MisconfiguredError(WRONG_TOKEN)
    if isinstance(error, Conflict):
        return MisconfiguredError(TWO_POLLERS)
    return of_call(error)
