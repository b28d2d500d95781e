"""A real home server as a counterpart: Synapse, with a relay before it that fails, and persons who are its users."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.platforms.conformance.counterpart import ANN, GROUP, Ability, Attached, Call, Counterpart, Lacks, Visible
from tests.platforms.matrix_person import Person, persons
from tests.platforms.matrix_stage import Bot
from tests.platforms.relay import relaying
from tests.platforms.synapse import shared_server

from greenroom.actors.ports import History
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.chats.matrix import MatrixChat
from greenroom.platforms.fakes.platform import Fault

MATRIX_LACKS: Lacks = {Ability.BUTTONS: "its clients have none: choices are listed in the text"}
BOB = "Bob"


class MatrixCounterpart(Counterpart):
    """See `Counterpart`. Who writes into a new room invites the bot first, and does not wait for it to come."""

    def __init__(self, bot: Bot, people: dict[str, Person]) -> None:
        self._bot, self._people = bot, people
        self.sessions_per = SessionsPer.CHAT
        self._rooms: dict[str, str] = {}
        self._threads: dict[tuple[str, str], str] = {}
        self._said: dict[str, tuple[str, str, str | None]] = {}
        """The room and the author of a message, and where the server's stream was before it."""
        self._elsewhere: set[str] = set()
        """What the account wrote on another device."""

    def platform(self, history: History) -> MatrixChat:
        return self._bot.chat(sessions_per=self.sessions_per)

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        room, person = await self._room(chat), self._people[author]
        more: dict[str, object] = {"m.mentions": {"user_ids": [self._bot.user]}}
        if thread is not None:
            more["m.relates_to"] = {"rel_type": "m.thread", "event_id": await self._thread(room, thread)}
        before = await self._bot.account.position()
        if attached is None:
            message_id = await person.says(room, text, more)
        else:
            file, name = await asyncio.to_thread(attached.path.read_bytes), attached.path.name
            words = {"body": text, "filename": name}
            message_id = await person.attaches(room, name, file, attached.media_type, more | words)
        self._said[message_id] = (room, author, before)
        return message_id

    async def redeliver(self, message_id: str) -> None:
        _, _, self._bot.relay.rewound = self._said[message_id]
        self._bot.relay.cut("sync")

    async def visible(self, chat: str) -> list[Visible]:
        if chat not in self._rooms:
            return []
        room = self._rooms[chat]
        names = {root: name for (where, name), root in self._threads.items() if where == room}
        return [
            Visible(post.id, post.text, names.get(post.thread or ""), post.reply_to)
            for post in await self._people[ANN].posts(room, self._bot.user)
            if post.id not in self._elsewhere
        ]

    async def mutters(self, chat: str, text: str, *, author: str = ANN) -> None:
        await self._people[author].says(await self._room(chat), text)

    async def replies(self, message_id: str, text: str, *, author: str = ANN) -> None:
        relation = {"m.relates_to": {"m.in_reply_to": {"event_id": message_id}}}
        await self._people[author].says(await self._room(GROUP), text, relation)

    async def says_itself(self, chat: str, text: str) -> None:
        room = await self._room(chat)
        await self._bot.comes(room, self._people[ANN])
        self._elsewhere.add(await self._bot.account.says(room, text))

    async def edits(self, message_id: str, text: str) -> None:
        room, author, _ = self._said[message_id]
        await self._people[author].edits(room, message_id, text)

    async def deletes(self, message_id: str) -> None:
        room, author, _ = self._said[message_id]
        await self._people[author].removes(room, message_id)

    async def typed(self, chat: str) -> int:
        return (await self._people[ANN].typing(await self._room(chat))).count(self._bot.user)

    async def fail(self, call: Call, fault: Fault) -> None:
        self._bot.relay.fail(call, fault)

    async def cut(self) -> None:
        await self._bot.relay.cut_when_asked("sync")

    async def _room(self, chat: str) -> str:
        if chat not in self._rooms:
            others = [self._people[BOB]] if chat == GROUP else []
            self._rooms[chat] = await self._people[ANN].room(self._bot.account, *others)
            for other in others:
                await other.joins(self._rooms[chat])
        return self._rooms[chat]

    async def _thread(self, room: str, name: str) -> str:
        if (room, name) not in self._threads:
            self._threads[room, name] = await self._people[ANN].says(room, f"about {name}")
        return self._threads[room, name]


@asynccontextmanager
async def matrix(folder: Path) -> AsyncIterator[Counterpart]:
    """Open the counterpart, with users of its own on the server that all tests of a process share."""
    server = await asyncio.to_thread(shared_server)
    async with persons(server, "bot", ANN, BOB) as (bot, ann, bob), relaying(server.url) as relay:
        yield MatrixCounterpart(Bot(bot, relay, folder), {ANN: ann, BOB: bob})
