"""What a server's error object means: the same in the answer to a request and inside a stream. Pure.

In a stream there is no status, so its code counts, which the chat API's servers often write as the status of HTTP.
OpenAI's codes are those of its library's `ResponseError`, and what codex-rs/codex-api/src/sse/responses.rs reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from greenroom.platforms.agents.openai.reply import BrokenStreamError, text_in

TOO_LONG = ("context_length_exceeded", "context length", "context window", "context size", "maximum context")
"""How servers say that a conversation is longer than their model takes."""

BUSY = frozenset({"rate_limit_exceeded", "server_is_overloaded", "slow_down", "overloaded_error", "rate_limit_error"})
"""Codes and types of a server that cannot answer now."""

REFUSED = frozenset(
    {
        "insufficient_quota",
        "usage_not_included",
        "data_residency_mismatch",
        "invalid_prompt",
        "invalid_request_error",
        "bio_policy",
        "cyber_policy",
        "misalignment_policy_violation",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "invalid_image_mode",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "image_file_too_large",
        "image_file_not_found",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
    }
)
"""Codes and types of a request that would be refused again."""

WAIT = re.compile(r"(?i)try again in\s+(?:(\d{1,4})h)?(?:(\d{1,4})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)\s?(ms|s))?")
"""How OpenAI names a wait in words: 120ms, 11.05s, 1m30s, 35 seconds."""

WHY_MAX = 500
"""Characters of a server's own words in a log."""


class UnreachableError(Exception):
    """The server cannot be reached, or says that it cannot answer now. `after_s`: not before so long, if it says so."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class ModelRefusedError(Exception):
    """The server refuses the request, and would again."""


class TooLongError(ModelRefusedError):
    """The conversation is longer than the model takes."""


def classify_status(status: int, error: Mapping[str, Any], after_s: float | None) -> Exception:
    """Say what a refusal with a status of HTTP means. `after_s`: how long its headers have us wait."""
    said = words_of(error)
    if status in (408, 409, 425, 429) or status >= 500:  # noqa: PLR2004 - as HTTP has it
        wait_s = read_wait(said) if after_s is None else after_s
        return UnreachableError(f"the model's provider answers {status}", wait_s)
    return TooLongError(said) if _is_too_long(error) else ModelRefusedError(said)


def classify_error(error: Mapping[str, Any]) -> Exception:
    """Say what an error object inside a stream means. What nobody knows has broken the stream.

    >>> classify_error({"code": "rate_limit_exceeded", "message": "Please try again in 11.05s."}).after_s
    11.05
    >>> classify_error({"code": "server_error", "message": "Oh."})
    BrokenStreamError('Oh.')
    """
    code = error.get("code")
    named = {str(code), text_in(error.get("type"))}
    if named & BUSY:
        return UnreachableError("the model's provider is overloaded", read_wait(words_of(error)))
    if _is_too_long(error):
        return TooLongError(words_of(error))
    if named & REFUSED:
        return ModelRefusedError(words_of(error))
    if re.fullmatch("[45][0-9]{2}", str(code)):
        return classify_status(int(str(code)), error, None)
    return BrokenStreamError(words_of(error))


def words_of(error: Mapping[str, Any]) -> str:
    """Give a server's own words, as long as a log takes."""
    return (text_in(error.get("message")) or "the model's provider reports an error")[:WHY_MAX]


def read_wait(words: str) -> float | None:
    """Read for how long a server wants to be left alone, in seconds, out of its words.

    >>> read_wait("Rate limit reached. Please try again in 1m30.5s.")
    90.5
    >>> read_wait("Please try again in a moment.") is None
    True
    """
    found = WAIT.search(words)
    if found is None or not any(found.groups()):
        return None
    hours, minutes, rest, unit = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest or 0) * (0.001 if unit == "ms" else 1.0)


def _is_too_long(error: Mapping[str, Any]) -> bool:
    words = f"{error.get('code')} {error.get('message')}".lower()
    return any(mark in words for mark in TOO_LONG)
