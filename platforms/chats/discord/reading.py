"""Channels are read in order, each on its own: what the gateway tells, and after a gap what a channel's history holds.

Nothing here is acknowledged to Discord, which forgets what it told. So a channel that cannot go on (nothing can be
stored) keeps what it heard, up to a limit; beyond it, it forgets that, too, and reads the history when it can.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable

import discord
from msgspec import Struct

from greenroom.actors.model import Inbound, SessionKey
from greenroom.actors.ports import Door
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.discord.progress import Progress
from greenroom.platforms.chats.handing import hand_over

logger = logging.getLogger("greenroom.discord")

QUEUE_MAX = 100
"""Messages of one channel that wait in memory."""

TAKEN_MAX = 10_000
"""So many are known to have been taken: what becomes of these is told, too."""

PAGE = 100
"""Messages that are read of a history at once; Discord gives no more."""

CATCHING_UP_MAX = 4
"""Channels whose history is read at the same time."""

ASK_AGAIN_S = 1.0
"""How long to wait, at first, before what could not be stored is offered again, or a history is read again."""

ALL = 0
"""Stands for all channels, while it is not known which of them have work to do. No channel has this id."""


class Heard(Struct, frozen=True):
    """Something for us. `message_id`: that of the message itself; None for what happened to one."""

    inbound: Inbound
    message_id: int | None = None
    direct: bool = False
    edit: Inbound | None = None  # how it reads now, if that is not as it was written first


class Past(Struct, frozen=True):
    """A message of a channel's history; `heard` is None if it is not for us."""

    message_id: int
    heard: Heard | None


Fetch = Callable[[int, int], AsyncIterator[Past]]
"""Reads one page of a channel's history after a message, oldest first."""


class Taken:
    """The newest inbound that are on disk, and whose conversation each belongs to. It outlives connections."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, SessionKey] = OrderedDict()

    def __contains__(self, inbound: Inbound) -> bool:
        return inbound.update_id in self._keys

    def add(self, inbound: Inbound) -> None:
        """Remember it."""
        self._keys[inbound.update_id] = inbound.key
        if len(self._keys) > TAKEN_MAX:
            self._keys.popitem(last=False)

    def key(self, message_id: int) -> SessionKey | None:
        """Whose a message is; None if it was not taken, or long ago."""
        return self._keys.get(str(message_id))


class _Channel:
    """What one channel has to do. `done`: the last message that needs nothing more."""

    __slots__ = ("done", "gap", "queue", "working")

    def __init__(self, done: int) -> None:
        self.done = done
        self.gap = False
        self.queue: deque[Heard] = deque()
        self.working = False


class Reading:
    """All channels of one account. Belongs to one loop; each channel that has work has a task in `group`."""

    def __init__(self, door: Door, progress: Progress, fetch: Fetch, group: asyncio.TaskGroup, taken: Taken) -> None:
        self._door, self._progress, self._fetch, self._group, self._taken = door, progress, fetch, group, taken
        self._channels: dict[int, _Channel] = {}
        self._catching_up = asyncio.Semaphore(CATCHING_UP_MAX)
        self._held = False
        self.floor = progress.upto

    def hold(self) -> None:
        """Something may have been missed: begin nothing until `go_on`, when it is known in which channels."""
        self._held = True
        self.floor = self._progress.upto
        self._progress.owe(ALL, self.floor)

    def go_on(self) -> None:
        """Read what there is."""
        self._held = False
        for number, channel in self._channels.items():
            self._start(number, channel)
        self._progress.settle(ALL)

    def catch_up(self, number: int, after: int) -> None:
        """Read what was said in a channel since a message, before all that was heard since."""
        channel = self._channel(number, after)
        channel.gap = True
        self._start(number, channel)

    def hear(self, number: int, heard: Heard) -> None:
        """Take this when its turn comes."""
        before = self._progress.upto if heard.message_id is None else heard.message_id - 1
        channel = self._channel(number, min(before, self.floor) if self._held else before)
        if len(channel.queue) >= QUEUE_MAX:
            channel.queue.clear()
            channel.gap = True
        channel.gap = channel.gap or self._held
        channel.queue.append(heard)
        self._start(number, channel)

    def _channel(self, number: int, done: int) -> _Channel:
        if number not in self._channels:
            self._channels[number] = _Channel(done)
            self._progress.owe(number, done)
        return self._channels[number]

    def _start(self, number: int, channel: _Channel) -> None:
        if self._held or channel.working:
            return
        channel.working = True
        work = self._work(number, channel)
        try:
            self._group.create_task(work, name=f"discord channel {number}")
        except RuntimeError:  # The group is ending. What is heard now is in the history, and read from there.
            work.close()

    async def _work(self, number: int, channel: _Channel) -> None:
        while channel.gap or channel.queue:
            if channel.gap:
                channel.gap = False
                await self._read_history(number, channel)
                continue
            heard = channel.queue.popleft()
            if heard.message_id is None or heard.message_id > channel.done:
                await self._take(number, channel, heard)
        del self._channels[number]
        self._progress.settle(number)

    async def _read_history(self, number: int, channel: _Channel) -> None:
        backoff = Backoff(ASK_AGAIN_S)
        while True:
            try:
                async with self._catching_up:
                    page = [past async for past in self._fetch(number, channel.done)]
            except (discord.Forbidden, discord.NotFound) as refused:
                logger.warning("the history of channel %d cannot be read: %s", number, refused)
                return
            except (discord.DiscordException, OSError, TimeoutError) as error:
                pause_s = backoff.next_s()
                logger.warning("the history of channel %d is read again in %.1f s: %s", number, pause_s, error)
                await asyncio.sleep(pause_s)
                continue
            for past in page:
                await self._pass(number, channel, past)
            if len(page) < PAGE:
                return

    async def _pass(self, number: int, channel: _Channel, past: Past) -> None:
        if past.heard is not None:
            await self._take(number, channel, past.heard)
        self._reach(number, channel, past.message_id)

    async def _take(self, number: int, channel: _Channel, heard: Heard) -> None:
        if heard.direct and self._progress.meet(number):
            await self._progress.save()  # Else nobody would find this chat again.
        known = await self._offer(heard.inbound)
        if heard.edit is not None:
            if known is not False:  # None: it was taken before with other words, or what is said of it is refused, too.
                known = await self._offer(heard.edit)
            if known is not None:
                self._taken.add(heard.edit)  # Else it was taken as it reads now.
        if heard.message_id is not None:
            self._reach(number, channel, heard.message_id)

    async def _offer(self, inbound: Inbound) -> bool | None:
        """Take it to the door; whether it was there before, None if it may not come in."""
        if inbound in self._taken:
            return True
        receipt = await hand_over(self._door, inbound, Backoff(ASK_AGAIN_S))
        if receipt is None:
            return None
        self._taken.add(inbound)
        return receipt.repeated

    def _reach(self, number: int, channel: _Channel, message_id: int) -> None:
        channel.done = max(channel.done, message_id)
        self._progress.owe(number, channel.done)
