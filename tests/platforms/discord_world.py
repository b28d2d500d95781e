"""All that a test of Discord needs: the server, its people, a door, and platforms on one account."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.platforms.discord_people import People, until
from tests.platforms.stage import Stage

from greenroom.actors.model import SessionKey
from greenroom.platforms.chats.discord import DiscordChat, DiscordSettings
from greenroom.platforms.fakes.discord import FakeDiscord


@dataclass
class Discord:
    server: FakeDiscord
    people: People
    stage: Stage
    folder: Path

    def chat(self, **settings: object) -> DiscordChat:
        """A new platform on the same account, as after a restart."""
        read = DiscordSettings.model_validate({"token": self.server.token, **settings})
        return DiscordChat(read, self.folder, connector=self.server.connector, servers_within_s=0.05)

    @property
    def kitchen(self) -> SessionKey:
        return SessionKey("discord", "me", str(self.people.channel))

    @property
    def texts(self) -> list[str]:
        return [inbound.text for inbound in self.stage.accepted]

    def say(self, text: str) -> int:
        """Say something to the bot in the server's channel."""
        return self.people.say(self.people.channel, f"<@{self.people.bot}> {text}").id

    async def until_remembered(self, upto: int) -> None:
        def remembered() -> bool:
            with suppress(FileNotFoundError):
                return bool(json.loads((self.folder / "discord-me.json").read_bytes())["upto"] >= upto)
            return False

        await until(remembered)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Discord]:
    """Open the server; platforms keep their files in `folder`."""
    async with FakeDiscord().serving() as server:
        yield Discord(server, People(server), Stage(), folder)
