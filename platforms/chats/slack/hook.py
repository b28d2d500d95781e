"""The Events API: Slack posts what happens to an address of ours, signed, and is answered once it is on disk."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from slack_sdk.signature import Clock, SignatureVerifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from greenroom.actors.mending import mend
from greenroom.actors.ports import BusyError, Door
from greenroom.platforms.chats.slack.intake import Intake
from greenroom.platforms.chats.web.server import serving

PATH = "/slack/events"
BODY_MAX_BYTES = 1_000_000
ANSWER_S = 2.5
"""Slack waits three seconds for an answer; then it asks again, and what we have meanwhile stored is recognised."""

logger = logging.getLogger("greenroom.platform.slack")


class _Clock(Clock):
    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now  # type: ignore[method-assign]


class Hook:
    """The application behind the address. Events and presses come to the same path."""

    def __init__(self, intake: Intake, secret: Callable[[], str], now: Callable[[], float] = time.time) -> None:
        """`secret` is the app's signing secret, asked for each time."""
        self._intake, self._secret, self._clock = intake, secret, _Clock(now)
        self.app = Starlette(routes=[Route(PATH, self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return PlainTextResponse("too large", 413)
        if not self._is_signed(body, request.headers):
            return PlainTextResponse("the signature is wrong, or too old", 401)
        try:
            kind, payload = read_body(body, request.headers.get("content-type", ""))
        except ValueError:
            return PlainTextResponse("neither an event nor an interaction", 400)
        if payload.get("type") == "url_verification":
            return JSONResponse({"challenge": mend(str(payload.get("challenge")), "challenge")})
        return await self._take(kind, payload)

    async def _take(self, kind: str, payload: Mapping[str, Any]) -> Response:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._intake.take(kind, payload)
        except (BusyError, TimeoutError) as busy:
            logger.info("Slack is asked to come again: %s", str(busy) or "it took too long")
            return PlainTextResponse("come again", 503, headers={"retry-after": "1"})
        return Response(status_code=200)

    def _is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Compare in constant time, and refuse what is more than five minutes old."""
        verifier = SignatureVerifier(self._secret(), self._clock)
        try:
            return verifier.is_valid(body, headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature"))
        except (ValueError, TypeError):  # No number, no UTF-8, no ASCII: not from Slack.
            return False


async def serve(app: ASGIApp, listening: socket.socket, door: Door) -> None:
    """Serve until cancelled."""
    async with serving(app, listening) as server:
        door.connected()
        try:
            await asyncio.wait({server})
            server.result()
            raise RuntimeError("the server of Slack's events ended by itself")
        finally:
            door.disconnected("the server of Slack's events stopped")


async def _read(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            return None
    return body


def read_body(body: bytes, content_type: str) -> tuple[str, Mapping[str, Any]]:
    """Read an event; a slash command, which is a form; or an interaction, a form with JSON in it.

    Raises ValueError.
    """
    kind, written = "events_api", body.decode()
    if content_type.startswith("application/x-www-form-urlencoded"):
        form = {name: values[0] for name, values in parse_qs(written, strict_parsing=True).items()}
        if "command" in form:
            return "slash_commands", form
        kind, written = "interactive", form.get("payload", "")
    try:
        payload = json.loads(written)
    except RecursionError:
        raise ValueError("nested deeper than anything that Slack tells") from None
    if not isinstance(payload, dict):
        raise ValueError("no object")  # noqa: TRY004 - of what came over the wire
    return kind, payload
