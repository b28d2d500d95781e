"""The web chat's HTTP, a thin shell.

    GET  /                        the page; its parts are under /page/
    GET  /livez                   200 while the server serves
    GET  /readyz                  200 while messages can be stored and answered; 503 with the reason while not
    GET  /chats/{chat}/events     server-sent events: first `snapshot` {"messages": [row, ...], "notice"}, all that is
                                  visible, oldest first; then `upsert` row for each new or changed message; `beat`
                                  when quiet.
                                  A row is {"id", "mine", "text", "at", "final", "choices"}; a message keeps its id, so
                                  that what is told twice shows once. choices is null, or {"question", "texts"}: show
                                  buttons, until the person says anything. A notice says what is wrong with the whole
                                  server, null
                                  when nothing is; `notice` {"text"} changes it. 503 with Retry-After
                                  when too many look or the store cannot be read.
    POST /chats/{chat}/messages   {"id", "text"}, application/json; of a press of a button also {"answers"}: the
                                  question in choices. 202 {"id", "inbox_id", "repeated"} once it is on disk: 200 and
                                  repeated = true when it had been there before. 400 not a message, 403 not allowed,
                                  413 too large, 415 not JSON; each will never be taken. 503 with Retry-After: send
                                  the same id again.

Every error is {"error": text}. 421 answers a foreign Host, 403 a page of another site.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from importlib.resources import files
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from greenroom.actors.model import Receipt
from greenroom.platforms.chats.web.board import CrowdedError, Stream
from greenroom.platforms.chats.web.codec import BODY_MAX_BYTES, Said, TooLargeError, parse_said
from greenroom.platforms.chats.web.mistakes import MISTAKES, answer

BODY_S_MAX = 30.0
"""Seconds that a request body may take to arrive."""

READ_ON_MAX_BYTES = 16 * 1024 * 1024
"""How much of a body is taken from the wire before the client is hung up on."""

MEDIA_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Room(Protocol):
    """What the routes need of the chat behind them."""

    async def say(self, chat: str, said: Said) -> Receipt:
        """Return when a person's message is on disk. Raises as `Door.accept` does, and InvalidKeyError."""

    async def ready(self) -> str | None:
        """Say what keeps messages from being stored and answered now; None when nothing does."""

    async def look(self, chat: str) -> tuple[Stream, AsyncIterator[bytes]]:
        """Begin to look at a chat. Raises CrowdedError, BusyError and InvalidKeyError."""


class EventStream(StreamingResponse):
    """Events until the browser goes, the server ends them, or the browser falls too far behind to be written to."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream, frames: AsyncIterator[bytes]) -> None:
        """Send `frames`, which belong to `stream`."""
        super().__init__(frames, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, and leave the board in any case: a browser may be gone before the first frame."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.leave()

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Return when nobody reads any more: what is being written is given up."""
        gone = asyncio.ensure_future(super().listen_for_disconnect(receive))
        behind = asyncio.ensure_future(self._stream.overflowed.wait())
        try:
            await asyncio.wait({gone, behind}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            behind.cancel()


async def read_body(request: Request) -> bytes:
    """Read a body of at most BODY_MAX_BYTES, never holding more.

    What is too large is read on for a while and thrown away: hung up on while it still sends, a client never gets to
    read our answer.
    """
    body, read = bytearray(), 0
    async with asyncio.timeout(BODY_S_MAX):
        async for chunk in request.stream():
            read += len(chunk)
            if read <= BODY_MAX_BYTES:
                body += chunk
            elif read > READ_ON_MAX_BYTES:
                break
    if read > BODY_MAX_BYTES:
        raise TooLargeError(f"the request is larger than {BODY_MAX_BYTES} bytes")
    return bytes(body)


def build_routes(room: Room) -> list[Route]:
    """Bind the HTTP to a chat."""
    parts = _page_parts()

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in parts:
            raise HTTPException(404, "no such page")
        media_type = MEDIA_TYPES[name.rpartition(".")[2]]
        return Response(parts[name], media_type=media_type, headers={"cache-control": "no-cache"})

    async def events(request: Request) -> Response:
        return EventStream(*await room.look(request.path_params["chat"]))

    async def messages(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "send application/json")
        said = parse_said(await read_body(request))
        receipt = await room.say(request.path_params["chat"], said)
        answer = {"id": said.id, "inbox_id": receipt.inbox_id, "repeated": receipt.repeated}
        return JSONResponse(answer, 200 if receipt.repeated else 202)

    async def livez(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        problem = await room.ready()
        return PlainTextResponse("ready\n" if problem is None else f"{problem}\n", 200 if problem is None else 503)

    return [
        Route("/", page),
        Route("/page/{name}", page),
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/chats/{chat}/events", events),
        Route("/chats/{chat}/messages", messages, methods=["POST"]),
    ]


def _page_parts() -> Mapping[str, bytes]:
    folder = files(__package__) / "page"
    return {part.name: part.read_bytes() for part in folder.iterdir() if part.name.rpartition(".")[2] in MEDIA_TYPES}


def build_app(room: Room) -> Starlette:
    """Make the ASGI application of a chat."""
    crowded = answer(503, "too many browsers look at this server; try again")
    app = Starlette(routes=build_routes(room), exception_handlers={**MISTAKES, CrowdedError: crowded})
    app.router.redirect_slashes = False  # It would send the browser where the Host header says.
    return app
