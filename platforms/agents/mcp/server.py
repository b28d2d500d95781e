"""One server and its connection: made when it is first needed, and again with back-off whenever it is lost.

A connection of the library is a scope of one task. So each has a task that enters and leaves it, and another task looks
after them, one after the other. Whoever calls a tool only borrows the client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from mcp.client import Client

from greenroom.platforms.chats.backoff import Backoff

logger = logging.getLogger("greenroom.mcp")

CLOSE_S = 5.0
"""How long a connection may take to close in order."""

Connect = Callable[[Callable[[], None]], AbstractAsyncContextManager[Client]]
"""Opens a connection; what it is given is to be called when the connection has ended from the other side."""


class DownError(Exception):
    """The server cannot be reached. Nothing was called."""


class Server:
    """Used on the agents' loop only."""

    def __init__(self, name: str, connect: Connect, *, start_s: float, backoff: Backoff) -> None:
        """Nothing is started before somebody needs it."""
        self._name, self._connect, self._start_s, self._backoff = name, connect, start_s, backoff
        self._keeper: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._why: str | None = None  # the last attempt to connect failed
        self._up = asyncio.Event()  # the connection came about
        self._over = asyncio.Event()  # it has ended
        self._changed = asyncio.Event()
        self._closing = False

    async def client(self) -> Client:
        """Give the connected client: waits for a server that starts, not for one that could not be started.

        Raises DownError.
        """
        while self._client is None:
            if self._closing:
                raise DownError(f"{self._name} is closed")
            if self._why is not None:
                raise DownError(f"{self._name} cannot be reached: {self._why}")
            if self._keeper is None or self._keeper.done():
                self._keeper = asyncio.create_task(self._keep(), name=f"keeping mcp.{self._name}")
            await self._changed.wait()
        return self._client

    def worked(self) -> None:
        """Take note that it answers: when it is lost now, it is started again at once."""
        self._backoff.succeeded()

    def give_up(self, client: Client) -> None:
        """Connect anew: that connection leads nowhere. From now on it is nobody's."""
        if client is self._client:
            self._client = None
            self._over.set()

    async def close(self) -> None:
        """End the connection, and the server if it is a child of ours."""
        self._closing = True
        self._over.set()
        self._up.set()  # One that starts is not waited for.
        if self._keeper is not None:
            await asyncio.wait((self._keeper,), timeout=CLOSE_S)
            self._keeper.cancel()
            await asyncio.wait((self._keeper,))

    async def _keep(self) -> None:
        while not self._closing:
            self._up = asyncio.Event()
            life = asyncio.create_task(self._live(), name=f"mcp.{self._name}")
            try:
                await self._watch(life)
            finally:
                life.cancel()
                await asyncio.wait((life,))
            if not self._closing:
                await self._rest(self._backoff.next_s())

    async def _watch(self, life: asyncio.Task[None]) -> None:
        """Wait until a connection has ended; one that does not come about in time is ended."""
        started = await self._is_up(life)
        if not started:
            life.cancel()
        await asyncio.wait((life,))
        error = None if life.cancelled() else life.exception()
        if started and not self._closing:
            logger.warning("mcp.%s was lost; it is started again", self._name)
        if not started and not self._closing:
            why = f"it did not start within {self._start_s:g} s" if error is None else describe(error)
            if why != self._why:  # A trouble that lasts is told once.
                logger.warning("mcp.%s cannot be reached: %s; it is tried again", self._name, why)
            self._why = why
        self._tell()

    async def _is_up(self, life: asyncio.Task[None]) -> bool:
        """Wait until a connection is there, or will not be; whether it is, or was."""
        up = asyncio.ensure_future(self._up.wait())
        await asyncio.wait((life, up), timeout=self._start_s, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        return self._client is not None or (self._up.is_set() and not self._closing)

    async def _live(self) -> None:
        """Hold one connection, from its beginning to its end."""
        self._over = over = asyncio.Event()

        def lose() -> None:
            self._client = None
            over.set()

        async with self._connect(lose) as client:
            self._client, self._why = client, None
            self._up.set()
            self._tell()
            try:
                if not self._closing:
                    await over.wait()
            finally:  # Also when the library ends it: nobody borrows it while it closes.
                self._client = None

    async def _rest(self, seconds: float) -> None:
        """Wait for the next attempt, or for the end."""
        self._over = asyncio.Event()
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def describe(error: BaseException) -> str:
    """Say what an error is about, also one that is wrapped in groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
