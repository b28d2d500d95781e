"""A Matrix account before a home server, with the stage behind it: what tests of the platform begin with."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.platforms.matrix_person import Person, persons
from tests.platforms.relay import Relay, relaying
from tests.platforms.stage import Stage, running
from tests.platforms.synapse import Synapse

from greenroom.actors.model import Inbound, SessionKey
from greenroom.actors.ports import Outgoing
from greenroom.platforms.chats.matrix import MatrixChat, MatrixSettings


class Bot:
    """The account, and the folder that outlives its platform objects."""

    def __init__(self, account: Person, relay: Relay, folder: Path) -> None:
        self.account, self.user, self.relay, self.folder = account, account.user, relay, folder
        self.stage = Stage()
        self.rooms: list[str] = []

    def chat(self, **settings: Any) -> MatrixChat:
        """A new platform object, as a new process has it. It signs in by password unless told otherwise."""
        signed = self.account.signed
        ways = {} if "token" in settings else {"user": self.user, "password": signed.password}
        written = {"homeserver": self.relay.url, "invites": ["@*"], "edit_every_s": 0.01, **ways, **settings}
        return MatrixChat(MatrixSettings.model_validate(written), self.folder)

    @asynccontextmanager
    async def up(self, **settings: Any) -> AsyncIterator[MatrixChat]:
        """Run one while the block runs."""
        chat = self.chat(**settings)
        async with running(chat, self.stage):
            yield chat

    async def heard(self, count: int) -> list[Inbound]:
        """Wait for so many inbound in all."""
        await self.stage.until_accepted(count)
        return self.stage.accepted

    async def kept(self, key: str) -> None:
        """Wait until the file of the position knows this message."""
        async with asyncio.timeout(20):
            while key not in json.loads((self.folder / "matrix-me.sync.json").read_text())["posted"]:  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0.02)

    async def until_logged(self, log: pytest.LogCaptureFixture, words: str) -> None:
        """Wait until this was logged."""
        async with asyncio.timeout(20):
            while words not in log.text:  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0.02)

    async def in_room(self, person: Person, *others: Person, encrypted: bool = False, public: bool = False) -> str:
        """Be invited into a new room, and accept. The platform runs."""
        room = await person.room(self.account, *others, encrypted=encrypted, public=public)
        self.rooms.append(room)
        for other in others:
            await other.joins(room)
        await self.comes(room, person)
        return room

    async def comes(self, room: str, person: Person) -> None:
        """Wait until the bot is in a room."""
        async with asyncio.timeout(20):
            while self.user not in await person.members(room):  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0.02)


class Scene(Struct, frozen=True):
    """What most tests have: the bot, a person, and another."""

    bot: Bot
    ann: Person
    ben: Person


@asynccontextmanager
async def scene(homeserver: Synapse, folder: Path) -> AsyncIterator[Scene]:
    """Set it."""
    async with persons(homeserver, "bot", "ann", "ben") as (account, ann, ben), relaying(homeserver.url) as relay:
        yield Scene(Bot(account, relay, folder), ann, ben)


def outgoing(room: str, key: str, text: str, thread: str | None = None, reply_to: str | None = None) -> Outgoing:
    return Outgoing(SessionKey("matrix", "me", room, thread), key, text, reply_to)
