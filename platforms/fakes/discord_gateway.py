"""The gateway of the fake Discord: sessions that are told what happens, and can be resumed when their socket breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import discord
from aiohttp import web
from simcord.backend import Backend, serializers
from simcord.intents import required_intent

HEARTBEAT_MS = 40_000
DISPATCH, HEARTBEAT, IDENTIFY, RESUME, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 0, 1, 2, 6, 9, 10, 11
WRONG_TOKEN = 4004
DISALLOWED_INTENTS = 4014
CUT = 4000
SESSIONS_A_DAY = 1000


@dataclass
class Session:
    """What one client was told, and the socket through which it is told, while there is one."""

    id: str
    intents: discord.Intents
    told: list[str] = field(default_factory=list)
    socket: web.WebSocketResponse | None = None
    rang: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: str, payload: Mapping[str, Any]) -> None:
        """Tell it now, or when it comes back."""
        frame = {"op": DISPATCH, "t": event, "s": len(self.told) + 1, "d": payload}
        self.told.append(json.dumps(frame))
        self.rang.set()


class Gateway:
    """See the module. Counts what was asked of it; the attributes that say so are switches."""

    def __init__(self, backend: Backend, token: str) -> None:
        """Tell of all that happens in `backend`."""
        self.backend, self.token = backend, token
        self.may_read_content = True  # switch: 'Message Content Intent'
        self.closes_with: int | None = None  # switch: how it answers who asks for a session
        self.sessions_left = SESSIONS_A_DAY  # switch
        self.asked = self.identified = self.resumed = 0
        self.posting: str | None = None  # the nonce of the message that is being made
        self._sessions: dict[str, Session] = {}
        backend.subscribers.append(self.tell)

    @property
    def connected(self) -> bool:
        """Whether somebody listens."""
        return any(session.socket is not None for session in self._sessions.values())

    def tell(self, event: str, payload: Mapping[str, Any]) -> None:
        """Tell all sessions whose intents want it."""
        told = json.loads(json.dumps(payload))
        if event == "MESSAGE_CREATE" and self.posting is not None:
            told["nonce"] = self.posting
        for session in self._sessions.values():
            intent = required_intent(event, payload)
            if intent is None or getattr(session.intents, intent):
                session.tell(event, told)

    def limits(self) -> dict[str, Any]:
        """Answer `GET /gateway/bot`."""
        limit = {"total": SESSIONS_A_DAY, "remaining": self.sessions_left, "reset_after": 3_600_000}
        return {"url": "wss://gateway.discord.gg", "shards": 1, "session_start_limit": {**limit, "max_concurrency": 1}}

    async def cut(self, *, resumable: bool = True) -> None:
        """Break all connections, and forget the sessions if they are not to be resumed."""
        for session in self._sessions.values():
            socket, session.socket = session.socket, None
            if socket is not None:
                await socket.close(code=CUT, message=b"cut")
        if not resumable:
            self.forget()

    def forget(self) -> None:
        """Let no session be resumed: who comes back begins anew."""
        self._sessions.clear()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one socket."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await _say(socket, HELLO, {"heartbeat_interval": HEARTBEAT_MS})
        teller: asyncio.Task[None] | None = None
        session: Session | None = None
        try:
            async for frame in socket:
                packet = json.loads(frame.data)
                if packet["op"] == HEARTBEAT:
                    await _say(socket, HEARTBEAT_ACK, None)
                elif packet["op"] in {IDENTIFY, RESUME}:
                    session = await self._admit(socket, packet)
                    if session is not None:
                        session.socket = socket
                        teller = asyncio.create_task(_tell(session, socket, packet["d"].get("seq") or 0))
        finally:
            if session is not None and session.socket is socket:
                session.socket = None
            if teller is not None:
                teller.cancel()
                with suppress(asyncio.CancelledError, ConnectionError):
                    await teller
        return socket

    async def _admit(self, socket: web.WebSocketResponse, packet: Mapping[str, Any]) -> Session | None:
        self.asked += 1
        asked = packet["d"]
        code = self._refusal(asked)
        if code is not None:
            await socket.close(code=code)
            return None
        if packet["op"] == RESUME:
            return await self._resume(socket, asked["session_id"])
        self.identified += 1
        session = Session(f"session-{self.identified}", _intents(asked))
        self._sessions[session.id] = session
        self._welcome(session)
        return session

    def _refusal(self, asked: Mapping[str, Any]) -> int | None:
        if asked["token"] != self.token:
            return WRONG_TOKEN
        if self.closes_with is None and _intents(asked).message_content and not self.may_read_content:
            return DISALLOWED_INTENTS
        return self.closes_with

    async def _resume(self, socket: web.WebSocketResponse, name: str) -> Session | None:
        session = self._sessions.get(name)
        if session is None:
            await _say(socket, INVALID_SESSION, data=False)
            return None
        self.resumed += 1
        session.tell("RESUMED", {})
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


def _intents(asked: Mapping[str, Any]) -> discord.Intents:
    intents = discord.Intents.none()
    intents.value = asked.get("intents", 0)
    return intents


async def _say(socket: web.WebSocketResponse, op: int, data: object) -> None:
    await socket.send_json({"op": op, "d": data, "s": None, "t": None})


async def _tell(session: Session, socket: web.WebSocketResponse, after: int) -> None:
    while session.socket is socket:
        session.rang.clear()
        while after < len(session.told):
            await socket.send_str(session.told[after])
            after += 1
        await session.rang.wait()
