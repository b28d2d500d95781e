"""Connections that nobody asked for anything on: they are few, and end."""

from __future__ import annotations

import asyncio
import doctest
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.platforms.stage import WAIT_S
from uvicorn import Config
from uvicorn.server import ServerState

from greenroom.platforms.chats.web import connection
from greenroom.platforms.chats.web.server import listen, serving

ASKED = b"GET / HTTP/1.1\r\nHost: me\r\n\r\n"
POSTED = b"POST /read HTTP/1.1\r\nHost: me\r\nContent-Length: 3\r\n\r\n"


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def read(request: Request) -> Response:
    return PlainTextResponse(await request.body())


ROUTES = [Route("/", hello), Route("/read", read, methods=["POST"])]


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that is said until it is hung up."""
    async with asyncio.timeout(WAIT_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(connection).failed == 0


async def test_one_connection_too_many_is_hung_up_on_and_those_before_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "CONNECTIONS_MAX", 2)
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with serving(Starlette(routes=ROUTES), listening), AsyncExitStack() as open_:
        first, second, third = [await open_.enter_async_context(calling(port)) for _ in range(3)]
        assert await ended(third[0]) == b""
        for reader, writer in (first, second):
            writer.write(ASKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert (await ended(reader)).endswith(b"hello")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", ASKED + b"GET /", POSTED + b"12", ASKED + POSTED])
async def test_who_does_not_say_in_time_what_it_wants_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.05)
    listening = listen("127.0.0.1", 0)
    async with (
        serving(Starlette(routes=ROUTES), listening),
        calling(listening.getsockname()[1]) as (reader, writer),
    ):
        writer.write(said)
        await ended(reader)


class Wire(asyncio.Transport):
    """Takes what is written, and knows whether it was cut."""

    cut = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def is_closing(self) -> bool:
        return self.cut

    def abort(self) -> None:
        self.cut = True


async def test_who_waits_for_an_answer_is_not_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.0)

    async def never(_: Request) -> Response:
        await asyncio.Event().wait()
        return Response()

    state, wires = ServerState(), (Wire(), Wire())
    app = Starlette(routes=[Route("/", never)])
    asks, silent = (connection.Connection(Config(app, log_config=None, lifespan="off"), state, {}) for _ in wires)
    asks.connection_made(wires[0])
    silent.connection_made(wires[1])
    asks.data_received(ASKED)
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, later.set)  # Timers ring in their order: theirs came before.
    await later.wait()
    assert (wires[0].cut, wires[1].cut) == (False, True)
    for task in state.tasks:
        task.cancel()
