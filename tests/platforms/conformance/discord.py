"""Discord as a counterpart: simcord's world behind an HTTP API and a gateway on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from simcord.backend.models import Message
from tests.platforms.conformance.counterpart import ANN, GROUP, Attached, Call, Counterpart, Lacks, Visible
from tests.platforms.discord_people import People, until

from greenroom.actors.ports import History
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.chats.discord import DiscordChat, DiscordSettings
from greenroom.platforms.fakes.discord import TOKEN, FakeDiscord
from greenroom.platforms.fakes.platform import Fault

DISCORD_LACKS: Lacks = {}

SERVERS_WITHIN_S = 0.05


class DiscordCounterpart(Counterpart):
    """See `Counterpart`. The group is a channel of a server; every other chat is the direct chat of one person."""

    def __init__(self, server: FakeDiscord, folder: Path) -> None:
        self.server, self._people, self._folder = server, People(server), folder
        self._chats: set[str] = set()
        self.sessions_per = SessionsPer.CHAT
        self._elsewhere: set[int] = set()  # what the bot's account wrote from another device

    def platform(self, history: History) -> DiscordChat:
        settings = DiscordSettings.model_validate({"token": TOKEN, "sessions_per": self.sessions_per})
        return DiscordChat(settings, self._folder, connector=self.server.connector, servers_within_s=SERVERS_WITHIN_S)

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        await self._heard(chat)
        files = {} if attached is None else {"attachments": [self.server.keep(attached.path, attached.media_type)]}
        return str(self._say(chat, text, author, thread, files).id)

    async def _heard(self, chat: str) -> None:
        """A bot hears of a direct chat by its first message, if it listens then; and of all else from its first start."""
        if chat not in self._chats:
            await until(lambda: self.server.gateway.connected)
            self._chats.add(chat)

    def _say(self, chat: str, text: str, author: str, thread: str | None, rest: dict[str, Any]) -> Message:
        if chat != GROUP:
            return self._people.say(self._people.direct(author, chat), text, author, chat, **rest)
        channel = self._people.channel if thread is None else self._people.thread(thread)
        return self._people.say(channel, f"<@{self._people.bot}> {text}", author, **rest)

    async def redeliver(self, message_id: str) -> None:
        self.server.redeliver(self._message(message_id))

    async def visible(self, chat: str) -> list[Visible]:
        places: list[tuple[str | None, int]] = [(None, self._channel(chat))]
        places += self._people.threads.items() if chat == GROUP else ()
        shown = [(message, thread) for thread, channel in places for message in self._people.shown(channel)]
        return [_visible(message, thread) for message, thread in shown if message.id not in self._elsewhere]

    async def mutters(self, chat: str, text: str, *, author: str = ANN) -> None:
        await self._heard(GROUP)
        self._people.say(self._people.channel, text, author)

    async def replies(self, message_id: str, text: str, *, author: str = ANN) -> None:
        self._people.say(self._people.channel, text, author, reply_to=message_id)

    async def says_itself(self, chat: str, text: str) -> None:
        await self._heard(chat)
        said = self._people.backend.create_message(self._channel(chat), self._people.bot, text)
        self._elsewhere.add(said.id)

    async def edits(self, message_id: str, text: str) -> None:
        self._people.backend.edit_message(self._message(message_id).channel_id, int(message_id), {"content": text})

    async def deletes(self, message_id: str) -> None:
        self._people.backend.delete_message(self._message(message_id).channel_id, int(message_id))

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        self._people.press(self._message(message_id), choice, ANN, chat)

    async def typed(self, chat: str) -> int:
        return sum(call.name == "typing" and call.channel == self._channel(chat) for call in self.server.calls)

    async def fail(self, call: Call, fault: Fault) -> None:
        self.server.faults.append((call, fault))

    async def cut(self) -> None:
        await self.server.gateway.cut()

    def _channel(self, chat: str) -> int:
        return self._people.channel if chat == GROUP else self._people.direct(ANN, chat)

    def _message(self, message_id: str) -> Message:
        rooms = self._people.backend.messages.values()
        return next(room[int(message_id)] for room in rooms if int(message_id) in room)


def _visible(message: Message, thread: str | None) -> Visible:
    buttons = tuple(button["label"] for row in message.components for button in row["components"])
    reply_to = None if message.reference is None else message.reference["message_id"]
    return Visible(str(message.id), message.content, thread, reply_to, buttons)


@asynccontextmanager
async def discord(folder: Path) -> AsyncIterator[Counterpart]:
    """Open the counterpart."""
    async with FakeDiscord().serving() as server:
        yield DiscordCounterpart(server, folder)
