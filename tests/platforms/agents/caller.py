"""A real supervisor whose agent calls one tool for each message, as a model would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from greenroom import Policy, Supervisor, Turn
from greenroom.actors.model import Receipt
from greenroom.platforms.agents.tools.calling import Used, use
from greenroom.platforms.agents.tools.tool import Tool, Tools, Toolset
from greenroom.supervisor.supervisor import AsyncRoom

CHAT = "test:bot:1"
WAIT_S = 20.0


class Caller:
    """Calls tools in one chat."""

    def __init__(self, tools: Toolset, folder: Path) -> None:
        self.tools, self.folder = tools, folder
        self.used: list[Used] = []
        self.offered: Sequence[Tool] = ()
        self._numbers = count(1)
        self._room: AsyncRoom | None = None

    async def __call__(self, turn: Turn) -> str:
        wanted = json.loads(turn.new[-1].text)
        self.offered = await self.tools.offer()
        (tool,) = [each for each in self.offered if each.name == wanted["name"]]
        self.used.append(await use(turn, tool, wanted["args"]))
        return self.used[-1].text or "(nothing)"

    async def close(self) -> None:
        await self.tools.close()

    async def says(self, text: str, chat: str = CHAT) -> Receipt:
        assert self._room is not None
        return await self._room.accept(chat=chat, id=f"{chat} {next(self._numbers)}", text=text)

    async def call(self, name: str, chat: str = CHAT, /, **args: Any) -> Used:
        """Have it called, and hear what the model is told."""
        assert self._room is not None
        receipt = await self.says(json.dumps({"name": name, "args": args}), chat)
        await asyncio.wait_for(self._room.answer(receipt), WAIT_S)
        return self.used[-1]

    async def told(self, name: str, /, **args: Any) -> str:
        """The same, where it must not fail."""
        used = await self.call(name, CHAT, **args)
        assert not used.failed, used.text
        return used.text

    async def refused(self, name: str, /, **args: Any) -> str:
        """The same, where it must fail."""
        used = await self.call(name, CHAT, **args)
        assert used.failed, used.text
        return used.text

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Caller]:
        async with Supervisor(self.folder / "bot.db", agent=self, policy=Policy(chat_burst=10_000)) as room:
            self._room = room
            yield self


@asynccontextmanager
async def calling(folder: Path, *sets: Toolset) -> AsyncIterator[Caller]:
    """Keep a supervisor while the block runs."""
    async with Caller(Tools(*sets), folder).at_work() as caller:
        yield caller
