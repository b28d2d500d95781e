"""A platform with a hand on it: what passes is counted, and may be stopped for good before any step."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

from msgspec.structs import replace

from greenroom.actors.model import Inbound, Receipt, SessionKey
from greenroom.actors.ports import Choices, Door, Outgoing, Platform, RefusedError

LATE_S = 0.5
"""How long a request of a process that was killed may still take effect: its server is on this machine, and awake."""

CLOSE_S = 20.0
"""How long a platform may take to close its connections."""


class Steps:
    """Counts the steps of a wire. From step `stop_at` on nothing goes on, as in a process that was killed there."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.taken = 0
        self.names: list[str] = []
        self.stopped = threading.Event()
        self._stop_at = stop_at

    def stop(self) -> None:
        """Let nothing go on from now on."""
        self._stop_at = 0

    async def take(self, name: str) -> None:
        self.names.append(name)
        self.taken += 1
        if self._stop_at is not None and self.taken >= self._stop_at:
            self.stopped.set()
            await asyncio.Event().wait()


class Wire:
    """A `Platform` around a platform. A step lies before and after whatever is asked of it, or of its door."""

    def __init__(self, platform: Platform, steps: Steps) -> None:
        self.name, self.account = platform.name, platform.account
        self.traits = replace(platform.traits, late_s=min(platform.traits.late_s, LATE_S))
        self.accepted: list[Inbound] = []
        """What the door took, without what it had taken before."""
        self.turned_away: list[Inbound] = []
        self.refusals: deque[Exception] = deque()
        """What the door raises, one a call, before it takes anything."""
        self.connections: deque[str] = deque()
        self.cut = False
        self._platform, self._steps = platform, steps
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[Any] | None = None
        self._over = threading.Event()

    async def run(self, door: Door) -> None:
        self._loop, self._running = asyncio.get_running_loop(), asyncio.current_task()
        self._over.clear()
        try:
            await self._platform.run(_WatchedDoor(door, self, self._steps))
        finally:
            self._over.set()

    def cut_off(self) -> None:
        """Let nothing pass any more, and wait until the platform has closed what it holds open.

        A process that is killed has its sockets closed by the system; here nobody else would do so.
        """
        self.cut = True
        self._steps.stop()
        if self._loop is not None and self._running is not None:
            self._loop.call_soon_threadsafe(self._running.cancel)
            assert self._over.wait(CLOSE_S), f"{self.name} does not end when it is cancelled"

    async def send(self, message: Outgoing) -> str:
        await self._steps.take("before send")
        message_id = await self._platform.send(message)
        await self._steps.take("after send")
        return message_id

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        await self._steps.take("before edit")
        await self._platform.edit(session, message_id, text, choices)
        await self._steps.take("after edit")

    async def find(self, message: Outgoing) -> str | None:
        await self._steps.take("before find")
        found = await self._platform.find(message)
        await self._steps.take("after find")
        return found

    async def typing(self, session: SessionKey) -> None:
        typist: Any = self._platform
        await typist.typing(session)


class _WatchedDoor:
    def __init__(self, door: Door, wire: Wire, steps: Steps) -> None:
        self._door, self._wire, self._steps = door, wire, steps

    async def accept(self, inbound: Inbound) -> Receipt:
        await self._steps.take("before accept")
        if self._wire.refusals:
            raise self._wire.refusals.popleft()
        try:
            receipt = await self._door.accept(inbound)
        except RefusedError:
            self._wire.turned_away.append(inbound)
            raise
        if not receipt.repeated:
            self._wire.accepted.append(inbound)
        await self._steps.take("after accept")
        return receipt

    def allows(self, session: SessionKey) -> bool:
        return self._door.allows(session)

    def connected(self) -> None:
        self._wire.connections.append("connected")
        self._door.connected()

    def disconnected(self, why: str) -> None:
        self._wire.connections.append(why)
        self._door.disconnected(why)
