"""A stage for chat platforms: a door and a history over one list of rows, as a store would keep them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from greenroom.actors.model import Inbound, InboxId, Receipt, SessionId, SessionKey
from greenroom.actors.ports import Choices, Platform, RefusedError, Shown

WAIT_S = 20.0


class Stage:
    """What a store and its supervisor are to a platform. It outlives the platforms that are put on it."""

    def __init__(self) -> None:
        self.rows: dict[SessionKey, list[Shown]] = {}
        self.accepted: list[Inbound] = []
        self.receipts: dict[str, Receipt] = {}
        self.open_for_business: Exception | None = None
        self.refused = 0
        self.refuse: dict[str, Exception] = {}
        """What the door raises for messages of a chat."""
        self.unreadable: Exception | None = None
        self.connections: asyncio.Queue[str] = asyncio.Queue()
        self.arrived = asyncio.Condition()
        self.owed: set[SessionKey] = set()
        self.looked = asyncio.Event()

    async def accept(self, inbound: Inbound) -> Receipt:
        if self.open_for_business is not None:
            self.refused += 1
            raise self.open_for_business
        if inbound.key.chat in self.refuse:
            raise self.refuse[inbound.key.chat]
        if (known := self.receipts.get(inbound.update_id)) is not None:
            if (inbound.key, inbound.text) != (known.key, self.accepted[known.inbox_id - 1].text):  # As the store does.
                msg = f"update {inbound.update_id!r} was stored before with another text, or from another chat"
                raise RefusedError(msg)
            return replace(known, repeated=True)
        self.accepted.append(inbound)
        receipt = Receipt(InboxId(len(self.accepted)), SessionId(1), inbound.key)
        self.receipts[inbound.update_id] = receipt
        self._put(inbound.key, Shown(inbound.update_id, mine=True, text=inbound.text, at=float(receipt.inbox_id)))
        self.owed.add(inbound.key)
        async with self.arrived:
            self.arrived.notify_all()
        return receipt

    def allows(self, session: SessionKey) -> bool:
        return not isinstance(self.refuse.get(session.chat), RefusedError)

    def connected(self) -> None:
        self.connections.put_nowait("connected")

    def disconnected(self, why: str) -> None:
        self.connections.put_nowait(why)

    async def shown(self, session: SessionKey, last: int) -> Sequence[Shown]:
        if self.unreadable is not None:
            raise self.unreadable
        return self.rows.get(session, [])[-last:]

    async def settled(self, session: SessionKey) -> bool:
        self.looked.set()
        if self.unreadable is not None:
            raise self.unreadable
        return session not in self.owed

    def stored(
        self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None, *, final: bool = True
    ) -> None:
        """Store an answer, as the outbox does before it edits."""
        self._put(session, Shown(message_id, mine=False, text=text, at=100.0, final=final, choices=choices))

    async def until_accepted(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S), self.arrived:
            await self.arrived.wait_for(lambda: len(self.accepted) >= count)

    def _put(self, session: SessionKey, row: Shown) -> None:
        rows = self.rows.setdefault(session, [])
        places = [place for place, known in enumerate(rows) if (known.id, known.mine) == (row.id, row.mine)]
        if places:
            rows[places[0]] = row
        else:
            rows.append(row)


@contextlib.asynccontextmanager
async def running(platform: Platform, stage: Stage) -> AsyncIterator[asyncio.Task[None]]:
    """Run a platform while the block runs, from when it is connected."""
    task = asyncio.create_task(platform.run(stage))
    said = asyncio.create_task(stage.connections.get())
    try:
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait({task, said}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            said.cancel()
            await task
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, said, return_exceptions=True)
