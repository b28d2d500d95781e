"""An account on a Matrix home server as a platform."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, NoReturn

from aiohttp import ClientSession

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import (
    Choices,
    Door,
    MisconfiguredError,
    NotSentError,
    Outgoing,
    RetryLaterError,
    TargetGoneError,
    Traits,
)
from greenroom.platforms.chats.addressing import where
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.keepsake import write_whole
from greenroom.platforms.chats.matrix.codec import TEXT_MAX, edit_content, post_content, transaction_of
from greenroom.platforms.chats.matrix.device import Keepsakes, Position, sign_in, signed_out
from greenroom.platforms.chats.matrix.errors import SIGNED_OUT, describe, is_passing, read_failure
from greenroom.platforms.chats.matrix.events import is_removed
from greenroom.platforms.chats.matrix.fetching import fetch
from greenroom.platforms.chats.matrix.hearing import Hearing, Taken
from greenroom.platforms.chats.matrix.homeserver import Homeserver, session
from greenroom.platforms.chats.matrix.intake import Intake
from greenroom.platforms.chats.matrix.own import OwnMessages, Recent
from greenroom.platforms.chats.matrix.receiving import Item, PositionRefusedError, Receiving
from greenroom.platforms.chats.matrix.settings import MatrixSettings
from greenroom.platforms.chats.matrix.sync import read_batch

logger = logging.getLogger("greenroom.platform.matrix")


class MatrixChat:
    """See `ports.Platform`: native keys. The device and the position of the sync are kept in `folder`."""

    name = "matrix"

    def __init__(self, settings: MatrixSettings, folder: Path) -> None:
        """Connect to nothing yet."""
        self.account = settings.account
        self.traits = Traits(
            DeliveryClass.NATIVE_KEY, text_max=TEXT_MAX, edits=True, edit_min_s=settings.edit_every_s, typing=True
        )
        self._settings, self._folder = settings, folder
        self._keepsakes = Keepsakes(folder, settings.account)
        self._own = OwnMessages()
        self._taken: Recent[tuple[str, str], Taken] = Recent()
        self._server: Homeserver | None = None

    # -- receiving -------------------------------------------------------------------------------------------------

    async def run(self, door: Door) -> None:
        """See `Platform.run`. What passes is waited out here; what does not is raised."""
        backoff = Backoff()
        async with session() as opened:
            while True:
                why = await self._until_broken(opened, door, backoff)
                door.disconnected(describe(why))
                asked_s = why.retry_after_s if isinstance(why, RetryLaterError) else 0.0
                await asyncio.sleep(max(asked_s, backoff.next_s()))

    async def _until_broken(self, opened: ClientSession, door: Door, backoff: Backoff) -> Exception:
        """Work until something breaks that passes; what it was."""
        try:
            await self._attend(opened, door, backoff)
        except SIGNED_OUT as error:
            await signed_out(self._settings, self._keepsakes, error)
            return error
        except PositionRefusedError as error:
            raise MisconfiguredError(self._keepsakes.lost(error)) from None
        except Exception as error:  # Invariant: what is not known to pass ends this run; see PlatformActor.
            if not is_passing(error):
                raise
            return error
        finally:
            self._server = None

    async def _attend(self, opened: ClientSession, door: Door, backoff: Backoff) -> NoReturn:
        """Be signed in, and take what happens, until something breaks."""
        server = await sign_in(opened, self._settings, self._keepsakes)
        hearing = Hearing(
            server, door, self._settings, self._own, self._taken, lambda file: fetch(server, self._folder, file)
        )
        intake: Intake[Item] = Intake(hearing.take, lambda since: self._advance(server, since))
        try:
            receiving = Receiving(server, self._own, intake, await self._position(server, hearing))
            await receiving.next(at_once=True)  # From here on, what was sent before a crash is known by its key.
            self._server = server
            door.connected()
            while True:
                backoff.succeeded()
                await receiving.next(at_once=False)
        finally:
            await intake.close()

    async def _position(self, server: Homeserver, hearing: Hearing) -> str:
        """Read from where to go on. The first time it is now: what was said before was not said to us."""
        url = self._settings.homeserver
        known = await asyncio.to_thread(self._keepsakes.position, url, server.user)
        if known is not None:
            self._own.recall(known.posted)
            return known.since
        batch = read_batch(await server.sync(None, 0.0))
        for room, invited in batch.rooms.invite.items():
            await hearing.take(room, invited)
        await self._advance(server, batch.next_batch)
        return batch.next_batch

    async def _advance(self, server: Homeserver, since: str) -> None:
        position = Position(self._settings.homeserver, server.user, since, self._own.latest())
        await write_whole(lambda: self._keepsakes.advance(position))

    # -- sending ---------------------------------------------------------------------------------------------------

    async def send(self, message: Outgoing) -> str:
        """See `Platform.send`."""
        server = self._connected()
        if (known := self._own.under(message.key)) is not None:
            return known
        event_id = await self._put(server, message.session, post_content(message), transaction_of(message.key))
        self._own.posted(where(message.session).chat, event_id, message.key)
        return event_id

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:  # noqa: ARG002 - there are no buttons
        """See `Platform.edit`. Each try is a request of its own: words may come again that were shown before others."""
        server = self._connected()
        if not await self._is_there(server, session, message_id):
            raise TargetGoneError(f"{message_id} was removed")
        await self._put(server, session, edit_content(message_id, text))

    async def find(self, message: Outgoing) -> str | None:
        """See `Platform.find`."""
        return self._own.under(message.key)

    async def typing(self, session: SessionKey) -> None:
        """See `ports.Typing`."""
        await self._connected().typing(where(session).chat)

    async def _is_there(self, server: Homeserver, session: SessionKey, message_id: str) -> bool:
        """Ask once for a message that a process before this one posted."""
        room = where(session).chat
        if (known := self._own.is_there(room, message_id)) is not None:
            return known
        try:
            raw = await server.event(room, message_id)
        except Exception as error:  # Invariant: the outbox hears one of the port's errors, or what is ambiguous.
            raise read_failure(error) from None
        self._own.posted(room, message_id)
        if is_removed(raw):
            self._own.removed(room, message_id)
        return not is_removed(raw)

    async def _put(
        self, server: Homeserver, session: SessionKey, content: dict[str, Any], transaction: str | None = None
    ) -> str:
        try:
            return await server.send(where(session).chat, content, transaction)
        except Exception as error:  # Invariant: the outbox hears one of the port's errors, or what is ambiguous.
            raise read_failure(error) from None

    def _connected(self) -> Homeserver:
        if self._server is None:
            raise NotSentError("not connected to the home server")
        return self._server
