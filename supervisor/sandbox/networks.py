"""The platforms of a simulated world: each an account, the server behind it, and the wire of one process to that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from greenroom.actors.entry import DeliveryPolicy, rule_of
from greenroom.actors.model import DeliveryClass, Inbound, SessionKey
from greenroom.actors.ports import Choices, Door, Outgoing, SendRefusedError, Traits
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform, Seen

T = TypeVar("T")

EDITABLE = frozenset({DeliveryClass.NATIVE_KEY, DeliveryClass.EDIT_ANCHOR})


class RememberingServer(FakeChatServer):
    """A chat server that knows what it was told was safe with the bot."""

    def __init__(self, *, native_keys: bool) -> None:
        super().__init__(native_keys=native_keys)
        self.acknowledged: set[str] = set()
        self._breaks: Callable[[], None] | None = None
        self.mix_up: Callable[[list[Inbound]], None] = lambda _: None
        """May change the order in which updates are handed over."""
        self.shown: Callable[[SessionKey, str, str], None] = lambda *_: None
        """Hears what a person sees from now on: the chat, the message, its text."""

    def break_off(self, told: Callable[[], None]) -> None:
        """Let whoever receives lose the connection when it asks next; `told` hears that it did."""
        self._breaks = told

    def unacknowledged(self) -> list[Inbound]:
        """What persons said and the bot has not acknowledged."""
        told, self._breaks = self._breaks, None
        if told is not None:
            told()
            raise ConnectionResetError("the connection broke")
        updates = super().unacknowledged()
        self.mix_up(updates)
        return updates

    def waits(self, chat: SessionKey) -> bool:
        """Whether something of this chat is not acknowledged yet, for who only looks: that breaks no connection."""
        return any(each.key == chat for each in super().unacknowledged())

    def acknowledge(self, inbound: Inbound) -> None:
        """Never give this update again."""
        self.acknowledged.add(inbound.update_id)
        super().acknowledge(inbound)

    def post(self, message: Outgoing) -> str:
        """Show a new message; returns its id."""
        before, made = self.posts, super().post(message)
        if self.posts != before:
            self.shown(message.session, made, message.text)
        return made

    def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Change a message."""
        super().edit(session, message_id, text, choices)
        self.shown(session, message_id, text)


class Wire(FakePlatform):
    """One process's wire to a chat server; the world can cut it and join it again.

    One that is not `reachable` when the process starts connects only when `reach` is called.
    """

    door: Door | None = None
    reachable = True
    refused: Callable[[Seen], None] = staticmethod(lambda _: None)
    """Told of each call that the server will never take."""

    _waits: Callable[[], object] | None = None

    async def run(self, door: Door) -> None:
        """See `Platform.run`."""
        self.door = door
        if not self.reachable:
            reached, loop = asyncio.Event(), asyncio.get_running_loop()
            self._waits = partial(loop.call_soon_threadsafe, reached.set)
            await reached.wait()
        await super().run(door)

    async def _under_fault(self, seen: Seen, effect: Callable[[], T]) -> T:
        try:
            return await super()._under_fault(seen, effect)
        except SendRefusedError:
            self.refused(seen)
            raise

    def reach(self) -> None:
        """The network is there now."""
        self.reachable = True
        if self._waits is not None:
            self._waits()


@dataclass(frozen=True, slots=True)
class Network:
    """One account of one platform, with the server behind it and its chats."""

    name: str
    traits: Traits
    server: RememberingServer
    chats: tuple[SessionKey, ...]
    waived_from: int | None = None  # the life, from 1, from which on its host wants no more than "at least once"

    @property
    def delivery(self) -> DeliveryClass:
        """The delivery class that the platform declares, and its host does not waive in some life."""
        return rule_of(self.traits, self.promise(self.waived_from or 1))

    def promise(self, life: int) -> DeliveryPolicy:
        """What its host wants of it in that life."""
        waived = self.waived_from is not None and life >= self.waived_from
        return DeliveryPolicy.AT_LEAST_ONCE if waived else DeliveryPolicy.EXACTLY_ONCE


def make_network(
    name: str,
    delivery: DeliveryClass,
    chats: int,
    *,
    text_max: int = 4096,
    edit_min_s: float = 1.0,
    buttons: bool = False,
    typing: bool = True,
    waived_from: int | None = None,
) -> Network:
    """Build an account with so many chats."""
    edits = delivery in EDITABLE
    traits = Traits(delivery, text_max=text_max, edits=edits, edit_min_s=edit_min_s, buttons=buttons, typing=typing)
    server = RememberingServer(native_keys=delivery is DeliveryClass.NATIVE_KEY)
    keys = tuple(SessionKey(name, "bot", f"chat{n}") for n in range(1, chats + 1))
    return Network(name, traits, server, keys, waived_from)
