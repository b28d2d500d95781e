"""A house whose agent follows a model: what a person says, what they see, and what the store has of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.platforms.agents.room import Chat

from greenroom import Policy, Supervisor
from greenroom.actors.model import Attachment, ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.openai import OpenAISettings, make
from greenroom.platforms.agents.tools.tool import Tool, Tools
from greenroom.platforms.chats.hosted import HostedChat
from greenroom.platforms.chats.web.server import listen, serving
from greenroom.storage.sqlite import open_reader

_numbers = count(1)  # of what is said, in all houses

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Offered:
    """Tools from a list."""

    def __init__(self, *tools: Tool) -> None:
        self._tools = tools

    async def offer(self) -> Sequence[Tool]:
        return self._tools

    async def close(self) -> None:
        """Nothing is open."""


async def weather(_: Turn, city: str) -> str:
    return f"21 C in {city}"


WEATHER = Tool("get_weather", "Tells the weather of a city.", CITY, ToolPolicy.PURE, weather)


class Scripted:
    """What a server was asked, and where it is."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Any] = []


@asynccontextmanager
async def scripted(*answers: bytes | tuple[int, Any]) -> AsyncIterator[Scripted]:
    """Serve streams, or refusals with their status, one for each request; for what no other server says."""
    left = list(answers)

    async def serve(request: Request) -> Response:
        server.requests.append(await request.json())
        answer = left.pop(0)
        if isinstance(answer, bytes):
            return Response(answer, media_type="text/event-stream")
        return JSONResponse(answer[1], answer[0])

    with listen("127.0.0.1", 0) as listening:
        server = Scripted(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        async with serving(Starlette(routes=[Route("/{path:path}", serve, methods=["POST"])]), listening):
            yield server


def stream(*pieces: Any) -> bytes:
    """Write pieces as the events of a stream."""
    return "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces).encode()


class House:
    """A house with one chat; `settings` are those of its model."""

    def __init__(
        self, folder: Path, base_url: str, *tools: Tool, policy: Policy | None = None, **settings: Any
    ) -> None:
        self._folder = folder
        self._policy = policy or Policy(drain_s=0.0, provider_backoff_s=0.1, provider_max_s=0.0)
        given = {"model": "m1", "base_url": base_url, "ask_user": False} | settings
        context = {"folder": folder}
        self.agent = make(OpenAISettings.model_validate(given, context=context), folder, Tools(Offered(*tools)))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Chat]:
        """Keep a process while the block runs."""
        async with Supervisor(self._folder / "bot.db", agent=self.agent, policy=self._policy) as room:
            room.attach(HostedChat("mybot", "me"))
            yield Chat(room)

    async def says(self, text: str, *attachments: Attachment) -> str:
        """Say one thing in a process of its own, and give what is answered."""
        async with self.open() as chat:
            return await self.asks(chat, text, *attachments)

    async def asks(self, chat: Chat, text: str, *attachments: Attachment) -> str:
        """Say one thing, and wait for what is answered."""
        return await chat.answer(await chat.says(text, f"{next(_numbers)}", attachments))

    def rows(self, sql: str) -> list[Any]:
        """Read the store."""
        db = open_reader(str(self._folder / "bot.db"))
        try:
            return list(db.execute(sql))
        finally:
            db.close()
