"""The wire to the chat server in memory, with a switch for every way in which a real wire fails."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import (
    LATE_S,
    BusyError,
    Choices,
    Door,
    MisconfiguredError,
    NotSentError,
    Outgoing,
    RefusedError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
    Traits,
)
from greenroom.platforms.fakes.chat_server import FakeChatServer

T = TypeVar("T")

ASK_AGAIN_S = 1.0
"""How long the wire waits before it offers an update again that could not be stored."""


class Fault(StrEnum):
    """How one call fails. Those called AFTER have had their effect."""

    HANGS_BEFORE = "no answer ever; no effect"
    HANGS_AFTER = "no answer ever; the effect happened"
    BREAKS_BEFORE = "the connection broke; no effect"
    BREAKS_AFTER = "the connection broke; the effect happened"
    NOT_SENT = "refused for now (5xx), no effect"
    RETRY_LATER = "told to come back later (429), no effect"
    REFUSED = "refused for ever"
    GONE = "what it refers to does not exist"
    LATE = "the connection broke; the effect happens some seconds after that"
    SLOW = "works, after a while"
    EXITS = "the platform's library calls sys.exit"


@dataclass(frozen=True, slots=True)
class Seen:
    """One call as the wire saw it, for tests that ask what was tried. `name` is send, edit or find."""

    name: str
    session: SessionKey
    key: str | None = None
    message_id: str | None = None
    text: str = ""


class FakePlatform:
    """A `Platform` on a `FakeChatServer`. Works on a real loop and in virtual time.

    `run` raises MisconfiguredError with the words of `misconfigured` as long as there are any: a token is wrong.
    Faults come from `faults`, one a call, as long as there are any; then from `choose`, which is given the call and may
    say None. `calls` holds every call that was made. Use a server with native keys for the class that promises them.
    """

    def __init__(
        self,
        server: FakeChatServer,
        delivery: DeliveryClass,
        *,
        name: str = "fake",
        account: str = "bot",
        traits: Traits | None = None,
        choose: Callable[[Seen], Fault | None] = lambda _seen: None,
        retry_after_s: float = 7.0,
        slow_s: float = 5.0,
    ) -> None:
        self.server = server
        self.name = name
        self.account = account
        self.traits = traits or Traits(
            delivery, edits=delivery in {DeliveryClass.NATIVE_KEY, DeliveryClass.EDIT_ANCHOR}
        )
        self.faults: deque[Fault | None] = deque()
        self.choose = choose
        self.calls: list[Seen] = []
        self.typed: list[SessionKey] = []
        self.on_typing: Callable[[SessionKey], object] = lambda _session: None  # may raise, as a wire does
        self.misconfigured: str | None = None
        self.in_flight = 0
        self.in_flight_most = 0
        self.later: Callable[[Callable[[], object]], object] = _call_later  # when a late effect happens
        self._retry_after_s = retry_after_s
        self._slow_s = slow_s

    async def send(self, message: Outgoing) -> str:
        """See `Platform.send`."""
        seen = Seen("send", message.session, message.key, text=message.text)
        return await self._under_fault(seen, lambda: self.server.post(message))

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """See `Platform.edit`."""
        seen = Seen("edit", session, message_id=message_id, text=text)
        await self._under_fault(seen, lambda: self.server.edit(session, message_id, text, choices))

    async def find(self, message: Outgoing) -> str | None:
        """See `Platform.find`."""
        seen = Seen("find", message.session, message.key, text=message.text)
        return await self._under_fault(seen, lambda: self.server.find(message.session, message.key))

    async def typing(self, session: SessionKey) -> None:
        """See `ports.Typing`. A server remembers nothing of it."""
        self.typed.append(session)
        self.on_typing(session)

    async def run(self, door: Door) -> None:
        """Hand over what persons say, and acknowledge it once it is on disk."""
        if self.misconfigured is not None:
            raise MisconfiguredError(self.misconfigured)
        loop = asyncio.get_running_loop()
        rang = asyncio.Event()
        silence = self.server.on_update(lambda: loop.call_soon_threadsafe(rang.set))
        door.connected()
        try:
            while True:
                rang.clear()
                if await self._hand_over(door):
                    await rang.wait()
                else:
                    await asyncio.sleep(ASK_AGAIN_S)
        finally:
            silence()
            door.disconnected("the wire was closed")

    async def _hand_over(self, door: Door) -> bool:
        for inbound in self.server.unacknowledged():
            if (inbound.key.platform, inbound.key.account) != (self.name, self.account):
                continue
            try:
                await door.accept(inbound)
            except RefusedError:
                self.server.acknowledge(inbound)
            except BusyError:
                return False
            else:
                self.server.acknowledge(inbound)
        return True

    async def _under_fault(self, seen: Seen, effect: Callable[[], T]) -> T:
        self.calls.append(seen)
        fault = self.faults.popleft() if self.faults else self.choose(seen)
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        try:
            if fault is Fault.REFUSED:
                self.server.refused.add(seen)
            await self._fail_before(fault)
            if fault is Fault.LATE:
                self.later(partial(self._come_late, seen, effect))
                raise ConnectionResetError("the connection broke")
            result = effect()
            await self._fail_after(fault)
            return result
        finally:
            self.in_flight -= 1

    def _come_late(self, seen: Seen, effect: Callable[[], object]) -> None:
        """Nobody hears any more whether it could be done. What was refused for ever meanwhile is refused now, too."""
        if seen not in self.server.refused:
            with suppress(SendRefusedError, TargetGoneError):
                effect()

    async def _fail_before(self, fault: Fault | None) -> None:
        await asyncio.sleep(self._slow_s if fault is Fault.SLOW else 0)
        match fault:
            case Fault.HANGS_BEFORE:
                await asyncio.Event().wait()
            case Fault.BREAKS_BEFORE:
                raise ConnectionResetError("the connection broke")
            case Fault.NOT_SENT:
                raise NotSentError("503 service unavailable")
            case Fault.RETRY_LATER:
                raise RetryLaterError(self._retry_after_s)
            case Fault.REFUSED:
                raise SendRefusedError("403 the chat is gone")
            case Fault.GONE:
                raise TargetGoneError("404 no such message")
            case Fault.EXITS:
                raise SystemExit(1)
            case _:
                pass

    async def _fail_after(self, fault: Fault | None) -> None:
        match fault:
            case Fault.HANGS_AFTER:
                await asyncio.Event().wait()
            case Fault.BREAKS_AFTER:
                raise ConnectionResetError("the connection broke")
            case _:
                pass


def _call_later(effect: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(LATE_S / 2, effect)
