"""From what Telegram tells to what is on disk: the same for long polling and for a webhook.

Whoever brings an update acknowledges it to Telegram when `take` has returned, and not before.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from telegram import Update
from telegram.error import TelegramError

from greenroom.actors.ports import Door
from greenroom.platforms.chats.handing import offer
from greenroom.platforms.chats.telegram.codec import (
    Me,
    Rules,
    Told,
    UnreadableError,
    moved,
    read_update,
    with_files,
)
from greenroom.platforms.chats.telegram.files import Files
from greenroom.platforms.chats.telegram.library import Line
from greenroom.platforms.chats.telegram.moved import Moved

logger = logging.getLogger("greenroom.platform.telegram")


class Intake:
    """Takes one update after another."""

    def __init__(self, door: Door, line: Line, rules: Rules, me: Me, files: Files, groups: Moved) -> None:
        """Lead to `door`."""
        self._door, self._line, self._rules, self._me = door, line, rules, me
        self._files, self._groups = files, groups

    async def take(self, update: Update) -> None:
        """Return when it needs not come again: it is on disk, refused, or not for us. Raises BusyError."""
        try:
            ids = moved(update)
            told = read_update(update, self._me, self._rules, self._groups.named)
        except UnreadableError as wrong:
            logger.warning("left out what Telegram told, update %s cannot be read: %s", update.update_id, wrong)
            return
        if ids is not None:
            await self._groups.learn(*ids)
        elif told is not None:
            await self._hand_over(told)
        elif update.callback_query is not None:
            await self._answer(update.callback_query.id)

    async def _hand_over(self, told: Told) -> None:
        inbound = told.inbound
        if told.files and self._door.allows(inbound.key):
            inbound = with_files(inbound, *await self._files.fetch(told.files))
        await offer(self._door, inbound)
        if told.press is not None:
            await self._answer(told.press)

    async def _answer(self, press: str) -> None:
        """Let the button rest. That it was pressed is on disk, and whether it looks so is not worth a repeat."""
        with suppress(TelegramError):
            await self._line.bot.answer_callback_query(press)
