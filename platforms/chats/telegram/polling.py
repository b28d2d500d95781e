"""Long polling: updates are asked for, and whoever asks for the ones after them has acknowledged them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from telegram import Bot, Update
from telegram.error import Conflict

from greenroom.actors.ports import BusyError, Door, MisconfiguredError
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.telegram.albums import ALBUM_S, bundle, done_upto, may_go_on
from greenroom.platforms.chats.telegram.codec import WANTED
from greenroom.platforms.chats.telegram.intake import Intake
from greenroom.platforms.chats.telegram.troubles import TWO_POLLERS, TooManyError

POLL_S = 25
"""How long Telegram holds a request while nothing happens."""

AGAIN_MAX_S = 2.0
"""How long to wait at most before what could not be stored is asked for again, and with it what others say."""

SETTLED_S = 10.0
"""Who has polled alone for so long is not the intruder when another one comes: it goes on, and the other gives way."""

CONFLICTS_MAX = 10
"""So many in a row, with no `SETTLED_S` between two of them, are too many for anybody."""


class Polling:
    """Asks for updates, and hands them over in order.

    Telegram forgets every update before the one that is asked for, so that is never beyond one that is not on disk. A
    chat whose update must come again holds up its own updates, and no other chat's.
    """

    def __init__(
        self,
        bot: Bot,
        intake: Intake,
        *,
        poll_s: int = POLL_S,
        settled_s: float = SETTLED_S,
        album_s: float = ALBUM_S,
    ) -> None:
        self._bot, self._intake = bot, intake
        self._poll_s, self._settled_s, self._album_s = poll_s, settled_s, album_s
        self._gathering: dict[int, tuple[int, float]] = {}
        """By the first update of an album that may go on: how many items there are, and since when."""
        self._offset: int | None = None
        self._beyond: set[int] = set()
        """Updates that are on disk, behind one that is not."""
        self._alone_from = 0.0
        self._conflicts = 0
        self._settled = False

    async def run(self, door: Door) -> None:
        """Receive until cancelled. Raises TelegramError; MisconfiguredError where somebody else polls, too."""
        await self._bot.delete_webhook()  # Where one is set there is nothing to ask for.
        updates = await self._ask(0)
        door.connected()
        self._alone_from = asyncio.get_running_loop().time()
        backoff = Backoff(most_s=AGAIN_MAX_S)
        try:
            while True:
                if await self._take(updates):
                    backoff.succeeded()
                else:
                    await asyncio.sleep(backoff.next_s())
                updates = await self._ask_alone()
        finally:
            door.disconnected("it does not ask for updates any more")

    async def _ask(self, poll_s: int) -> Sequence[Update]:
        return await self._bot.get_updates(offset=self._offset, timeout=poll_s, allowed_updates=WANTED)

    async def _ask_alone(self) -> Sequence[Update]:
        """Ask; nothing, where somebody else came between, or Telegram wants to be left alone for a while."""
        now = asyncio.get_running_loop().time
        try:
            updates = await self._ask(self._poll_s)
        except Conflict:
            alone_s = now() - self._alone_from
            self._settled = self._settled or alone_s >= self._settled_s
            self._conflicts = 1 if alone_s >= self._settled_s else self._conflicts + 1
            self._alone_from = now()
            if not self._settled or self._conflicts > CONFLICTS_MAX:
                raise MisconfiguredError(TWO_POLLERS) from None
            return ()
        except TooManyError as limited:
            await asyncio.sleep(limited.retry_after_s)
            return ()
        return updates

    async def _take(self, updates: Sequence[Update]) -> bool:
        """Hand over what is new; says whether all of it is on disk."""
        held_up: set[int | None] = set()
        bundles = bundle(updates)
        for each in bundles:
            new = tuple(update for update in each.updates if update.update_id not in self._beyond)
            if each.chat in held_up or not new:
                continue
            try:
                if may_go_on(bundles, each):
                    self._wait_for_more(new)
                await self._intake.take(new)
            except BusyError:
                held_up.add(each.chat)
                continue
            self._gathering.pop(new[0].update_id, None)
            self._beyond.update(update.update_id for update in new)
        missing = (place for place, update in enumerate(updates) if update.update_id not in self._beyond)
        done = done_upto(bundles, next(missing, len(updates)))
        for update in updates[:done]:
            self._beyond.discard(update.update_id)
            self._offset = update.update_id + 1
        return done == len(updates)

    def _wait_for_more(self, items: Sequence[Update]) -> None:
        """Raise BusyError while one item more of an album is to be expected."""
        now = asyncio.get_running_loop().time()
        count, since = self._gathering.get(items[0].update_id, (0, now))
        if count != len(items):
            self._gathering[items[0].update_id] = len(items), now
            since = now
        if now - since < self._album_s:
            raise BusyError("more of this album may come")
