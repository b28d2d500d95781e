"""Discord on a loopback port: simcord's model of it behind a real HTTP API and a real gateway.

simcord plays Discord inside discord.py: it replaces the library's wire. Here the wire is what is to be tested, so only
simcord's world is used (`Backend`, and the routes that work on it), and what it does not have stands here: nonces, the
direction of `after`, sessions that can be resumed, and calls that fail before or after their effect.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import discord
from aiohttp import web
from simcord._clock import Clock
from simcord.backend import Backend, serializers
from simcord.backend.errors import BackendError
from simcord.backend.models import Message
from simcord.http import router
from simcord.http import routes as _routes  # noqa: F401 - importing it registers them
from simcord.intents import required_intent

from greenroom.platforms.fakes.platform import Fault

TOKEN = "a-token.of-the.bot"
API = "/api/v10"
RETRY_AFTER_S = 0.05
READ_LIMITED = 1 << 19
"""What an application's flags say of the switch 'Message Content Intent'."""

AFTER = {Fault.BREAKS_AFTER, Fault.HANGS_AFTER}
DISPATCH, HEARTBEAT, IDENTIFY, RESUME, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 0, 1, 2, 6, 9, 10, 11


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


@dataclass
class Session:
    """One session of the gateway: what it was told, and the socket that it is told through, while there is one."""

    id: str
    intents: discord.Intents
    told: list[str] = field(default_factory=list)
    socket: web.WebSocketResponse | None = None
    rang: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: str, payload: Mapping[str, Any]) -> None:
        frame = {"op": DISPATCH, "t": event, "s": len(self.told) + 1, "d": payload}
        self.told.append(json.dumps(frame))
        self.rang.set()


@dataclass(frozen=True)
class Call:
    """One request as the server saw it."""

    name: str
    channel: int
    body: Mapping[str, Any]


class DiscordServer:
    """See the module. Persons act on `backend`, on the loop that serves."""

    def __init__(self) -> None:
        self.backend = Backend(clock=WallClock())
        self.backend.subscribers.append(self._tell_all)
        self.token = TOKEN
        self.may_read_content = True
        self.sessions_left = 1000
        self.closes_with: int | None = None  # how the gateway answers whoever identifies itself
        self.calls: list[Call] = []
        self.faults: deque[tuple[str, Fault]] = deque()
        self.refused = (403, 50007, "Cannot send messages to this user")
        self.nonces: dict[str, int] = {}
        self.sessions: dict[str, Session] = {}
        self.asked = 0  # for a session, new or resumed
        self.identified = 0
        self.resumed = 0
        self.port = 0
        self.files: dict[str, bytes] = {}
        self._posting: str | None = None

    def connector(self) -> aiohttp.BaseConnector:
        """Make what leads a client here."""
        return ToLoopback(self.port)

    @property
    def connected(self) -> bool:
        """Whether somebody listens."""
        return any(session.socket is not None for session in self.sessions.values())

    def forget_nonces(self) -> None:
        """Some minutes pass."""
        self.nonces.clear()

    def redeliver(self, message: Message) -> None:
        """Tell of a message once more."""
        self._tell_all("MESSAGE_CREATE", self._told_of(message))

    async def cut(self, *, resumable: bool = True) -> None:
        """Break all connections to the gateway."""
        for session in self.sessions.values():
            socket, session.socket = session.socket, None
            if socket is not None:
                await socket.close(code=4000, message=b"cut")
        if not resumable:
            self.sessions.clear()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[DiscordServer]:
        """Serve while the block runs."""
        app = web.Application()
        app.router.add_get("/", self._gateway)
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
            await self.cut()
            await runner.cleanup()

    def keep(self, path: Path, media_type: str) -> dict[str, Any]:
        """Take a file that a person sends, and say how a message tells of it."""
        self.files[path.name] = path.read_bytes()
        url = f"http://127.0.0.1:{self.port}/files/{path.name}"
        told = {"id": str(self.backend.snowflake()), "filename": path.name, "size": len(self.files[path.name])}
        return {**told, "url": url, "proxy_url": url, "content_type": media_type}

    async def _file(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["name"]])

    # The API

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
                words = {"message": "You are being rate limited.", "retry_after": RETRY_AFTER_S, "global": False}
                return _json(words, status=429, headers={"Via": "1.1 discord"})
            case Fault.NOT_SENT:
                return _error(503, 0, "upstream connect error")
            case Fault.REFUSED:
                return _error(*self.refused)
            case Fault.GONE:
                return _error(404, 10008, "Unknown Message")
            case _:
                pass
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError("cut, as planned")

    def _answer(self, request: web.Request, path: str, body: Any) -> web.Response:
        params: dict[str, Any] = dict(request.query)
        posting = request.method == "POST" and path.endswith("/messages")
        nonce = str(body.get("nonce")) if posting else ""
        try:
            if posting and body.get("enforce_nonce") and nonce in self.nonces:
                channel = int(path.split("/")[2])
                known = self.backend.get_message(channel, self.nonces[nonce])
                return _json({**self._told_of(known), "nonce": nonce})
            self._posting = nonce or None
            if path == "/gateway/bot":
                return _json(self._gateway_for_bots())
            if path == "/oauth2/applications/@me":
                application = router.dispatch(self.backend, "GET", path)
                return _json({**application, "flags": READ_LIMITED if self.may_read_content else 0})
            if request.method == "GET" and path.endswith("/messages") and "after" in params:
                return _json(self._after(int(path.split("/")[2]), params))
            result = router.dispatch(self.backend, request.method, path, json=body, params=params)
        except BackendError as error:
            return _json(error.to_json(), status=error.status)
        finally:
            self._posting = None
        if posting:
            self.nonces[nonce] = int(result["id"])
            result = {**result, "nonce": nonce}
        return web.Response(status=204) if result is None else _json(result)

    def _gateway_for_bots(self) -> dict[str, Any]:
        limit = {"total": 1000, "remaining": self.sessions_left, "reset_after": 3_600_000, "max_concurrency": 1}
        return {"url": "wss://gateway.discord.gg", "shards": 1, "session_start_limit": limit}

    def _after(self, channel: int, params: Mapping[str, Any]) -> list[Any]:
        """simcord gives the newest after an id; Discord gives the next ones."""
        self.backend.get_channel(channel)
        later = [each for number, each in self.backend.messages[channel].items() if number > int(params["after"])]
        page = sorted(later, key=lambda each: each.id)[: int(params.get("limit", 50))]
        return [self._told_of(each) for each in reversed(page)]

    def _told_of(self, message: Message) -> dict[str, Any]:
        payload = dict(serializers.message_payload(self.backend, message))
        guild = self.backend.channels[message.channel_id].guild_id
        return payload if guild is None else {**payload, "guild_id": str(guild)}

    # The gateway

    def _tell_all(self, event: str, payload: Mapping[str, Any]) -> None:
        told = json.loads(json.dumps(payload))
        if event == "MESSAGE_CREATE" and self._posting is not None:
            told["nonce"] = self._posting
        for session in self.sessions.values():
            intent = required_intent(event, payload)
            if intent is None or getattr(session.intents, intent):
                session.tell(event, told)

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": HELLO, "d": {"heartbeat_interval": 40_000}, "s": None, "t": None})
        teller: asyncio.Task[None] | None = None
        session: Session | None = None
        try:
            async for frame in socket:
                packet = json.loads(frame.data)
                if packet["op"] == HEARTBEAT:
                    await socket.send_json({"op": HEARTBEAT_ACK, "d": None, "s": None, "t": None})
                elif packet["op"] in {IDENTIFY, RESUME}:
                    session = await self._admit(socket, packet)
                    if session is not None:
                        session.socket = socket
                        after = packet["d"].get("seq") or 0
                        teller = asyncio.create_task(_tell(session, socket, after))
        finally:
            if session is not None and session.socket is socket:
                session.socket = None
            if teller is not None:
                teller.cancel()
                await asyncio.gather(teller, return_exceptions=True)
        return socket

    async def _admit(self, socket: web.WebSocketResponse, packet: Mapping[str, Any]) -> Session | None:
        self.asked += 1
        asked = packet["d"]
        intents = discord.Intents._from_value(asked.get("intents", 0))
        code = 4004 if asked["token"] != self.token else self.closes_with
        if code is None and intents.message_content and not self.may_read_content:
            code = 4014
        if code is not None:
            await socket.close(code=code)
            return None
        if packet["op"] == RESUME:
            session = self.sessions.get(asked["session_id"])
            if session is None:
                await socket.send_json({"op": INVALID_SESSION, "d": False, "s": None, "t": None})
                return None
            self.resumed += 1
            session.tell("RESUMED", {})
            return session
        self.identified += 1
        session = Session(f"session-{self.identified}", intents)
        self.sessions[session.id] = session
        self._welcome(session)
        return session

    def _welcome(self, session: Session) -> None:
        guilds = list(self.backend.guilds.values())
        ready = {
            "v": 10,
            "user": serializers.user_payload(self.backend.bot_user),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": "wss://gateway.discord.gg",
            "application": {"id": str(self.backend.application_id), "flags": 0},
        }
        session.tell("READY", ready)
        for guild in guilds:
            session.tell("GUILD_CREATE", serializers.guild_create_payload(self.backend, guild))


async def _tell(session: Session, socket: web.WebSocketResponse, after: int) -> None:
    while session.socket is socket:
        session.rang.clear()
        while after < len(session.told):
            await socket.send_str(session.told[after])
            after += 1
        await session.rang.wait()


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
