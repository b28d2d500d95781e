"""People on the Discord of the tests: what they do there, in the words of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from simcord.backend import serializers
from simcord.backend.models import Message
from simcord.interactions import base_payload

from greenroom.platforms.fakes.discord import FakeDiscord

LOOK_S = 0.005
WAIT_S = 15.0
COMPONENT = 3


class People:
    """One server with one channel, threads in it, and direct chats; all are made when they are first named."""

    def __init__(self, server: FakeDiscord) -> None:
        self.server, self.backend = server, server.backend
        self.guild = self.backend.create_guild("house")
        self.channel = self.backend.create_channel(self.guild.id, "kitchen").id
        self.threads: dict[str, int] = {}
        self._users: dict[tuple[str, str], int] = {}

    @property
    def bot(self) -> int:
        return self.backend.bot_user.id

    def user(self, name: str, which: str = "") -> int:
        """A person, who is on the server; `which` tells those of one name apart."""
        if (name, which) not in self._users:
            user = self.backend.make_user(f"{name}{which}".lower(), global_name=name)
            self.backend.add_member(self.guild.id, user.id)
            self._users[name, which] = user.id
        return self._users[name, which]

    def direct(self, name: str, which: str = "") -> int:
        """The direct chat of a person with the bot."""
        return self.backend.get_dm_channel(self.user(name, which)).id

    def thread(self, name: str) -> int:
        """A thread of the channel."""
        if name not in self.threads:
            self.threads[name] = self.backend.create_thread(self.channel, name, self.user("Ann")).id
        return self.threads[name]

    def say(self, channel: int, text: str, name: str = "Ann", which: str = "", **rest: Any) -> Message:
        """Write into a channel. `reply_to` is a message's id, `attachments` are as Discord tells of them."""
        if (reply_to := rest.pop("reply_to", None)) is not None:
            rest["reference"] = {"channel_id": str(channel), "message_id": str(reply_to), "type": 0}
        return self.backend.create_message(channel, self.user(name, which), text, **rest)

    def press(self, message: Message, label: str, name: str = "Ann", which: str = "") -> int:
        """Press a button; the number of the press."""
        buttons = [button for row in message.components for button in row["components"]]
        (button,) = [each for each in buttons if each["label"] == label]
        record, payload = base_payload(
            self.backend,
            type=COMPONENT,
            channel_id=message.channel_id,
            guild_id=self.backend.channels[message.channel_id].guild_id,
            user_id=self.user(name, which),
            data={"custom_id": button["custom_id"], "component_type": 2},
        )
        record.source_message_id = message.id
        payload["message"] = dict(serializers.message_payload(self.backend, message))
        self.backend.emit("INTERACTION_CREATE", payload)
        return record.id

    def shown(self, channel: int) -> list[Message]:
        """The bot's messages in a channel, as the server has them, oldest first."""
        messages = self.backend.messages[channel].values()
        return sorted((each for each in messages if each.author_id == self.bot), key=lambda each: each.id)

    def texts(self, channel: int) -> list[str]:
        return [message.content for message in self.shown(channel)]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another loop or thread will make true."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - it rings no bell
            await asyncio.sleep(LOOK_S)
