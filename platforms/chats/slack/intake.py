"""From what Slack tells to what is on disk: the same for socket mode and for the Events API.

Whoever brings a payload acknowledges it to Slack when `take` or `insist` has returned, and not before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from greenroom.actors.model import Attachment
from greenroom.actors.ports import Door
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.handing import insist, offer
from greenroom.platforms.chats.slack.backfill import Backfill
from greenroom.platforms.chats.slack.codec import (
    Me,
    Rules,
    Told,
    UnreadableError,
    for_us,
    hangs_on_thread,
    named_in,
    read_payload,
    session_of,
    to_inbound,
)
from greenroom.platforms.chats.slack.heard import Heard
from greenroom.platforms.chats.slack.lookups import Lookups
from greenroom.platforms.chats.slack.shares import File

Fetch = Callable[[Sequence[File]], Awaitable[tuple[Sequence[Attachment], Sequence[str]]]]
"""Brings files to where the agent can read them, and says which it could not bring. Raises BusyError."""

logger = logging.getLogger("greenroom.platform.slack")


class Intake:
    """Takes one chat's messages in their order: while one cannot be stored, those after it wait behind it."""

    def __init__(
        self, door: Door, rules: Rules, me: Me, *, lookups: Lookups, fetch: Fetch, heard: Heard, backfill: Backfill
    ) -> None:
        """Lead to `door`."""
        self._door, self._rules, self._me = door, rules, me
        self._lookups, self._fetch, self._heard, self._backfill = lookups, fetch, heard, backfill
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Return when it needs not come again: it is on disk, refused, or not for us. Raises BusyError."""
        told = self._read(kind, payload)
        if told is not None:
            async with self._turn(told.channel):
                await self._hand_over_all(told)

    async def catch_up(self, channel: str) -> None:
        """Take what was said in a chat while nothing listened. Raises BusyError: to be done again, later."""
        async with self._turn(channel):
            await self._take_missed(channel)

    async def insist(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Do what `take` does, as often as it needs: Slack itself asks only three times more."""
        told = self._read(kind, payload)
        if told is None:
            return
        with self._heard.owing():
            async with self._turn(told.channel):
                await insist(lambda: self._hand_over_all(told), Backoff(), f"a message of {told.channel}")

    def _read(self, kind: str, payload: Mapping[str, Any]) -> Told | None:
        try:
            return read_payload(kind, payload, self._me, self._rules)
        except UnreadableError as wrong:
            logger.warning("left out what Slack told, it cannot be read: %s", wrong)
            return None

    def _turn(self, channel: str) -> asyncio.Lock:
        """The lock of a chat; locks serve who waits in the order of asking."""
        lock = self._turns.get(channel)
        if lock is None:
            lock = self._turns[channel] = asyncio.Lock()
        return lock

    async def _hand_over_all(self, told: Told) -> None:
        """Hand over what came before it and was missed, and then it."""
        await self._take_missed(told.channel)
        await self._hand_over(told)

    async def _take_missed(self, channel: str) -> None:
        if not self._backfill.is_due(channel):
            return
        for event in await self._backfill.missed(channel):
            told = self._read("events_api", {"event": event})
            if told is not None:
                await self._hand_over(told)
        self._backfill.done(channel)

    async def _hand_over(self, told: Told) -> None:
        follows = False
        if told.thread is not None and hangs_on_thread(told, self._rules, self._me):
            follows = await self._lookups.follows(told.channel, told.thread)
        meant = for_us(told, self._rules, self._me, follows=follows)
        if meant is None:
            return
        names = await self._lookups.names({meant.user, *named_in(meant)})
        files = meant.files if self._door.allows(session_of(meant, self._rules)) else ()
        attachments, remarks = await self._fetch(files)
        inbound = to_inbound(meant, self._rules, self._me, names=names, attachments=attachments, remarks=remarks)
        await offer(self._door, inbound)
