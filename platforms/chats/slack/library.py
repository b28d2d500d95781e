"""How slack_sdk is used: it logs nothing, and repeats nothing by itself."""

from __future__ import annotations

import logging

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

CALL_S = 25.0
"""How long one call of the Web API may take; the outbox waits a little longer."""

SILENT = logging.Logger("slack_sdk")  # noqa: LOG001 - no part of the process's logging, on purpose
"""For the library: what it would log holds people's words, and addresses with tickets."""
SILENT.disabled = True


def open_session() -> aiohttp.ClientSession:
    """Make the connections that all calls share. To be closed."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_S))


def web_client(token: str, api_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Make the library's client for one token.

    Its own retries are off: a post that is repeated after a broken connection would be seen twice, and the outbox
    knows better.
    """
    return AsyncWebClient(
        token=token, base_url=api_url, session=session, retry_handlers=[], logger=SILENT, timeout=int(CALL_S)
    )
