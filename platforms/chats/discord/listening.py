"""What one connection hears: whom it is for, in which order it is taken, and what was missed while nobody listened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import discord
from discord.abc import Messageable
from discord.utils import snowflake_time, time_snowflake
from msgspec.structs import replace

from greenroom.actors.ports import Door
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.discord.client import Client
from greenroom.platforms.chats.discord.codec import (
    Account,
    Spot,
    read_deletion,
    read_edit,
    read_message,
    read_press,
    store_of,
)
from greenroom.platforms.chats.discord.progress import Progress
from greenroom.platforms.chats.discord.reading import PAGE, Heard, Past, Reading, Taken
from greenroom.platforms.chats.handing import hand_over

logger = logging.getLogger("greenroom.discord")

RECONNECT_WITHIN_S = 60.0
"""After so long without a connection all is begun anew, with the supervisor's back-off; the library's grows without
measure."""

PRESS_WITHIN_S = 2.5
"""Discord takes the acknowledgement of a press for three seconds, and then tells the person that it failed."""

PRESS_AGAIN_S = 0.3

FOREIGN = (
    "somebody else speaks with this bot's token (message %d): if it is another greenroom, both answer everybody; stop "
    "one of them, or give it a bot of its own"
)


class Listener:
    """See `Ears`. Lives as long as one run of the platform."""

    def __init__(
        self,
        account: Account,
        door: Door,
        progress: Progress,
        taken: Taken,
        *,
        client: Client,
        group: asyncio.TaskGroup,
        now: Callable[[], float],
        store: Callable[[], str | None],
    ) -> None:
        """`store` says which store our own nonces name, once it is known."""
        self._account, self._door, self._progress, self._taken = account, door, progress, taken
        self._client, self._now, self._store = client, now, store
        self._reading = Reading(door, progress, self._fetch, group, taken)
        self._connected, self._disconnected = asyncio.Event(), asyncio.Event()
        self._disconnected.set()
        self._floors: dict[int, int] = {}  # servers that cannot be read for now: up to where they were
        self._complete = self._warned = False

    async def watch(self) -> None:
        """Raise when there was no connection for too long."""
        while True:
            await self._disconnected.wait()
            try:
                async with asyncio.timeout(RECONNECT_WITHIN_S):
                    await self._connected.wait()
            except TimeoutError:
                raise ConnectionError(f"no connection to Discord for {RECONNECT_WITHIN_S:g} s") from None

    def greeted(self) -> None:
        """See `Ears.greeted`."""
        self._progress.begin(time_snowflake(self._moment(0.0)))
        self._complete = False
        self._reading.hold()
        self._turn(connected=True)

    def complete(self) -> None:
        """See `Ears.complete`."""
        self._complete = True
        floor = self._reading.floor
        for number in self._progress.direct:
            self._reading.catch_up(number, floor)
        for guild in self._client.guilds:
            self._catch_up(guild, floor)
        self._reading.go_on()

    def resumed(self) -> None:
        """See `Ears.resumed`."""
        self._turn(connected=True)

    def lost(self) -> None:
        """See `Ears.lost`."""
        self._turn(connected=False)

    def arrived(self, guild: discord.Guild) -> None:
        """See `Ears.arrived`."""
        if self._complete:
            self._catch_up(guild, self._floors.pop(guild.id, self._reading.floor))

    def left(self, guild: discord.Guild) -> None:
        """See `Ears.left`."""
        self._floors[guild.id] = self._progress.upto

    def said(self, message: discord.Message) -> None:
        """See `Ears.said`."""
        if message.author.id == self._account.user_id:
            self._suspect(message)
        heard = self._read(message)
        if heard is not None:
            self._reading.hear(message.channel.id, heard)
        else:
            self._progress.heard(message.id)

    def edited(self, message: discord.Message) -> None:
        """See `Ears.edited`. Whether the message was taken is asked of the door, if we do not know it."""
        edit = read_edit(message, spot_of(message.channel), self._account)
        if edit is None:
            return
        if self._taken.key(message.id) is not None:
            self._reading.hear(message.channel.id, Heard(edit))
        elif snowflake_time(message.id) > self._moment(self._account.backfill_s):
            heard = self._read(message)
            if heard is not None:
                self._reading.hear(message.channel.id, replace(heard, message_id=None))

    def deleted(self, channel: int, message_id: int) -> None:
        """See `Ears.deleted`. Who wrote it is not told, so it is told on only of what is known to have been taken."""
        key = self._taken.key(message_id)
        if key is not None:
            self._reading.hear(channel, Heard(read_deletion(key, message_id)))

    async def pressed(self, interaction: discord.Interaction) -> None:
        """See `Ears.pressed`. Acknowledged once it is on disk; if that takes too long, Discord says that it failed."""
        data: Mapping[str, Any] = interaction.data or {}
        custom_id = data.get("custom_id")
        if interaction.type is not discord.InteractionType.component or not isinstance(custom_id, str):
            return
        key = spot_of(interaction.channel).key(self._account, interaction.user.id)
        press = read_press(interaction.id, custom_id, key, interaction.user.display_name, interaction.message)
        if press is None:
            return
        try:
            async with asyncio.timeout(PRESS_WITHIN_S):
                await hand_over(self._door, press, Backoff(PRESS_AGAIN_S, PRESS_AGAIN_S))
                await interaction.response.defer()
        except (discord.DiscordException, aiohttp.ClientError, OSError) as unheard:
            logger.info("press %d was not acknowledged: %s", interaction.id, unheard)

    def _turn(self, *, connected: bool) -> None:
        if connected:
            self._disconnected.clear()
            self._connected.set()
            self._door.connected()
        else:
            self._connected.clear()
            self._disconnected.set()
            self._door.disconnected("the connection to Discord broke")

    def _moment(self, ago_s: float) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC) - timedelta(seconds=ago_s)

    def _catch_up(self, guild: discord.Guild, floor: int) -> None:
        for channel in readable(guild):
            if (channel.last_message_id or 0) > floor:
                self._reading.catch_up(channel.id, floor)

    async def _fetch(self, number: int, after: int) -> AsyncIterator[Past]:
        oldest = max(after, time_snowflake(self._moment(self._account.backfill_s)))
        known = self._client.get_channel(number)
        channel = known if isinstance(known, Messageable) else self._client.get_partial_messageable(number)
        async for message in channel.history(limit=PAGE, after=discord.Object(oldest), oldest_first=True):
            yield Past(message.id, self._read(message))

    def _read(self, message: discord.Message) -> Heard | None:
        try:
            spot = spot_of(message.channel)
            inbound = read_message(message, spot, self._account)
        except Exception:  # Invariant: a message that nobody can read keeps no other from being read.
            logger.exception("message %d cannot be read and is left out", message.id)
            return None
        if inbound is None:
            return None
        return Heard(inbound, message.id, direct=spot.direct, edit=read_edit(message, spot, self._account))

    def _suspect(self, message: discord.Message) -> None:
        """Warn, once, of words that are ours and not from here."""
        store, nonce = self._store(), message.nonce
        if store is not None and isinstance(nonce, str) and store_of(nonce) != store and not self._warned:
            self._warned = True
            logger.error(FOREIGN, message.id)


def spot_of(channel: object) -> Spot:
    """Say where a channel is. Of one that is not known nothing more can be said than its number."""
    if isinstance(channel, discord.Thread):
        return Spot(channel.id, channel.parent_id, my_role=_my_role(channel.guild))
    if isinstance(channel, discord.abc.GuildChannel):
        return Spot(channel.id, my_role=_my_role(channel.guild))
    if isinstance(channel, discord.PartialMessageable):
        return Spot(channel.id, direct=channel.guild_id is None)
    if isinstance(channel, discord.DMChannel | discord.GroupChannel):
        return Spot(channel.id, direct=isinstance(channel, discord.DMChannel))
    raise TypeError(f"this is no place to talk: {channel!r:.200}")


def _my_role(guild: discord.Guild) -> int | None:
    role = guild.self_role
    return None if role is None else role.id


Readable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


def readable(guild: discord.Guild) -> Iterator[Readable]:
    """Name the channels and threads of a server whose past we may read."""
    channels: tuple[Readable, ...] = (
        *guild.text_channels,
        *guild.voice_channels,
        *guild.stage_channels,
        *guild.threads,
    )
    for channel in channels:
        allowed = channel.permissions_for(guild.me)
        if allowed.view_channel and allowed.read_message_history:
            yield channel
