"""From what Telegram tells to what is on disk: the same for long polling and for a webhook.

Whoever brings an update acknowledges it to Telegram when `take` has returned, and not before.
"""

from __future__ import annotations

import logging
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
    moved,
    read_update,
    says_same,
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

    async def take(self, update: Update) -> None:
        """Return when it needs not come again: it is on disk, refused, or not for us. Raises BusyError."""
        try:
            ids = moved(update)
            told = self._read(update)
        except UnreadableError as wrong:
            logger.warning("left out what Telegram told, update %s cannot be read: %s", update.update_id, wrong)
            return
        if ids is not None:
            await self._groups.learn(*ids)
        elif told is not None and told.inbound.change is not None:
            await self._take_edit(told)
        elif told is not None:
            await self._take_message(told)
        elif update.callback_query is not None:
            await self._answer(update.callback_query.id)

    def _read(self, update: Update) -> Told | None:
        """Read what is for us. What became of a message that was taken is, whatever it says."""
        told = read_update(update, self._me, self._all, self._groups.named)
        if told is None or self._taken.find(told) is not None:
            return told
        return read_update(update, self._me, self._rules, self._groups.named)

    async def _take_message(self, told: Told) -> None:
        receipt = await self._offer(told)
        if told.press is not None:
            await self._answer(told.press)
        elif receipt is not None:
            self._taken.add(told)

    async def _take_edit(self, told: Told) -> None:
        """Take an edit, or the message that it made. One that changed no words is none: a reaction looks like that."""
        before, receipt = self._taken.find(told), None
        if before is not None and says_same(before, told):
            return
        if before is None and told.anew is not None:
            receipt = await self._offer(replace(told, inbound=told.anew))
        if receipt is None:  # It was taken before, with other words.
            receipt = await self._offer(told)
        if receipt is not None:
            self._taken.add(told)

    async def _offer(self, told: Told) -> Receipt | None:
        inbound = told.inbound
        if told.files and self._door.allows(inbound.key):
            inbound = with_files(inbound, *await self._files.fetch(told.files))
        return await offer(self._door, inbound)

    async def _answer(self, press: str) -> None:
        """Let the button rest. That it was pressed is on disk, and whether it looks so is not worth a repeat."""
        with suppress(TelegramError):
            await self._line.bot.answer_callback_query(press)
