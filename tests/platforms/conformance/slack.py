"""Slack as a counterpart: the fake workspace on loopback, by socket mode and by signed posts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.platforms.conformance.counterpart import ANN, GROUP, Ability, Attached, Call, Counterpart, Lacks, Visible

from greenroom.actors.ports import History
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.chats.slack import SlackChat, SlackSettings
from greenroom.platforms.chats.slack.hook import PATH
from greenroom.platforms.chats.slack.markup import escape, unescape
from greenroom.platforms.chats.web.server import listen
from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.slack import BOT_USER, FakeSlack
from greenroom.platforms.fakes.slack_envelopes import Envelopes
from greenroom.platforms.fakes.slack_poster import SlackPoster
from greenroom.platforms.fakes.slack_wire import FakeSlackServer

ACK_S = 0.3
POST_S = 2.0
"""How long a post waits for its answer, and until it comes again: one that is given up too soon is overtaken."""

PING_S = 0.1
LOOK_S = 0.01
RETRY_AFTER_S = 0.2
SECRET = "signed by slack"

SLACK_LACKS: Lacks = {
    Ability.REPLY: "an answer stands in its thread; Slack has no other reply",
    Ability.TYPING: "Slack lets no bot show it",
}
POSTED_LACKS: Lacks = {
    **SLACK_LACKS,
    Ability.RECONNECT: "Slack comes to it; it connects to nobody",
    Ability.BUSY: "what is posted again comes later: Slack lets others overtake it",
}
_METHODS = {"send": "chat.postMessage", "edit": "chat.update"}


class SlackCounterpart(Counterpart):
    """See `Counterpart`."""

    def __init__(
        self, server: FakeSlackServer, folder: Path, envelopes: Envelopes, settings: Mapping[str, Any]
    ) -> None:
        """`envelopes` has what is still to be told, `settings` by which way."""
        self._server, self._slack, self._folder = server, server.slack, folder
        self._envelopes, self._settings = envelopes, settings
        self.sessions_per = SessionsPer.CHAT
        self._said: dict[str, str] = {}  # the channel of each message
        self._threads: dict[str, str] = {}  # the root of each thread, by the test's name for it

    def platform(self, history: History) -> SlackChat:
        given = {"bot_token": self._server.bot_token, "api_url": self._server.api_url, **self._settings}
        settings = SlackSettings.model_validate({**given, "sessions_per": self.sessions_per})
        return SlackChat(settings, self._folder, ping_s=PING_S)

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        await self._until_listened_to()
        files = []
        if attached is not None:
            name, content = attached.path.name, attached.path.read_bytes()
            files.append(self._slack.attach(name, content, attached.media_type, self._server.base_url))
        addressed = f"<@{BOT_USER}> {escape(text)}" if chat == GROUP else escape(text)
        channel = self._channel(chat)
        root = None if thread is None else self._root(channel, thread)
        ts = self._slack.say(channel, addressed, user=self._user(author), thread=root, files=files)
        self._said[ts] = channel
        return ts

    async def redeliver(self, message_id: str) -> None:
        self._slack.redeliver(self._said[message_id], message_id)

    async def visible(self, chat: str) -> list[Visible]:
        names = {root: name for name, root in self._threads.items()}
        return [
            Visible(
                line.ts,
                unescape(line.text),
                names.get(line.thread_ts or ""),
                choices=tuple(button["value"] for button in line.buttons),
            )
            for line in self._slack.visible(self._channel(chat))
            if line.text != "talking to myself"
        ]

    async def mutters(self, chat: str, text: str, *, author: str = ANN) -> None:
        """Write; what begins with a slash is no message in Slack but a slash command."""
        if text.startswith("/"):
            command, _, rest = text.partition(" ")
            await self._until_heard(
                partial(self._slack.order, self._channel(chat), command, rest, user=self._user(author))
            )
            return
        self._slack.say(self._channel(chat), escape(text), user=self._user(author))

    async def replies(self, message_id: str, text: str, *, author: str = ANN) -> None:
        """Answer in the thread under the message."""
        self._slack.say(self._channel(GROUP), escape(text), user=self._user(author), thread=message_id)

    async def says_itself(self, chat: str, text: str) -> None:
        self._slack.say(self._channel(chat), escape(text), user=BOT_USER)

    async def edits(self, message_id: str, text: str) -> None:
        self._slack.edit(self._said[message_id], message_id, escape(text))

    async def deletes(self, message_id: str) -> None:
        self._slack.delete(self._said[message_id], message_id)

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        await self._until_heard(
            partial(self._slack.press, self._channel(chat), message_id, choice, user=self._user(ANN))
        )

    async def _until_heard(self, act: Callable[[], str]) -> None:
        """Do it until it is taken: Slack tells of it only once, and shows its person that nobody heard."""
        while True:
            envelope = self._envelopes.pending[act()]
            await envelope.over.wait()
            if envelope.acknowledged:
                return

    async def _until_listened_to(self) -> None:
        """Wait for the address, where there is one: what nobody takes comes again later, and others overtake it."""
        while (port := self._settings.get("port")) is not None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(LOOK_S)

    async def fail(self, call: Call, fault: Fault) -> None:
        self._server.fail(_METHODS[call], fault)

    async def cut(self) -> None:
        await self._server.cut()

    def _channel(self, chat: str) -> str:
        name, kind = ("C1", "channel") if chat == GROUP else (f"D{chat}", "im")
        return self._slack.open_channel(name, kind).id

    def _root(self, channel: str, thread: str) -> str:
        if thread not in self._threads:
            self._threads[thread] = self._slack.say(channel, thread, user=self._user("Zoe"))
        return self._threads[thread]

    def _user(self, author: str) -> str:
        return self._slack.invite(f"U{author.upper()}", author)


def slack(delivery: str) -> Callable[[Path], AbstractAsyncContextManager[Counterpart]]:
    """How the counterpart is opened by socket mode, for an account of this delivery class."""

    @asynccontextmanager
    async def opens(folder: Path) -> AsyncIterator[Counterpart]:
        async with _server() as server:
            settings = {"app_token": server.app_token, "delivery": delivery}
            yield SlackCounterpart(server, folder, server.envelopes, settings)

    return opens


@asynccontextmanager
async def slack_posted(folder: Path) -> AsyncIterator[Counterpart]:
    """Events are posted, signed, to an address of ours."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}{PATH}"
    async with _server() as server, SlackPoster(server.slack, address, SECRET, ack_s=POST_S) as poster:
        yield SlackCounterpart(server, folder, poster.envelopes, {"signing_secret": SECRET, "port": port})


def _server() -> FakeSlackServer:
    return FakeSlackServer(FakeSlack(), ack_s=ACK_S, retry_after_s=RETRY_AFTER_S)
