"""A Discord of one's own, on a loopback port: simcord's model of it behind an HTTP API and a gateway. Needs simcord.

simcord plays Discord inside discord.py, whose wire it replaces. Here the wire is what is tested, so only its world is
used (`Backend`, and the routes that work on it). What it does not have stands here: nonces that are known until
`forget_nonces`, the right pages of `after`, sessions that can be resumed, and calls that fail before or after their
effect. Any client comes here through `connector`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from simcord._clock import Clock
from simcord.backend import Backend, serializers
from simcord.backend.errors import BackendError
from simcord.backend.models import Message
from simcord.http import router
from simcord.http import routes as _routes  # noqa: F401 - importing it registers them

from greenroom.platforms.fakes.discord_gateway import Gateway
from greenroom.platforms.fakes.platform import Fault

TOKEN = "a-token.of-the.bot"  # noqa: S105 - of a bot that nobody has
API = "/api/v10"
RETRY_AFTER_S = 0.05
READ_LIMITED = 1 << 19
"""What an application's flags say of the switch 'Message Content Intent'."""

AFTER = {Fault.BREAKS_AFTER, Fault.HANGS_AFTER}


class WallClock(Clock):
    """simcord's clock stands still; ids are times, and greenroom reads them."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ToLoopback(aiohttp.TCPConnector):
    """Leads every request to one port of this machine, whatever host it is for, without TLS."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    async def connect(self, req: aiohttp.ClientRequest, *rest: Any, **named: Any) -> Any:
        req.url = req.url.with_scheme("http").with_host("127.0.0.1").with_port(self.port)
        return await super().connect(req, *rest, **named)


@dataclass(frozen=True)
class Call:
    """One request as the server saw it."""

    name: str
    channel: int
    body: Mapping[str, Any]


class FakeDiscord:
    """See the module. Persons act on `backend`, on the loop that serves."""

    def __init__(self, token: str = TOKEN) -> None:
        """A world without servers and people."""
        self.token = token
        self.backend = Backend(clock=WallClock())
        self.gateway = Gateway(self.backend, token)
        self.calls: list[Call] = []
        self.faults: deque[tuple[str, Fault]] = deque()  # by the name of the call: `Call.name`
        self.refused = (403, 50007, "Cannot send messages to this user")  # what Fault.REFUSED says
        self.limit: dict[str, Any] = {"retry_after": RETRY_AFTER_S, "global": False}  # what Fault.RETRY_LATER says
        self.port = 0
        self._nonces: dict[str, int] = {}
        self._files: dict[str, bytes] = {}

    def connector(self) -> aiohttp.BaseConnector:
        """Make what leads a client here."""
        return ToLoopback(self.port)

    def forget_nonces(self) -> None:
        """Some minutes pass."""
        self._nonces.clear()

    def redeliver(self, message: Message) -> None:
        """Tell of a message once more."""
        self.gateway.tell("MESSAGE_CREATE", self._told_of(message))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeDiscord]:
        """Serve while the block runs."""
        app = web.Application()
        app.router.add_get("/", self.gateway.serve)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_route("*", API + "/{path:.*}", self._rest)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await self.gateway.cut()
            await runner.cleanup()

    def keep(self, path: Path, media_type: str) -> dict[str, Any]:
        """Take a file that a person sends, and say how a message tells of it."""
        self._files[path.name] = path.read_bytes()
        url = f"http://127.0.0.1:{self.port}/files/{path.name}"
        told = {"id": str(self.backend.snowflake()), "filename": path.name, "size": len(self._files[path.name])}
        return {**told, "url": url, "proxy_url": url, "content_type": media_type}

    async def _file(self, request: web.Request) -> web.Response:
        return web.Response(body=self._files[request.match_info["name"]])

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        if request.headers.get("Authorization") != f"Bot {self.token}" and "/interactions/" not in path:
            return _error(401, 0, "401: Unauthorized")
        body = await request.json() if request.can_read_body else None
        name, channel = _name(request.method, path)
        self.calls.append(Call(name, channel, body or {}))
        fault = self._fault(name)
        if fault is not None and fault not in AFTER:
            return await self._fail(request, fault)
        answer = self._answer(request, path, body)
        return answer if fault is None else await self._fail(request, fault)

    def _fault(self, name: str) -> Fault | None:
        for planned in self.faults:
            if planned[0] == name:
                self.faults.remove(planned)
                return planned[1]
        return None

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault:
            case Fault.HANGS_BEFORE | Fault.HANGS_AFTER:
                await asyncio.Event().wait()
            case Fault.RETRY_LATER:
                words = {"message": "You are being rate limited.", **self.limit}
                return _json(words, status=429, headers={"Via": "1.1 discord"})
            case Fault.NOT_SENT:
                return _error(503, 0, "upstream connect error")
            case Fault.REFUSED:
                return _error(*self.refused)
            case Fault.GONE:
                return _error(404, 10008, "Unknown Message")
            case _:
                pass
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("cut, as planned")

    def _answer(self, request: web.Request, path: str, body: Any) -> web.Response:
        params: dict[str, Any] = dict(request.query)
        posting = request.method == "POST" and path.endswith("/messages")
        nonce = str(body.get("nonce")) if posting else ""
        try:
            if posting and body.get("enforce_nonce") and nonce in self._nonces:
                channel = int(path.split("/")[2])
                known = self.backend.get_message(channel, self._nonces[nonce])
                return _json({**self._told_of(known), "nonce": nonce})
            self.gateway.posting = nonce or None
            if path == "/gateway/bot":
                return _json(self.gateway.limits())
            if path == "/oauth2/applications/@me":
                application = router.dispatch(self.backend, "GET", path)
                return _json({**application, "flags": READ_LIMITED if self.gateway.may_read_content else 0})
            if request.method == "GET" and path.endswith("/messages") and "after" in params:
                return _json(self._after(int(path.split("/")[2]), params))
            result = router.dispatch(self.backend, request.method, path, json=body, params=params)
        except BackendError as error:
            return _json(error.to_json(), status=error.status)
        finally:
            self.gateway.posting = None
        if posting:
            self._nonces[nonce] = int(result["id"])
            result = {**result, "nonce": nonce}
        return web.Response(status=204) if result is None else _json(result)

    def _after(self, channel: int, params: Mapping[str, Any]) -> list[Any]:
        """Read the next messages after an id; simcord would give the newest."""
        self.backend.get_channel(channel)
        later = [each for number, each in self.backend.messages[channel].items() if number > int(params["after"])]
        page = sorted(later, key=lambda each: each.id)[: int(params.get("limit", 50))]
        return [self._told_of(each) for each in reversed(page)]

    def _told_of(self, message: Message) -> dict[str, Any]:
        payload = dict(serializers.message_payload(self.backend, message))
        guild = self.backend.channels[message.channel_id].guild_id
        return payload if guild is None else {**payload, "guild_id": str(guild)}


def _name(method: str, path: str) -> tuple[str, int]:
    parts = path.strip("/").split("/")
    channel = int(parts[1]) if parts[0] == "channels" and parts[1].isdecimal() else 0
    match (method, parts[-1]):
        case ("POST", "messages"):
            return "send", channel
        case ("GET", "messages"):
            return "history", channel
        case ("POST", "typing"):
            return "typing", channel
        case ("PATCH", _) if "messages" in parts:
            return "edit", channel
        case ("POST", "callback"):
            return "acknowledge", 0
        case _:
            return f"{method} {path}", channel


def _json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The library takes for JSON what says just that, without a charset, as Discord does."""
    told = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(body=json.dumps(value).encode(), status=status, headers=told)


def _error(status: int, code: int, words: str) -> web.Response:
    return _json({"message": words, "code": code}, status=status)
