"""python-telegram-bot's bare `Bot` as we use it: without the token.

Telegram wants the token in each URL, and URLs are written into logs and errors by whoever makes requests. So the
library is given a word that stands for it, and only the transport below, which writes nothing, puts the token there.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from telegram import Bot
from telegram.request import HTTPXRequest

from greenroom.platforms.chats.telegram.settings import TelegramSettings
from greenroom.platforms.chats.telegram.troubles import TooManyError

HIDDEN = "hidden"
"""Stands for the token."""

CONNECT_S = 10.0
READ_S = 20.0
"""Less than the outbox waits for a call."""

CONNECTIONS_MAX = 64
TOO_MANY = 429
RETRY_AFTER_S = 5.0
"""How long to wait where Telegram does not say."""


class SecretTransport(httpx.AsyncBaseTransport):
    """Puts the token where it belongs, behind all that could tell of it."""

    def __init__(self, token: str, proxy: str | None) -> None:
        self._token = token.encode()
        self._wire = httpx.AsyncHTTPTransport(
            proxy=proxy, limits=httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=30.0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        path = request.url.raw_path.replace(f"/bot{HIDDEN}/".encode(), b"/bot" + self._token + b"/", 1)
        revealed = httpx.Request(
            request.method,
            request.url.copy_with(raw_path=path),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._wire.handle_async_request(revealed)

    async def aclose(self) -> None:
        """See httpx."""
        await self._wire.aclose()


class _Requests(HTTPXRequest):
    """As the library makes them, but that being told to wait is one exception, with the time in seconds."""

    async def do_request(self, *args: object, **kwargs: object) -> tuple[int, bytes]:
        status, payload = await super().do_request(*args, **kwargs)  # type: ignore[arg-type]
        if status == TOO_MANY:
            raise TooManyError(_retry_after(payload))
        return status, payload


def _retry_after(payload: bytes) -> float:
    with suppress(ValueError, TypeError, KeyError):
        return max(0.0, float(json.loads(payload)["parameters"]["retry_after"]))
    return RETRY_AFTER_S


class Line:
    """A bot, and a client for its files."""

    def __init__(self, bot: Bot, files: httpx.AsyncClient, files_url: str) -> None:
        self.bot = bot
        self._files, self._files_url = files, files_url

    async def read_file(self, path: str) -> AsyncIterator[bytes]:
        """Read a file whose path `getFile` gave. Raises httpx.HTTPError."""
        url = path if path.startswith(("http://", "https://")) else f"{self._files_url}/{path}"
        async with self._files.stream("GET", url) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                yield chunk


@asynccontextmanager
async def open_line(settings: TelegramSettings) -> AsyncIterator[Line]:
    """Connect nothing yet, and leave nothing open."""
    transport = SecretTransport(settings.token.get_secret_value(), settings.proxy)
    waits = {"read_timeout": READ_S, "write_timeout": READ_S, "connect_timeout": CONNECT_S, "pool_timeout": CONNECT_S}
    requests = [_Requests(httpx_kwargs={"transport": transport}, **waits) for _ in range(2)]  # type: ignore[arg-type]
    api = settings.api_url.rstrip("/")
    bot = Bot(HIDDEN, f"{api}/bot", f"{api}/file/bot", request=requests[0], get_updates_request=requests[1])
    async with httpx.AsyncClient(transport=transport, timeout=READ_S) as files:
        try:
            yield Line(bot, files, f"{api}/file/bot{HIDDEN}")
        finally:
            for each in requests:
                await each.shutdown()
