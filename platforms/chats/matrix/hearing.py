"""What is heard in a room, on its way to the door: whom it is for, where it belongs, what came with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import assert_never

from mautrix.errors import MatrixError, MatrixRequestError
from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.model import Attachment, Inbound, Receipt, SessionKey
from greenroom.actors.ports import BusyError, Door, RetryLaterError
from greenroom.actors.session_key import InvalidKeyError
from greenroom.platforms.chats.addressing import is_addressed, place
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.handing import insist, offer
from greenroom.platforms.chats.matrix.codec import (
    Room,
    addressed,
    edited,
    edited_inbound,
    plain_content,
    removed_inbound,
    said_inbound,
    transaction_of,
)
from greenroom.platforms.chats.matrix.errors import SIGNED_OUT, describe, is_passing
from greenroom.platforms.chats.matrix.events import (
    MESSAGE,
    Echo,
    Edited,
    File,
    Member,
    Moved,
    Removed,
    Said,
    Sealed,
    is_removed,
    read_event,
    sender_of,
)
from greenroom.platforms.chats.matrix.following import follow
from greenroom.platforms.chats.matrix.homeserver import Homeserver
from greenroom.platforms.chats.matrix.own import OwnMessages, Recent
from greenroom.platforms.chats.matrix.receiving import Item
from greenroom.platforms.chats.matrix.settings import MatrixSettings
from greenroom.platforms.chats.matrix.sync import Invited, is_welcome

logger = logging.getLogger("greenroom.platform.matrix")

SEALED = "I cannot read encrypted messages. Please invite me into a room without encryption."
ROOMS_MAX = 1_000
"""Rooms whose members are remembered."""

BUSY_MOST_S = 5.0
INVITED_TRIES = 8
"""How often it is tried to come: a room's own server may be gone for good."""


class Taken(Struct, frozen=True):
    """Where a message went, and who wrote it: nobody else can make it say something else."""

    key: SessionKey
    sender: str


class Hearing:
    """Takes what is heard to the door, on one signed-in device."""

    def __init__(
        self,
        server: Homeserver,
        door: Door,
        settings: MatrixSettings,
        own: OwnMessages,
        taken: Recent[tuple[str, str], Taken],
        save: Callable[[File], Awaitable[Attachment]],
    ) -> None:
        """`taken` remembers, by room and event, where each message went; `save` fetches a file that was sent."""
        self._server, self._door, self._settings = server, door, settings
        self._own, self._taken, self._save = own, taken, save
        self._rooms: Recent[str, Room | None] = Recent(ROOMS_MAX)
        self._sealed: set[str] = set()

    async def take(self, room: str, item: Item) -> None:
        """Return when it is on disk, or nothing that is to be. Waits out what passes; invitations do not for ever."""
        backoff = Backoff()
        for tries in count(1):
            asked_s = 0.0
            try:
                return await self._take(room, item)
            except RetryLaterError as limited:
                asked_s = limited.retry_after_s
            except SIGNED_OUT:  # Who receives hears of it as well, ends this, and comes again with it.
                pass
            except (MatrixError, OSError) as error:
                if not is_passing(error) or (isinstance(item, Invited | Moved) and tries >= INVITED_TRIES):
                    logger.warning("an event of %s is left out: %s", room, describe(error))
                    return None
            await asyncio.sleep(max(asked_s, backoff.next_s()))
        return None

    async def _take(self, room: str, item: Item) -> None:
        match item:
            case Said():
                await self._take_said(room, item)
            case Edited():
                await self._take_edited(room, item)
            case Removed():
                await self._take_removed(room, item)
            case Sealed():
                await self._tell_sealed(room)
            case Member():
                self._rooms.put(room, None)
            case Moved():
                await follow(self._server, room, item, self._settings.invites)
            case Invited():
                await self._answer_invitation(room, item)
            case Echo():
                pass
            case _:
                assert_never(item)

    async def _take_said(self, room: str, said: Said) -> SessionKey | None:
        """Take it if it is for us; the conversation whose message it is, if the door refuses it: it may be known."""
        spoken = await self._to_us(room, said)
        if spoken is None:
            return None
        key, said, people = spoken
        attached = await self._saved(key, said.file)
        self._taken.put((room, said.event_id), Taken(key, said.sender))
        receipt = await self._accept(said_inbound(said, key, people, attached))
        return key if receipt is None else None

    async def _to_us(self, room: str, said: Said) -> tuple[SessionKey, Said, Room] | None:
        """Name the conversation of a message, if it is for us."""
        people = await self._people(room)
        spoken, said = addressed(said, self._server.user, people)
        if not is_addressed(spoken, self._settings.listening) and not await self._is_ours(room, said.reply_to):
            return None
        try:
            key = place(
                platform="matrix",
                account=self._settings.account,
                chat=room,
                thread=said.thread,
                user=said.sender,
                per=self._settings.sessions_per,
                direct=spoken.direct,
            )
        except InvalidKeyError as error:
            logger.warning("a message in %s is left out: %s", room, error)
            return None
        return key, said, people

    async def _is_ours(self, room: str, event_id: str | None) -> bool:
        if event_id is None:
            return False
        if self._own.is_there(room, event_id) is not None:
            return True
        raw = await self._event(room, event_id)
        return raw is not None and sender_of(raw) == self._server.user

    async def _take_edited(self, room: str, edit: Edited) -> None:
        """Take it to where the message went; if that is forgotten, the message itself tells.

        It counts only of the message's own author and in its own room, which no server looks at for us: see "Validity
        of replacement events" in the Matrix specification. An edit by which a message becomes one for us makes it a
        message.
        """
        known = self._taken.get((room, edit.target)) or await self._look_up(room, edit.target)
        if known is None or known.sender != edit.sender:
            logger.info("%s: %s is left out, it edits nothing that its author said here", room, edit.event_id)
            return
        key = known.key if isinstance(known, Taken) else await self._key_of(room, known)
        if key is None and isinstance(known, Said):  # Unless an edit before this one, and a restart, made it one.
            key = await self._take_said(room, replace(known, text=edit.text, mentions=edit.mentions, file=edit.file))
        if key is not None:
            people = await self._people(room)
            attached = await self._saved(key, edit.file)
            await self._accept(edited_inbound(edited(edit, self._server.user, people), key, people, attached))

    async def _take_removed(self, room: str, removed: Removed) -> None:
        """Take it to where the message went. Who may remove what others wrote, the server knows."""
        known = self._taken.get((room, removed.target)) or await self._look_up(room, removed.target)
        if known is not None:
            key = known.key if isinstance(known, Taken) else await self._key_of(room, known)
            if key is not None:
                await self._accept(removed_inbound(removed, key, await self._people(room)))

    async def _look_up(self, room: str, event_id: str) -> Said | None:
        """Ask the server for a message of somebody else.

        A removed one tells nothing any more: with one person alone it was said there, else it is left out.
        """
        raw = await self._event(room, event_id)
        if raw is None:
            return None
        said = read_event(raw, self._server.user)
        removed = raw.get("type") == MESSAGE and is_removed(raw) and not isinstance(said, Echo)
        if removed and (await self._people(room)).direct:
            return Said(event_id, sender_of(raw), 0.0, "")
        return said if isinstance(said, Said) else None

    async def _key_of(self, room: str, said: Said) -> SessionKey | None:
        spoken = await self._to_us(room, said)
        return None if spoken is None else spoken[0]

    async def _saved(self, key: SessionKey, file: File | None) -> tuple[Attachment, ...]:
        """Fetch a file, if there is one and its chat is allowed."""
        return () if file is None or not self._door.allows(key) else (await self._save(file),)

    async def _accept(self, inbound: Inbound) -> Receipt | None:
        return await insist(lambda: self._offer(inbound), Backoff(most_s=BUSY_MOST_S), inbound.update_id)

    async def _offer(self, inbound: Inbound) -> Receipt | None:
        """Offer it once. Raises BusyError, also where the door fails in a way that nobody foresaw."""
        try:
            return await offer(self._door, inbound)
        except BusyError:
            raise
        except Exception as error:  # Invariant: the position passes nothing that is neither on disk nor refused.
            logger.exception("%s: %s could not be handed over, and is tried again", inbound.key, inbound.update_id)
            raise BusyError("the door failed") from error

    async def _people(self, room: str) -> Room:
        people = self._rooms.get(room)
        if people is None:
            people = Room(await self._server.names(room))
            self._rooms.put(room, people)
        return people

    async def _event(self, room: str, event_id: str) -> dict[str, object] | None:
        try:
            raw: dict[str, object] = await self._server.event(room, event_id)
        except MatrixRequestError as error:
            if is_passing(error):
                raise
            return None
        return raw if raw.get("room_id") == room else None

    async def _answer_invitation(self, room: str, invited: Invited) -> None:
        inviter = invited.by(self._server.user)
        if is_welcome(room, inviter, self._settings.invites):
            logger.info("%s invites into %s, and is allowed to", inviter, room)
            await self._server.join(room)
        else:
            logger.info("%s invites into %s, and is declined: see `invites` in the configuration", inviter, room)
            await self._server.leave(room)

    async def _tell_sealed(self, room: str) -> None:
        """Say once in a room that it is encrypted: under one transaction, so that a restart does not say it again."""
        if room not in self._sealed:
            self._sealed.add(room)
            with suppress(MatrixRequestError):  # Who may not speak there says nothing.
                await self._server.send(room, plain_content(SEALED), transaction_of(f"sealed {room}"))
