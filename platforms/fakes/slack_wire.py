"""The wire to a `FakeSlack`: its Web API, its files and its socket mode, on a loopback port of its own.

Run it as `async with FakeSlackServer(FakeSlack()) as server`, and give the app `server.api_url`, `server.bot_token` and
`server.app_token`. Faults: `server.fail("chat.update", Fault.BREAKS_AFTER)` for the next call of a method, or a word of
Slack's own (`server.fail("auth.test", "invalid_auth")`); `server.cut()` for a lost connection, `server.refresh()` for
one that Slack wants replaced.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import WSMsgType, web

from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.slack import FakeSlack, SlackRefusal
from greenroom.platforms.fakes.slack_envelopes import Envelope, Envelopes

logger = logging.getLogger("greenroom.platform.fakes.slack")
logger.addHandler(logging.NullHandler())  # Connections that break are what this server is for.

BOT_TOKEN, APP_TOKEN = "xoxb-fake-bot", "xapp-fake-app"


@dataclass(frozen=True, slots=True, eq=False)
class _Socket:
    """A connection that an app has opened."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None


LOGIN_PAGE = "<html><title>Sign in to Slack</title></html>"
"""What Slack answers, with status 200, to whoever asks for a file without a token."""

Method = Callable[[Mapping[str, Any]], dict[str, Any]]


class FakeSlackServer:
    """See the module. `calls` has every call of the Web API, by name, with its arguments."""

    def __init__(
        self,
        slack: FakeSlack,
        *,
        port: int = 0,
        ack_s: float = 3.0,
        retries_max: int | None = None,
        retry_after_s: float = 1,
        slow_s: float = 1.0,
        envelopes: Envelopes | None = None,
    ) -> None:
        """`retry_after_s` is what a 429 says. Port 0 takes a free one, and keeps it for the next `start`.

        `ack_s` and `retries_max` are those of `Envelopes`, unless they are given.
        """
        self.slack = slack
        self.bot_token, self.app_token = BOT_TOKEN, APP_TOKEN
        self.envelopes = envelopes or Envelopes(ack_s=ack_s, retries_max=retries_max)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self._port, self._retry_after_s, self._slow_s = port, retry_after_s, slow_s
        self._faults: defaultdict[str, deque[Fault | str]] = defaultdict(deque)
        self._sockets: list[_Socket] = []
        self._tickets = 0
        self._runner: web.AppRunner | None = None
        self._pumping: asyncio.Task[None] | None = None
        slack.emit = self.envelopes.add
        self._methods: dict[str, Method] = {
            "auth.test": slack.identity,
            "chat.postMessage": slack.post,
            "chat.update": slack.update,
            "conversations.history": slack.history,
            "conversations.replies": slack.replies,
            "files.info": slack.file,
            "users.conversations": slack.conversations,
            "users.info": slack.user,
            "apps.connections.open": self._open_connection,
        }

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def api_url(self) -> str:
        """What an app takes for `https://slack.com/api/`."""
        return f"{self.base_url}/api/"

    @property
    def connections(self) -> int:
        """How many sockets are open."""
        return len(self._sockets)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=0.1, logger=logger)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._pumping = asyncio.create_task(self._pump())

    def application(self) -> web.Application:
        """Make what is served."""
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._answer)
        app.router.add_get("/socket", self._serve_socket)
        app.router.add_get("/files/{file}", self._serve_file)
        return app

    async def stop(self) -> None:
        """Hear nothing any more; what is not acknowledged waits for the next `start`."""
        if self._pumping is not None:
            self._pumping.cancel()
            await asyncio.gather(self._pumping, return_exceptions=True)
        await self.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    def settle(self) -> None:
        """Something took effect, and nobody was told yet. For a server that remembers."""

    # -- faults ----------------------------------------------------------------------------------------------------

    def fail(self, method: str, fault: Fault | str) -> None:
        """Let the next call of this method fail so; a word is an error of Slack's."""
        self._faults[method].append(fault)

    async def cut(self) -> None:
        """Drop all sockets without a word."""
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            _break(each.transport)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Ask for all sockets to be replaced (also `warning`), or shut the app out (`link_disabled`).

        They are given nothing more; what was given can still be acknowledged on them.
        """
        sockets, self._sockets = self._sockets, []
        for each in sockets:
            await each.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "fake"}})

    # -- Web API ---------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        args = await _arguments(request)
        self.calls.append((name, args))
        fault = self._faults[name].popleft() if self._faults[name] else None
        if (failed := await self._fail_before(request, fault)) is not None:
            return failed
        answer = self._perform(name, args, request)
        await self._fail_after(request, fault)
        return web.json_response(answer)

    def _perform(self, name: str, args: Mapping[str, Any], request: web.Request) -> dict[str, Any]:
        method = self._methods.get(name, _unknown)
        wanted = self.app_token if name == "apps.connections.open" else self.bot_token
        if request.headers.get("Authorization") != f"Bearer {wanted}":
            return {"ok": False, "error": "invalid_auth"}
        try:
            answer = {"ok": True, **method(args)}
        except SlackRefusal as refused:
            return {"ok": False, "error": refused.code}
        self.settle()
        return answer

    async def _fail_before(self, request: web.Request, fault: Fault | str | None) -> web.Response | None:
        match fault:
            case Fault.HANGS_BEFORE:
                await asyncio.Event().wait()
            case Fault.BREAKS_BEFORE:
                _hang_up(request)
            case Fault.SLOW:
                await asyncio.sleep(self._slow_s)
            case Fault.NOT_SENT:
                return web.Response(status=503, text="service unavailable")
            case Fault.RETRY_LATER:
                told = {"Retry-After": f"{self._retry_after_s:g}"}
                return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=told)
            case Fault.REFUSED:
                return web.json_response({"ok": False, "error": "channel_not_found"})
            case Fault.GONE:
                return web.json_response({"ok": False, "error": "message_not_found"})
            case Fault():
                pass
            case str():
                return web.json_response({"ok": False, "error": fault})
            case None:
                pass
        return None

    async def _fail_after(self, request: web.Request, fault: Fault | str | None) -> None:
        match fault:
            case Fault.HANGS_AFTER:
                await asyncio.Event().wait()
            case Fault.BREAKS_AFTER:
                _hang_up(request)
            case _:
                pass

    async def _serve_file(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.bot_token}":
            return web.Response(text=LOGIN_PAGE, content_type="text/html")
        content = self.slack.files.get(request.match_info["file"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    # -- socket mode -----------------------------------------------------------------------------------------------

    def _open_connection(self, _: Mapping[str, Any]) -> dict[str, Any]:
        self._tickets += 1
        return {"url": f"ws://127.0.0.1:{self._port}/socket?ticket=secret-{self._tickets}"}

    async def _serve_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        known = len(self._sockets) + 1
        await socket.send_json({"type": "hello", "num_connections": known, "connection_info": {"app_id": "AFAKE"}})
        opened = _Socket(socket, request.transport)
        self._sockets.append(opened)
        self.envelopes.hurry()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.envelopes.acknowledge(json.loads(message.data).get("envelope_id", ""))
                    self.settle()
        finally:
            if opened in self._sockets:
                self._sockets.remove(opened)
        return socket

    async def _pump(self) -> None:
        while True:
            envelope = await self.envelopes.next(lambda: bool(self._sockets))
            await self._send(envelope)
            await asyncio.sleep(0)  # Whoever acknowledges must get a word in.

    async def _send(self, envelope: Envelope) -> None:
        """Give it to the socket that had nothing for longest, as Slack spreads what it tells over all of them."""
        self._sockets.append(self._sockets.pop(0))
        with suppress(ConnectionError):  # It comes again.
            await self._sockets[-1].socket.send_json(envelope.as_json())


async def _arguments(request: web.Request) -> Mapping[str, Any]:
    if request.content_type == "application/json":
        found: Mapping[str, Any] = await request.json()
        return found
    return {**request.query, **(await request.post())}


def _unknown(_: Mapping[str, Any]) -> dict[str, Any]:
    raise SlackRefusal("unknown_method")


def _hang_up(request: web.Request) -> None:
    """Break the connection under a request: its caller never hears."""
    _break(request.transport)
    raise ConnectionResetError("a fault was asked for")


def _break(transport: asyncio.Transport | None) -> None:
    if transport is not None:
        transport.abort()
