"""A webhook: Telegram posts updates to an address of ours, with a secret, and is answered once they are on disk."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
import socket

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from telegram import Bot, Update

from greenroom.actors.ports import BusyError, Door, MisconfiguredError
from greenroom.platforms.chats.telegram.codec import WANTED
from greenroom.platforms.chats.telegram.intake import Intake
from greenroom.platforms.chats.telegram.troubles import WEBHOOK_TAKEN
from greenroom.platforms.chats.web.server import serving

PATH = "/telegram"
BODY_MAX_BYTES = 1_000_000
SECRET_BYTES = 32
HEADER = "x-telegram-bot-api-secret-token"

LOOK_S = 60.0
"""How often it is asked whether the webhook is still ours."""

logger = logging.getLogger("greenroom.platform.telegram")


class Hook:
    """Serves the address. Each life has a secret of its own, which Telegram is told when it begins."""

    def __init__(self, bot: Bot, intake: Intake, url: str, *, look_s: float = LOOK_S) -> None:
        """`url` is the address as Telegram sees it, with its path."""
        self._bot, self._intake, self._url, self._look_s = bot, intake, url, look_s
        self._secret = secrets.token_urlsafe(SECRET_BYTES)
        self._turn = asyncio.Lock()
        self._app = Starlette(routes=[Route(PATH, self._receive, methods=["POST"])])

    async def run(self, listening: socket.socket, door: Door) -> None:
        """Serve until cancelled. Raises TelegramError; MisconfiguredError when somebody else takes the webhook."""
        async with serving(self._app, listening) as server:
            # One connection: updates come one after the other, in their order.
            await self._bot.set_webhook(self._url, secret_token=self._secret, allowed_updates=WANTED, max_connections=1)
            door.connected()
            try:
                while not server.done():
                    await asyncio.wait({server}, timeout=self._look_s)
                    if (await self._bot.get_webhook_info()).url != self._url:
                        raise MisconfiguredError(WEBHOOK_TAKEN)
                server.result()
                raise RuntimeError("the server of Telegram's updates ended by itself")
            finally:
                door.disconnected("the server of Telegram's updates stopped")

    async def _receive(self, request: Request) -> Response:
        given = request.headers.get(HEADER, "")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            return PlainTextResponse("the secret is wrong", 401)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX_BYTES:
                return PlainTextResponse("too large", 413)
        try:
            update = parse_update(body, self._bot)
        except ValueError:
            return PlainTextResponse("no update", 400)
        try:
            async with self._turn:
                await self._intake.take((update,))
        except BusyError as busy:
            logger.info("Telegram is asked to come again: %s", busy)
            return PlainTextResponse("come again", 503, headers={"retry-after": "1"})
        return Response(status_code=200)


def parse_update(body: bytes, bot: Bot | None) -> Update:
    """Read what was posted. Raises ValueError."""
    try:
        return Update.de_json(json.loads(body), bot)
    except Exception as error:  # Invariant: what the library cannot read, whatever it raises then, is no update.
        raise ValueError(f"no update: {type(error).__name__}") from None
