"""A real supervisor on a real file with one chat before it, as the tests of agents need it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import apsw

from greenroom import Policy, Supervisor
from greenroom.actors.model import Attachment, Receipt, SessionKey
from greenroom.platforms.chats.hosted import HostedChat
from greenroom.supervisor.supervisor import AsyncRoom

CHAT = "mybot:me:1"
WAIT_S = 20.0
LOOK_S = 0.01
"""How often is looked at what another thread or process does: neither rings a bell."""


class Chat:
    """What one person says, and reads."""

    def __init__(self, room: AsyncRoom) -> None:
        self._room = room

    async def says(self, text: str, id: str = "1", attachments: Sequence[Attachment] = ()) -> Receipt:
        return await self._room.accept(chat=CHAT, id=id, text=text, attachments=attachments)

    async def answer(self, receipt: Receipt) -> str:
        return await asyncio.wait_for(self._room.answer(receipt), WAIT_S)

    async def until_shown(self, words: str) -> None:
        async def shown() -> bool:
            messages = await self._room.history.shown(SessionKey.parse(CHAT), 10)
            return any(words in each.text for each in messages if not each.mine)

        await until(shown)


@asynccontextmanager
async def living(folder: Path, agent: Any) -> AsyncIterator[Chat]:
    """One life of the process; what runs at its end is interrupted."""
    policy = Policy(drain_s=0.0, provider_backoff_s=0.01)
    async with Supervisor(folder / "bot.db", agent=agent, policy=policy) as room:
        room.attach(HostedChat("mybot", "me"))
        yield Chat(room)


def spent(folder: Path) -> tuple[int, int]:
    """The calls of models and the tokens that are stored."""
    with closing(apsw.Connection(str(folder / "bot.db"), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        calls, tokens = db.execute("SELECT sum(model_calls), sum(tokens) FROM runs").get
    return calls, tokens


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await look():  # noqa: ASYNC110 - another thread or process rings no bell
            await asyncio.sleep(LOOK_S)


async def written(path: Path) -> str:
    """What another process wrote there, once its line is whole."""

    async def is_there() -> bool:
        return _read(path).endswith("\n")

    await until(is_there)
    return _read(path)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
