"""The chat server in memory as a counterpart, once for each delivery class."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

from tests.platforms.conformance.counterpart import ANN, Ability, Attached, Call, Counterpart, Lacks, Visible

from greenroom.actors.model import Attachment, Change, DeliveryClass, Inbound, SessionKey
from greenroom.actors.ports import History, Traits
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform, Fault, Seen

_ALL = "all that is said is for the bot"
_LACKS: Lacks = {
    Ability.OWN: "its server hands over what persons say, and nothing else",
    Ability.RECONNECT: "there is no connection",
    Ability.GROUPS: _ALL,
    Ability.REPLIES: _ALL,
    Ability.COMMANDS: _ALL,
    Ability.PERSONS: _ALL,
}
_NO_EDITS = {Ability.STREAM: "its messages cannot be edited"}

FAKE_LACKS: dict[DeliveryClass, Lacks] = {
    DeliveryClass.NATIVE_KEY: _LACKS,
    DeliveryClass.EDIT_ANCHOR: _LACKS,
    DeliveryClass.RECONCILE: {**_LACKS, **_NO_EDITS},
    DeliveryClass.NONE: {**_LACKS, **_NO_EDITS},
}


class FakeCounterpart(Counterpart):
    """See `Counterpart`."""

    sessions_per = SessionsPer.CHAT

    def __init__(self, delivery: DeliveryClass) -> None:
        self.server = FakeChatServer(native_keys=delivery is DeliveryClass.NATIVE_KEY)
        self._delivery = delivery
        edits = delivery in {DeliveryClass.NATIVE_KEY, DeliveryClass.EDIT_ANCHOR}
        late_s = 0.0  # There is no wire.
        self._traits = Traits(delivery, edits=edits, edit_min_s=0.01, late_s=late_s, typing=True, buttons=True)
        self._numbers = count(1)
        self._said: dict[str, Inbound] = {}
        self._chats: set[SessionKey] = set()
        self._faults: list[tuple[Call, Fault]] = []
        self._typed: list[SessionKey] = []

    def platform(self, history: History) -> FakePlatform:
        platform = FakePlatform(
            self.server, self._delivery, traits=self._traits, choose=self._choose, retry_after_s=0.2
        )
        platform.typed = self._typed
        return platform

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        key, message_id = SessionKey("fake", "bot", chat, thread), f"u{next(self._numbers)}"
        files = () if attached is None else (Attachment(str(attached.path), attached.media_type),)
        self._said[message_id] = Inbound(key, message_id, text, author, attachments=files)
        self._chats.add(key)
        await self.redeliver(message_id)
        return message_id

    async def redeliver(self, message_id: str) -> None:
        said = self._said[message_id]
        self.server.say(said.key, message_id, said.text, said.author, said.attachments)

    async def visible(self, chat: str) -> list[Visible]:
        keys = [key for key in self._chats if key.chat == chat]
        return [
            Visible(each.id, each.text, key.thread, each.reply_to, each.choices.texts if each.choices else ())
            for key in keys
            for each in self.server.visible(key)
        ]

    async def edits(self, message_id: str, text: str) -> None:
        self.server.change(self._said[message_id].key, f"u{next(self._numbers)}", message_id, Change.EDIT, text)

    async def deletes(self, message_id: str) -> None:
        self.server.change(self._said[message_id].key, f"u{next(self._numbers)}", message_id, Change.DELETE)

    async def presses(self, chat: str, message_id: str, choice: str) -> None:
        self.server.press(message_id, f"u{next(self._numbers)}", choice)

    async def typed(self, chat: str) -> int:
        return sum(key.chat == chat for key in self._typed)

    async def fail(self, call: Call, fault: Fault) -> None:
        self._faults.append((call, fault))

    def _choose(self, seen: Seen) -> Fault | None:
        for planned in self._faults:
            if planned[0] == seen.name:
                self._faults.remove(planned)
                return planned[1]
        return None


def fake(delivery: DeliveryClass) -> Callable[[Path], AbstractAsyncContextManager[Counterpart]]:
    """How the counterpart of one delivery class is opened."""

    @asynccontextmanager
    async def opens(_: Path) -> AsyncIterator[Counterpart]:
        yield FakeCounterpart(delivery)

    return opens
