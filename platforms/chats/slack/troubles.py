"""What went wrong at Slack, in the port's words. Pure. None of these words holds a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

from greenroom.actors.ports import (
    MisconfiguredError,
    NotSentError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)

RETRY_AFTER_S = 30.0
"""How long to wait where Slack does not say."""

TOO_MANY = 429
LIMITED = {"ratelimited", "rate_limited", "message_limit_exceeded"}
GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
"""What was to be edited cannot be, ever: it is posted anew."""

REFUSED = {
    "as_user_not_supported",
    "cannot_dm_bot",
    "cannot_reply_to_message",
    "channel_not_found",
    "channel_type_not_supported",
    "ekm_access_denied",
    "invalid_blocks",
    "invalid_blocks_format",
    "is_archived",
    "is_inactive",
    "messages_tab_disabled",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "not_in_channel",
    "restricted_action",
    "restricted_action_non_threadable_channel",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_thread_only_channel",
    "thread_not_found",
    "user_not_found",
}
"""This chat, or this message, will never be taken."""

MISCONFIGURED: Mapping[str, str] = {
    "invalid_auth": "Slack does not know this token; copy it again from the app's pages",
    "not_authed": "Slack was given no token",
    "account_inactive": "the token's user or workspace was removed; install the app again",
    "token_revoked": "the token was revoked; install the app again and copy the new one",
    "token_expired": "the token has expired; install the app again, without token rotation",
    "not_allowed_token_type": "this is the wrong kind of token: bot_token begins with xoxb-, app_token with xapp-",
    "no_permission": "the token may not do this; add the scopes named in docs/platforms.md and install the app again",
    "missing_scope": "the token may not do this; add the scopes named in docs/platforms.md and install the app again",
    "access_denied": "Slack refuses this app; ask the workspace's administrators",
    "org_login_required": "the workspace is being moved; sign in there",
    "team_access_not_granted": "the app is not installed in this workspace; install it",
    "forbidden_team": "the app may not be used in this workspace",
}
"""What only a person can cure."""


class SlackTroubleError(Exception):
    """Slack failed in a way that says nothing about the effect. The message holds no secrets."""


def trouble_words(code: str) -> str | None:
    """Say what only a person can cure, and how; None for all other errors."""
    advice = MISCONFIGURED.get(code)
    return None if advice is None else f"{code}: {advice}"


def of_call(error: Exception) -> Exception:
    """Translate what a call to the Web API raised, for the outbox.

    A wrong token makes nothing undeliverable: the operator will cure it, so the call counts as not made.
    """
    match error:
        case SlackApiError(response=response):
            return _of_answer(*read_answer(response))
        case aiohttp.ClientConnectorError() | aiohttp.InvalidURL():
            return NotSentError(f"Slack cannot be reached: {type(error).__name__}: {error}")
        case TimeoutError():
            return TimeoutError("Slack did not answer in time")
        case aiohttp.ClientError():
            return SlackTroubleError(f"the connection to Slack failed: {type(error).__name__}")
        case _:
            return error


def of_start(error: Exception) -> Exception:
    """Translate the same where we connect: there a wrong token is what is to be told."""
    if isinstance(error, SlackApiError):
        words = trouble_words(read_answer(error.response)[1])
        if words is not None:
            return MisconfiguredError(words)
    return of_call(error)


def _of_answer(status: int, code: str, retry_after_s: float) -> Exception:
    if status == TOO_MANY or code in LIMITED:
        return RetryLaterError(retry_after_s, f"slack: {code}")
    if code in GONE:
        return TargetGoneError(code)
    if code in REFUSED:
        return SendRefusedError(code)
    words = trouble_words(code)
    return SlackTroubleError(f"{code} (status {status})") if words is None else NotSentError(words)


def read_answer(response: Any) -> tuple[int, str, float]:
    """Read an answer that is no success: the status, Slack's word for the error, and how long to wait."""
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = str(data.get("error", "no reason given")) if isinstance(data, Mapping) else "no JSON"
    headers = getattr(response, "headers", None) or {}
    told = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return status, code, max(0.0, float(told))
    except ValueError:
        return status, code, RETRY_AFTER_S
