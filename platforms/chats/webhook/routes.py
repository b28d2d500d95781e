"""The webhook's HTTP, a thin shell; openapi.py says it in full. Every error is {"error": text}."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from greenroom.platforms.chats.web.mistakes import MISTAKES, answer
from greenroom.platforms.chats.web.routes import read_body
from greenroom.platforms.chats.webhook.codec import Answers, Asked, Said, Taken, parse_asked, parse_said
from greenroom.platforms.chats.webhook.openapi import describe
from greenroom.platforms.chats.webhook.signing import BadSignatureError


class Room(Protocol):
    """What the routes need of the platform behind them."""

    def verify(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the id of a signed request. Raises BadSignatureError."""

    async def say(self, said: Said, said_id: str) -> Taken:
        """Return when a message is on disk. Raises as `Door.accept` does."""

    async def answers(self, asked: Asked) -> Answers:
        """Read what is new in a chat, waiting for it as long as is asked for. Raises BusyError, CrowdedError."""

    def events(self, asked: Asked) -> AsyncIterator[bytes]:
        """Tell what is new in a chat, as it comes."""


class CrowdedError(Exception):
    """So many wait for answers already that one more would be too much."""


def build_app(room: Room) -> Starlette:
    """Bind the HTTP to a platform."""
    document = describe()

    async def signed(request: Request) -> tuple[bytes, str]:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "send application/json")
        body = await read_body(request)
        return body, room.verify(request.headers, body)

    async def messages(request: Request) -> Response:
        body, said_id = await signed(request)
        taken = await room.say(parse_said(body), said_id)
        return _json(taken, 200 if taken.repeated else 202)

    async def answers(request: Request) -> Response:
        body, _ = await signed(request)
        return _json(await room.answers(parse_asked(body)))

    async def events(request: Request) -> Response:
        body, _ = await signed(request)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(room.events(parse_asked(body)), media_type="text/event-stream", headers=headers)

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    async def livez(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    routes = [
        Route("/v1/messages", messages, methods=["POST"]),
        Route("/v1/answers", answers, methods=["POST"]),
        Route("/v1/events", events, methods=["POST"]),
        Route("/openapi.json", openapi),
        Route("/livez", livez),
    ]
    crowded = answer(503, "too many wait for answers; try again")
    mistakes = {**MISTAKES, BadSignatureError: answer(401), CrowdedError: crowded}
    app = Starlette(routes=routes, exception_handlers=mistakes)
    app.router.redirect_slashes = False  # It would send the client where the Host header says.
    return app


def _json(value: msgspec.Struct, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
