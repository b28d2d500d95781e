"""The listening socket and uvicorn, as a guest of somebody else's event loop: no signals, no logging set-up."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn
from starlette.types import ASGIApp

from greenroom.platforms.chats.web.connection import Connection

BACKLOG_MAX = 128
PORT_MAX = 65535
GRACE_S = 2
"""Whole seconds that requests get to finish when the server stops; streams are ended before."""


class ListenError(Exception):
    """The web chat cannot listen where it was told to. The message says why and what to choose instead."""


class PortInUseError(ListenError):
    """Another program listens on the port."""


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 takes any free one. Raises ListenError."""
    if not 0 <= port <= PORT_MAX:
        raise ListenError(f"cannot listen on {host}:{port}: a port is 1 to {PORT_MAX}, or 0 for any free one")
    try:
        family, *_, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listening = socket.create_server(address[:2], family=family, backlog=BACKLOG_MAX)
    except OSError as error:
        raise _explain(host, port, error) from error
    listening.setblocking(False)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return listening


def _explain(host: str, port: int, error: OSError) -> ListenError:
    where = f"cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"{where}: another program uses port {port} (perhaps a greenroom that runs already); "
            f"choose another port, such as {port % PORT_MAX + 1}, or 0 for any free one"
        )
    if error.errno == errno.EACCES:
        return ListenError(f"{where}: not permitted; choose a port from 1024 to 65535")
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return ListenError(f"{where}: {reason}; 127.0.0.1 is this machine alone, 0.0.0.0 all its interfaces")


class ListeningPort:
    """Where a chat listens: on one port in all its lives, also where any free one was asked for."""

    def __init__(self, host: str, port: int) -> None:
        """Open nothing yet."""
        self._host, self._port = host, port
        self._listening: socket.socket | None = None

    @property
    def url(self) -> str:
        """Its address, without a path; the port is the real one once bound."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def bind(self) -> socket.socket:
        """Open the socket, if it is not open yet. Raises ListenError."""
        if self._listening is None:
            self._listening = listen(self._host, self._port)
            self._port = self._listening.getsockname()[1]
        return self._listening

    def take(self) -> socket.socket:
        """Bind, and leave the socket to the caller, who closes it. Raises ListenError."""
        listening, self._listening = self.bind(), None
        return listening

    def close(self) -> None:
        """Close the socket, if nobody took it. Harmless when repeated."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None


class GuestServer(uvicorn.Server):
    """A uvicorn server that leaves the process's signals to its host and says when it serves."""

    def __init__(self, app: ASGIApp) -> None:
        """Configure for a few long streams and small requests."""
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self.serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.serving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """Serve while the block runs. The task that is yielded ends when the server does, which it should not."""
    server = GuestServer(app)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="greenroom-web-server")
    ready = asyncio.create_task(server.serving.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield task
    finally:
        ready.cancel()
        server.should_exit = True
        try:
            await asyncio.wait({task})
            await _hang_up(server)
        finally:  # Also when its loop ends meanwhile and cancels a second time: else nobody could listen here again.
            listening.close()


async def _hang_up(server: GuestServer) -> None:
    """Close the connections of requests that had no time to finish: the loop that would do so may end next."""
    state = server.server_state
    if left := tuple(state.tasks):
        await asyncio.wait(left, timeout=GRACE_S)
    for connection in tuple(state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)
