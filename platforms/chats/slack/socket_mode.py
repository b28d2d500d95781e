"""Socket mode: Slack's events over a WebSocket that we open, each acknowledged once it is on disk.

The library's client keeps one connection alive and notices when it is dead. That another is made, and when, is decided
here: an acknowledgement counts only on the connection that brought the event, so a connection that Slack wants replaced
is closed when nothing on it waits any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from greenroom.actors.ports import Door, MisconfiguredError, NotSentError
from greenroom.platforms.chats.slack.intake import Intake
from greenroom.platforms.chats.slack.library import SILENT
from greenroom.platforms.chats.slack.troubles import SlackTroubleError, of_start

PING_S = 5.0
CONNECT_S = 15.0
CLOSE_S = 2.0
RETIRE_S = 10.0
"""How long a connection that is to be replaced waits for what it brought to be on disk."""

OPEN_MAX = 1_000
"""Envelopes that may wait to be stored; what comes beyond is not acknowledged, and comes again."""

LOST = "lost"
"""Our own word, among those of Slack, for a connection that is dead."""

SHUT_OUT = "socket mode was switched off for this app; switch it on again in the app's pages (Socket Mode)"

logger = logging.getLogger("greenroom.platform.slack")


class _Client(SocketModeClient):
    """The library's client, but it never reconnects: it says that the connection is lost, and is thrown away."""

    def __init__(self, heard: asyncio.Queue[Mapping[str, Any]], web: AsyncWebClient, url: str, ping_s: float) -> None:
        super().__init__("", logger=SILENT, web_client=web, ping_interval=ping_s, on_message_listeners=[self._hear])
        self.wss_uri = url
        self._heard = heard

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the library's own
        self._heard.put_nowait({"type": LOST})

    async def _hear(self, message: aiohttp.WSMessage) -> None:
        with suppress(ValueError):  # Not JSON: nothing that Slack has to tell.
            told = json.loads(message.data)
            if isinstance(told, dict):
                self._heard.put_nowait(told)


class Connection:
    """One WebSocket. What it brought and is not acknowledged is `unsettled`."""

    def __init__(self, web: AsyncWebClient, url: str, ping_s: float) -> None:
        """Prepare; `open` must follow, and in any case `close`."""
        self._heard: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._client = _Client(self._heard, web, url, ping_s)
        self.unsettled: set[str] = set()
        self._settled = asyncio.Event()

    async def open(self) -> Mapping[str, Any]:
        """Connect, and return Slack's greeting. Raises NotSentError."""
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._client.connect()  # type: ignore[no-untyped-call]
                greeting = await self.next()
        except TimeoutError:
            raise NotSentError(f"Slack's socket did not open in {CONNECT_S:g} s") from None
        if greeting.get("type") != "hello":
            raise NotSentError(f"Slack closed the socket at once: {greeting.get('reason') or greeting.get('type')}")
        return greeting

    async def next(self) -> Mapping[str, Any]:
        """Wait for what Slack says next."""
        return await self._heard.get()

    async def acknowledge(self, envelope_id: str) -> None:
        """Say that it needs not come again. On a dead connection that is lost: it comes again, and is recognised."""
        with suppress(ConnectionError, aiohttp.ClientError):
            await self._client.send_socket_mode_response({"envelope_id": envelope_id})

    def settle(self, envelope_id: str) -> None:
        """Nothing is to be done any more about an envelope."""
        self.unsettled.discard(envelope_id)
        if not self.unsettled:
            self._settled.set()

    async def retire(self) -> None:
        """Close, when nothing that it brought waits any more, or after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETIRE_S):
                while self.unsettled:
                    self._settled.clear()
                    await self._settled.wait()
        await self.close()

    async def close(self) -> None:
        """Close at once."""
        client = self._client
        left = [client.message_processor, client.message_receiver, client.current_session_monitor]
        with suppress(TimeoutError, OSError, aiohttp.ClientError):
            async with asyncio.timeout(CLOSE_S):
                await client.close()  # type: ignore[no-untyped-call]
        for task in filter(None, left):
            task.cancel()
        await asyncio.gather(*filter(None, left), return_exceptions=True)
        await client.aiohttp_client_session.close()


class SocketMode:
    """Listens for one account until cancelled."""

    def __init__(self, web: AsyncWebClient, app_token: str, intake: Intake, door: Door, *, ping_s: float) -> None:
        """`app_token` opens connections (`xapp-...`); `web` has the bot's own."""
        self._web, self._app_token, self._ping_s = web, app_token, ping_s
        self._intake, self._door = intake, door
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking: set[str] = set()

    async def run(self) -> None:
        """Listen. Raises MisconfiguredError, NotSentError, RetryLaterError, SlackTroubleError."""
        connection = await self._open()
        try:
            self._door.connected()
            while True:
                told = await connection.next()
                match told.get("type"):
                    case "disconnect":
                        fresh = await self._replace(str(told.get("reason")))
                        self._spawn(connection.retire())
                        connection = fresh
                    case "lost":
                        self._door.disconnected("the socket was lost")
                        await connection.close()
                        connection = await self._open()
                        self._door.connected()
                    case _:
                        self._hear(connection, told)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await connection.close()

    async def _open(self, ours: int = 0) -> Connection:
        """Make a connection; `ours` are open already."""
        try:
            answer = await self._web.apps_connections_open(app_token=self._app_token)
        except Exception as error:  # Invariant: what a platform raises is in the port's words, and holds no secrets.
            raise of_start(error) from None
        connection = Connection(self._web, answer["url"], self._ping_s)
        try:
            greeting = await connection.open()
        except BaseException:
            await connection.close()
            raise
        others = int(greeting.get("num_connections") or 1) - 1 - ours
        if others > 0:
            logger.warning(
                "%d more connections are open with this app token, and Slack tells each message to only one of them: "
                "stop the other program (one that was killed is forgotten by Slack within minutes)",
                others,
            )
        return connection

    async def _replace(self, reason: str) -> Connection:
        if reason == "link_disabled":
            raise MisconfiguredError(SHUT_OUT)
        if reason == "too_many_websockets":
            raise SlackTroubleError("too many connections are open with this app token")
        return await self._open(ours=1)

    def _hear(self, connection: Connection, told: Mapping[str, Any]) -> None:
        envelope_id = told.get("envelope_id")
        if not isinstance(envelope_id, str) or envelope_id in self._taking or len(self._taking) >= OPEN_MAX:
            return  # A greeting; or it waits already; or it comes again.
        self._taking.add(envelope_id)
        connection.unsettled.add(envelope_id)
        self._spawn(self._take(connection, envelope_id, str(told.get("type")), told.get("payload") or {}))

    async def _take(self, connection: Connection, envelope_id: str, kind: str, payload: Mapping[str, Any]) -> None:
        try:
            await self._intake.insist(kind, payload)
            await connection.acknowledge(envelope_id)
        except Exception:  # Invariant: one envelope that nobody foresaw stops no other; it is not acknowledged.
            logger.exception("an envelope of Slack's could not be taken in")
        finally:
            self._taking.discard(envelope_id)
            connection.settle(envelope_id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
