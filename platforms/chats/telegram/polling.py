"""Long polling: updates are asked for, and whoever asks for the ones after them has acknowledged them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from telegram import Bot, Update
from telegram.error import Conflict

from greenroom.actors.ports import BusyError, Door, MisconfiguredError
from greenroom.platforms.chats.backoff import Backoff
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

    def __init__(self, bot: Bot, intake: Intake, *, poll_s: int = POLL_S, settled_s: float = SETTLED_S) -> None:
        self._bot, self._intake = bot, intake
        self._poll_s, self._settled_s = poll_s, settled_s
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
        for update in updates:
            chat = update.effective_chat.id if update.effective_chat is not None else None
            if chat in held_up or update.update_id in self._beyond:
                continue
            try:
                await self._intake.take(update)
            except BusyError:
                held_up.add(chat)
                continue
            self._beyond.add(update.update_id)
        for update in updates:
            if update.update_id not in self._beyond:
                return False
            self._beyond.discard(update.update_id)
            self._offset = update.update_id + 1
        return True
