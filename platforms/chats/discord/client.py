"""The library's client, as a wire: it tells `Ears` what it hears, keeps nothing, and sends what it is given."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import aiohttp
import discord
from discord.http import Route

logger = logging.getLogger("greenroom.discord")

RATE_WAIT_MAX_S = 30.0
"""Longest time for which a rate limit is waited out inside a call, and so by its channel alone: the library takes no
less. Whatever is longer goes to the outbox, which then leaves the whole account alone."""

SESSIONS_KEPT = 20
"""So many of the thousand connections that a bot may begin in a day are left alone: Discord resets the token of who
begins more."""

CANCEL_AGAIN_S = 0.2
"""How long to wait for what was cancelled before it is cancelled again."""


class Ears(Protocol):
    """What is told of the gateway. Nothing here waits, but for a press."""

    def greeted(self) -> None:
        """A new session began: whatever was said before it is not told any more."""

    def complete(self) -> None:
        """All servers are known, and with them their channels."""

    def resumed(self) -> None:
        """The session before goes on: nothing was missed."""

    def lost(self) -> None:
        """The connection broke."""

    def arrived(self, guild: discord.Guild) -> None:
        """A server can be read (again)."""

    def left(self, guild: discord.Guild) -> None:
        """A server cannot be read for now."""

    def said(self, message: discord.Message) -> None:
        """Somebody wrote; it may be we."""

    def edited(self, message: discord.Message) -> None:
        """A message is another, or has a preview now."""

    def deleted(self, channel: int, message_id: int) -> None:
        """A message is gone."""

    async def pressed(self, interaction: discord.Interaction) -> None:
        """A button was pressed."""


class Client(discord.Client):
    """Knows servers and channels, but no members, no messages, and no commands."""

    def __init__(self, *, connector: aiohttp.BaseConnector | None, proxy: str | None, servers_within_s: float) -> None:
        """`servers_within_s`: how long to wait for one more server to be told of."""
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # We say nothing aloud, and miss nothing.
        super().__init__(
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=servers_within_s,
            max_ratelimit_timeout=RATE_WAIT_MAX_S,
            connector=connector,
            proxy=proxy,
        )
        self._ears: Ears | None = None

    @property
    def ears(self) -> Ears:
        """Who is told."""
        if self._ears is None:
            raise RuntimeError("nobody listens yet")
        return self._ears

    async def listen(self, ears: Ears) -> None:
        """Tell `ears` what is heard, until cancelled. Raises what only a new beginning, or a person, can cure."""
        self._ears = ears
        _, _, limit = await self.http.get_bot_gateway()
        if limit["remaining"] <= SESSIONS_KEPT:
            wait = f"it gives more in {limit['reset_after'] / 60_000:.0f} min"
            raise ConnectionError(f"Discord lets this bot begin {limit['remaining']} more connections, {wait}")
        connecting = asyncio.create_task(self.connect(), name="discord connection")
        try:
            await asyncio.wait({connecting})
            connecting.result()
            raise ConnectionError("the connection to Discord was closed")
        finally:
            while not connecting.done():  # Python 3.11's wait_for, in the library, can lose a cancellation.
                connecting.cancel()
                await asyncio.wait({connecting}, timeout=CANCEL_AGAIN_S)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Tell of nothing more once it is closed: the library tries to, and has no loop left to do it on."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    @property
    def may_read(self) -> bool:
        """Whether the bot's owner has switched on that it may read what is written, as Discord said at the login."""
        flags = self.application_flags
        return flags.gateway_message_content or flags.gateway_message_content_limited

    async def post(self, channel: int, body: dict[str, Any]) -> str:
        """Post a message and return its id."""
        posted = await self._ask(Route("POST", "/channels/{channel_id}/messages", channel_id=channel), json=body)
        return str(posted["id"])

    async def patch(self, channel: int, message_id: str, body: dict[str, Any]) -> None:
        """Change a message."""
        path = "/channels/{channel_id}/messages/{message_id}"
        await self._ask(Route("PATCH", path, channel_id=channel, message_id=message_id), json=body)

    async def show_typing(self, channel: int) -> None:
        """Show for ten seconds that we type."""
        await self._ask(Route("POST", "/channels/{channel_id}/typing", channel_id=channel))

    async def _ask(self, route: Route, **body: Any) -> Any:
        """Make a request that may be given up.

        The library keeps all others waiting while one waits for the end of a limit of the whole account, and would for
        ever if that one is cancelled then. So they go on; who goes on too early is told to wait as that one was.
        """
        try:
            return await self.http.request(route, **body)
        except asyncio.CancelledError:
            self.http._global_over.set()  # noqa: SLF001 - it has no other handle
            raise

    async def on_connect(self) -> None:
        self.ears.greeted()

    async def on_ready(self) -> None:
        self.ears.complete()

    async def on_resumed(self) -> None:
        self.ears.resumed()

    async def on_disconnect(self) -> None:
        self.ears.lost()

    async def on_guild_available(self, guild: discord.Guild) -> None:
        self.ears.arrived(guild)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self.ears.arrived(guild)

    async def on_guild_unavailable(self, guild: discord.Guild) -> None:
        self.ears.left(guild)

    async def on_message(self, message: discord.Message) -> None:
        self.ears.said(message)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        self.ears.edited(event.message)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.ears.deleted(event.channel_id, event.message_id)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        for message_id in event.message_ids:
            self.ears.deleted(event.channel_id, message_id)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        await self.ears.pressed(interaction)

    async def on_error(self, event_method: str, /, *_: Any, **__: Any) -> None:
        """Tell of it; the library goes on. It calls this where it caught the exception."""
        logger.error("%s failed", event_method, exc_info=True)  # noqa: LOG014 - it is called in the library's handler
