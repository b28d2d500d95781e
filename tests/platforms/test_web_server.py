"""The HTTP server as a guest of a loop that ends: nothing of it is left open."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from contextlib import closing, suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from greenroom.platforms.chats.web import server
from greenroom.platforms.chats.web.server import listen, serving


def test_a_request_that_never_ends_leaves_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE_S", 0)

    async def live(caller: socket.socket) -> None:
        entered = asyncio.Event()

        async def hang(_: Request) -> Response:
            entered.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await asyncio.Event().wait()
            return Response()

        listening = listen("127.0.0.1", 0)
        async with serving(Starlette(routes=[Route("/", hang)]), listening):
            caller.connect(listening.getsockname())
            caller.sendall(b"GET / HTTP/1.1\r\nHost: me\r\n\r\n")
            await entered.wait()

    gc.collect()
    with closing(socket.socket()) as caller, warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        loop = asyncio.new_event_loop()  # Which nobody turns once more before it is closed.
        loop.run_until_complete(live(caller))
        loop.close()
        gc.collect()
    assert [str(each.message) for each in left if issubclass(each.category, ResourceWarning)] == []
