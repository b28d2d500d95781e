"""The door as the ways in see it: whoever is connected listens, and reads first what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from greenroom.actors.model import Inbound, Receipt, SessionKey
from greenroom.actors.ports import Door
from greenroom.platforms.chats.slack.backfill import Backfill
from greenroom.platforms.chats.slack.heard import Heard
from greenroom.platforms.chats.slack.intake import Intake


class Attended:
    """A `Door` that notes when something listens."""

    def __init__(self, door: Door, heard: Heard, backfill: Backfill, intake: Intake) -> None:
        """Lead to `door`."""
        self._door, self._heard, self._backfill, self._intake = door, heard, backfill, intake
        self._sweeping: asyncio.Task[None] | None = None

    async def accept(self, inbound: Inbound) -> Receipt:
        """See `Door.accept`."""
        return await self._door.accept(inbound)

    def allows(self, session: SessionKey) -> bool:
        """See `Door.allows`."""
        return self._door.allows(session)

    def connected(self) -> None:
        """See `Door.connected`. After a gap the histories are read."""
        since = self._backfill.begin()
        if since is not None:
            self.rest()
            self._sweeping = asyncio.create_task(self._backfill.sweep(since, self._intake.catch_up))
        self._heard.listen(on=True)
        self._door.connected()

    def disconnected(self, why: str) -> None:
        """See `Door.disconnected`."""
        self._heard.listen(on=False)
        self._door.disconnected(why)

    def rest(self) -> None:
        """Read no histories any more; what is not read yet is owed to the next process."""
        if self._sweeping is not None:
            self._sweeping.cancel()


@asynccontextmanager
async def listening(door: Door, heard: Heard, backfill: Backfill, intake: Intake) -> AsyncIterator[Attended]:
    """Attend while the block runs."""
    attended = Attended(door, heard, backfill, intake)
    try:
        yield attended
    finally:
        attended.rest()
