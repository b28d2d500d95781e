"""What Discord's complaints mean for a call of ours, and for the account. Pure."""

from __future__ import annotations

import aiohttp
import discord

from greenroom.actors.ports import (
    MisconfiguredError,
    NotSentError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)

PORTAL = "https://discord.com/developers/applications"

BANNED_S = 60.0
"""How long to stay away when Discord's gatekeeper says 429 and not how long."""

UNKNOWN_MESSAGE = 10008
INVALID_BODY = 50035
ARCHIVED = 50083
NO_HISTORY = 160002
GONE = {UNKNOWN_MESSAGE, ARCHIVED, NO_HISTORY}
"""The message to edit was deleted, or lies in an archived thread, where only new ones can be posted; or the message to
reply to may not be read."""

WRONG_TOKEN = 4004
TOO_MANY_SERVERS = 4011
NO_INTENT = 4014

MISCONFIGURED = {
    WRONG_TOKEN: f"Discord refuses the bot's token; at {PORTAL} take your application, 'Bot', 'Reset Token', and set "
    "platforms.discord.token to the new one",
    TOO_MANY_SERVERS: "the bot is in more servers than one connection may serve (2,500); greenroom has no shards: "
    "remove it from some, or divide them among several applications",
    NO_INTENT: f"the bot may not read what is written; at {PORTAL} take your application, 'Bot', and switch on "
    "'Message Content Intent' under 'Privileged Gateway Intents'",
}
"""By the code with which the gateway closes: what only a person can cure, and how."""


def read_refusal(error: Exception) -> Exception:
    """Translate what a call raised. What is not known to be without effect stays as it is: it counts as doubtful."""
    match error:
        case discord.RateLimited(retry_after=after_s):
            return RetryLaterError(after_s, "Discord's rate limit")
        case discord.HTTPException(status=status, code=code):
            return _read_status(error, status, code)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return NotSentError(f"Discord cannot be reached: {error}")
        case _:
            return error


def _read_status(error: discord.HTTPException, status: int, code: int) -> Exception:
    words = str(error)
    if code in GONE or (code == INVALID_BODY and "message_reference" in error.text):
        return TargetGoneError(words)
    match status:
        case 429:
            after_s = error.response.headers.get("Retry-After", "")
            return RetryLaterError(float(after_s) if after_s.isdecimal() else BANNED_S, "Discord's rate limit")
        case 401:
            return NotSentError(f"Discord refuses the bot's token: {words}")
        case 400 | 403 | 404 | 413:
            return SendRefusedError(words)
        case _:
            return error


def read_ending(error: Exception) -> Exception:
    """Translate why the connection ended. What is not known stays as it is: it is made again."""
    match error:
        case discord.LoginFailure():
            return MisconfiguredError(MISCONFIGURED[WRONG_TOKEN])
        case discord.PrivilegedIntentsRequired():
            return MisconfiguredError(MISCONFIGURED[NO_INTENT])
        case discord.ConnectionClosed(code=code) if code in MISCONFIGURED:
            return MisconfiguredError(MISCONFIGURED[code])
        case _:
            return error
