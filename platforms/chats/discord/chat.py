"""Discord as a platform: a bot in servers, threads and direct chats."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp
import discord

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import Choices, Door, NotSentError, Outgoing, SendRefusedError, Traits
from greenroom.platforms.chats.addressing import where
from greenroom.platforms.chats.discord.client import Client
from greenroom.platforms.chats.discord.codec import (
    PLATFORM,
    TEXT_MAX,
    Account,
    nonce_of,
    store_of,
    write_edit,
    write_message,
)
from greenroom.platforms.chats.discord.listening import Listener
from greenroom.platforms.chats.discord.progress import Progress
from greenroom.platforms.chats.discord.reading import Taken
from greenroom.platforms.chats.discord.refusals import read_ending, read_refusal
from greenroom.platforms.chats.discord.settings import DiscordSettings

TRAITS = Traits(
    # Discord knows a nonce for minutes, and its history shows none: docs/decisions/0016 tells why words come by edits.
    delivery=DeliveryClass.EDIT_ANCHOR,
    text_max=TEXT_MAX,
    edits=True,
    edit_min_s=1.5,
    typing=True,
    buttons=True,
)

SERVERS_WITHIN_S = 2.0
"""How long to wait for one more server to be told of, before what was missed is read."""


class DiscordChat:
    """Implements `Platform`; everything runs on the loop that runs `run`."""

    name = PLATFORM
    traits = TRAITS

    def __init__(
        self,
        settings: DiscordSettings,
        folder: Path,
        *,
        now: Callable[[], float] = time.time,
        connector: Callable[[], aiohttp.BaseConnector | None] = lambda: None,
        servers_within_s: float = SERVERS_WITHIN_S,
    ) -> None:
        """Prepare. `folder` keeps how far was heard; `connector` makes what leads to Discord, for each connection."""
        self.account = settings.account
        self._settings, self._now, self._connector = settings, now, connector
        self._servers_within_s = servers_within_s
        self._path = folder / f"{PLATFORM}-{quote(settings.account, safe='')}.json"
        self._client: Client | None = None
        self._taken = Taken()
        self._store: str | None = None
        self._unreadable = False  # the gateway said that we may not read what is written

    async def run(self, door: Door) -> None:
        """Listen until cancelled. What connections end with is raised in our words."""
        try:
            await self._listen(door)
        except BaseExceptionGroup as group:
            first = group.exceptions[0]
            self._unreadable = isinstance(first, discord.PrivilegedIntentsRequired)
            raise (read_ending(first) if isinstance(first, Exception) else first) from None
        except Exception as error:  # Invariant: every end has a reason that its operator can read.
            raise read_ending(error) from None
        finally:
            self._client = None

    async def _listen(self, door: Door) -> None:
        client = Client(
            connector=self._connector(), proxy=self._settings.proxy, servers_within_s=self._servers_within_s
        )
        progress = Progress(self._path)
        async with client:
            await client.login(self._settings.token.get_secret_value())
            if self._unreadable and not client.may_read:  # Each vain attempt counts: see SESSIONS_KEPT.
                raise discord.PrivilegedIntentsRequired(None)
            async with progress.kept(), asyncio.TaskGroup() as group:
                listener = Listener(
                    self._whoami(client),
                    door,
                    progress,
                    self._taken,
                    client=client,
                    group=group,
                    now=self._now,
                    store=lambda: self._store,
                )
                self._client = client
                group.create_task(client.listen(listener), name="discord gateway")
                group.create_task(listener.watch(), name="discord watch")

    def _whoami(self, client: Client) -> Account:
        if client.user is None:
            raise ConnectionError("Discord does not say who we are")
        settings = self._settings
        return Account(
            settings.account,
            client.user.id,
            settings.listening,
            settings.sessions_per,
            settings.bots,
            settings.backfill_h * 3600,
        )

    async def send(self, message: Outgoing) -> str:
        """Post it under its nonce. What Discord was given minutes ago it knows, and answers with that."""
        self._store = store_of(nonce_of(message.key))
        with _translated():
            return await self._wire().post(_channel(message.session), write_message(message))

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        with _translated():
            await self._wire().patch(_channel(session), message_id, write_edit(text, choices))

    async def find(self, message: Outgoing) -> str | None:
        """Discord's history shows no nonce. Never called: words come by edits."""
        raise NotImplementedError

    async def typing(self, session: SessionKey) -> None:
        """See `ports.Typing`."""
        await self._wire().show_typing(_channel(session))

    def _wire(self) -> Client:
        if self._client is None:
            raise NotSentError("not connected to Discord")
        return self._client


def _channel(session: SessionKey) -> int:
    """Where to post: a thread is a channel of its own."""
    place = where(session)
    number = place.thread or place.chat
    if not number.isdecimal():
        raise SendRefusedError(f"{number[:40]!r} is no channel of Discord; write its id, a number")
    return int(number)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        translated = read_refusal(error)
        if translated is error:
            raise
        raise translated from error


def make(settings: DiscordSettings, folder: Path) -> DiscordChat:
    """Make the platform that a configuration asks for."""
    return DiscordChat(settings, folder)
