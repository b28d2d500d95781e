"""From what Telegram tells to what is on disk: the same for long polling and for a webhook.

Whoever brings an update acknowledges it to Telegram when `take` has returned, and not before.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import replace
from telegram import Update
from telegram.error import TelegramError

from greenroom.actors.model import Receipt
from greenroom.actors.ports import Door
from greenroom.platforms.chats.addressing import Listening
from greenroom.platforms.chats.handing import offer
from greenroom.platforms.chats.telegram.codec import (
    Me,
    Rules,
    Told,
    UnreadableError,
    edit_of,
    moved,
    read_update,
    same_message,
    says_same,
    together,
    with_files,
)
from greenroom.platforms.chats.telegram.files import Files
from greenroom.platforms.chats.telegram.library import Line
from greenroom.platforms.chats.telegram.moved import Moved
from greenroom.platforms.chats.telegram.taken import Taken

logger = logging.getLogger("greenroom.platform.telegram")


class Intake:
    """Takes one update after another."""

    def __init__(self, door: Door, line: Line, rules: Rules, me: Me, files: Files, groups: Moved, taken: Taken) -> None:
        """Lead to `door`."""
        self._door, self._line, self._rules, self._me = door, line, rules, me
        self._files, self._groups, self._taken = files, groups, taken
        self._all = replace(rules, listening=Listening.ALL)

    async def take(self, updates: Sequence[Update]) -> None:
        """Take one update, or all items of an album, which are one message. Raises BusyError.

        Return when they need not come again: they are on disk, refused, or not for us.
        """
        update = updates[0]
        try:
            ids = moved(update)
            items = self._read(updates)
        except UnreadableError as wrong:
            logger.warning("left out what Telegram told, update %s cannot be read: %s", update.update_id, wrong)
            return
        if ids is not None:
            await self._groups.learn(*ids)
        elif items and items[0].inbound.change is not None:
            await self._take_edit(items[0])
        elif items:
            await self._take_message(items)
        elif update.callback_query is not None:
            await self._answer(update.callback_query.id)

    def _read(self, updates: Sequence[Update]) -> tuple[Told, ...]:
        """Read what is for us. What became of a message that was taken is, whatever it says, and so is its album."""
        read = [read_update(update, self._me, self._all, self._groups.named) for update in updates]
        items = tuple(told for told in read if told is not None)
        if any(self._taken.knows(told) for told in items):
            return items
        ours = (read_update(update, self._me, self._rules, self._groups.named) for update in updates)
        return items if any(told is not None for told in ours) else ()

    async def _take_message(self, items: Sequence[Told]) -> None:
        told = together(items)
        receipt = await self._offer(told)
        if told.press is not None:
            await self._answer(told.press)
        elif receipt is not None:
            self._taken.add(items)

    async def _take_edit(self, told: Told) -> None:
        """Take an edit, or the message that it made. One that changed no words is none: a reaction looks like that."""
        before, receipt = self._taken.find(told), None
        now = tuple(told if same_message(each, told) else each for each in before) or (told,)
        if before and says_same(together(before), together(now)):
            return
        if not before and told.anew is not None:
            receipt = await self._offer(replace(told, inbound=told.anew))
        if receipt is None:  # It was taken before, with other words.
            receipt = await self._offer(edit_of(now, told))
        if receipt is not None:
            self._taken.add(now)

    async def _offer(self, told: Told) -> Receipt | None:
        inbound = told.inbound
        if told.files and self._door.allows(inbound.key):
            inbound = with_files(inbound, *await self._files.fetch(told.files))
        return await offer(self._door, inbound)

    async def _answer(self, press: str) -> None:
        """Let the button rest. That it was pressed is on disk, and whether it looks so is not worth a repeat."""
        with suppress(TelegramError):
            await self._line.bot.answer_callback_query(press)
