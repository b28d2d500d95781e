"""A fake Bot API as a counterpart, by long polling and by webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.platforms.conformance.counterpart import (
    ANN,
    GROUP,
    Ability,
    Attached,
    Call,
    Counterpart,
    Lacks,
    Visible,
)

from greenroom.actors.ports import History
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.chats.telegram import TelegramChat, TelegramSettings
from greenroom.platforms.chats.web.server import listen
from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.telegram import FakeTelegram, fake_telegram
from greenroom.platforms.fakes.telegram_world import Account, File, Said

TOKEN = "1:conformance"
FORUM = -1_000_000_000_077

TELEGRAM_LACKS: Lacks = {Ability.DELETIONS: "bots are not told of them"}
WEBHOOK_LACKS: Lacks = {**TELEGRAM_LACKS, Ability.RECONNECT: "Telegram comes to it; it connects to nobody"}
METHODS: dict[Call, str] = {"send": "sendMessage", "edit": "editMessageText"}


class TelegramCounterpart(Counterpart):
    """See `Counterpart`."""

    def __init__(self, telegram: FakeTelegram, folder: Path, webhook: str | None) -> None:
        self.telegram, self._folder, self._webhook = telegram, folder, webhook
        self.sessions_per = SessionsPer.CHAT
        self._chats = {GROUP: FORUM}
        self._threads: dict[str, int] = {}
        self._people = {ANN: 7}

    def platform(self, history: History) -> TelegramChat:
        port = int(self._webhook.rpartition(":")[2].partition("/")[0]) if self._webhook else 0
        given = {"token": TOKEN, "api_url": self.telegram.url, "webhook_url": self._webhook, "port": port}
        settings = TelegramSettings.model_validate({**given, "sessions_per": self.sessions_per})
        return TelegramChat(settings, self._folder, poll_s=1)

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        file = None
        if attached is not None:
            file = f"file{len(self._account.files)}"
            self._account.files[file] = File(attached.path.name, attached.media_type, attached.path.read_bytes())
        words = f"@conform_bot {text}" if chat == GROUP else text
        return str(self._say(chat, words, author=author, thread=thread, file=file))

    def _say(self, chat: str, text: str, *, author: str, thread: str | None = None, **rest: Any) -> int:
        topic = None if thread is None else self._threads.setdefault(thread, 100 + len(self._threads))
        user = self._people.setdefault(author, 7 + len(self._people))
        said: int = self.telegram.do(
            "say", chat=self._chat(chat), text=text, user=user, name=author, thread=topic, **rest
        )
        return said

    def _chat(self, name: str) -> int:
        return self._chats.setdefault(name, 1000 + len(self._chats))

    @property
    def _account(self) -> Account:
        return self.telegram.account()

    async def redeliver(self, message_id: str) -> None:
        self.telegram.do("repeat", message_id=int(message_id))

    async def visible(self, chat: str) -> list[Visible]:
        topics = {number: name for name, number in self._threads.items()}
        return [_visible(each, topics) for each in self._account.visible(self._chat(chat))]

    async def mutters(self, chat: str, text: str, *, author: str = ANN) -> None:
        self._say(chat, text, author=author)

    async def replies(self, message_id: str, text: str, *, author: str = ANN) -> None:
        self._say(GROUP, text, author=author, reply_to=int(message_id))

    async def says_itself(self, chat: str, text: str) -> None:
        self.telegram.do("say", chat=self._chat(chat), text=text, user=self._account.id, name="conform_bot")

    async def edits(self, message_id: str, text: str) -> None:
        self.telegram.do("edit", message_id=int(message_id), text=text)

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        self.telegram.do("press", message_id=int(message_id), text=choice)

    async def typed(self, chat: str) -> int:
        return self._account.typed.get(self._chat(chat), 0)

    async def fail(self, call: Call, fault: Fault) -> None:
        self.telegram.fail(METHODS[call], fault)

    async def cut(self) -> None:
        self.telegram.cut()


def _visible(said: Said, topics: dict[int, str]) -> Visible:
    thread = None if said.thread is None else topics[said.thread]
    reply_to = None if said.reply_to is None else str(said.reply_to)
    choices = tuple(button["text"] for row in said.keyboard for button in row)
    return Visible(str(said.id), said.text, thread, reply_to, choices)


@asynccontextmanager
async def telegram_polled(folder: Path) -> AsyncIterator[Counterpart]:
    """Updates are asked for."""
    async with fake_telegram(Account(token=TOKEN, id=1, username="conform_bot")) as telegram:
        yield TelegramCounterpart(telegram, folder, None)


@asynccontextmanager
async def telegram_posted(folder: Path) -> AsyncIterator[Counterpart]:
    """Updates are posted to a webhook."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    async with fake_telegram(Account(token=TOKEN, id=1, username="conform_bot")) as telegram:
        yield TelegramCounterpart(telegram, folder, f"http://127.0.0.1:{port}/telegram")
