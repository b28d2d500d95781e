"""The device as which an account is signed in: a server knows a repeated request again only from the same device.

Who signs in by password keeps the device's name and its token in a file beside the database that only its owner can
read. The name is on disk before the first sign-in: whatever dies in between, it is the same device the next time.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

from aiohttp import ClientSession
from mautrix.errors import MatrixRequestError, MForbidden
from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.ports import MisconfiguredError
from greenroom.platforms.chats.keepsake import Keepsake, write_whole
from greenroom.platforms.chats.matrix.errors import SIGNED_OUT, describe, is_passing
from greenroom.platforms.chats.matrix.homeserver import Homeserver
from greenroom.platforms.chats.matrix.settings import MatrixSettings

logger = logging.getLogger("greenroom.platform.matrix")


class Device(Struct, frozen=True):
    """What the file holds. `token` is None before the first sign-in, and when the server knows it no more."""

    homeserver: str
    user: str
    device: str
    token: str | None = None


class Position(Struct, frozen=True):
    """Up to where all that a user was sent is on disk, and our newest messages up to there, by their keys."""

    homeserver: str
    user: str
    since: str
    posted: dict[str, str] = {}


class Keepsakes:
    """The files of one account beside the database, each 0600 and replaced whole."""

    def __init__(self, folder: Path, account: str) -> None:
        """`account` is made fit for a file's name."""
        name = f"matrix-{quote(account, safe='')}"
        self._device = Keepsake(
            folder / f"{name}.device.json",
            Device,
            without="a new device signs in, and what was being said in that moment may be seen twice",
        )
        self._position = Keepsake(
            folder / f"{name}.sync.json", Position, without="only what is said from now on is heard"
        )

    def device(self, homeserver: str, user: str) -> Device:
        """Read the device of this user; a new one, kept at once, if there is none."""
        kept = self._device.read()
        if kept is None or (kept.homeserver, kept.user) != (homeserver, user):
            kept = Device(homeserver, user, f"GREENROOM{token_hex(5).upper()}")
            self.keep(kept)
        return kept

    def lost(self, error: Exception) -> str:
        """Say what to do where a server refuses to go on from the position."""
        words = f"the home server does not go on from where it was left: {error}"
        return (
            f"{words}; if it was set up anew, remove {self._position.path}, and only what is said from then on is heard"
        )

    def keep(self, device: Device) -> None:
        """Remember it."""
        self._device.write(device)

    def position(self, homeserver: str, user: str) -> Position | None:
        """Read up to where this user's events are on disk; None if nothing is known."""
        kept = self._position.read()
        return kept if kept is not None and (kept.homeserver, kept.user) == (homeserver, user) else None

    def advance(self, position: Position) -> None:
        """Remember it. Everything before it is committed, or will come again from the position before."""
        self._position.write(position)


async def sign_in(session: ClientSession, settings: MatrixSettings, keepsakes: Keepsakes) -> Homeserver:
    """Be signed in on the account's device. Raises MisconfiguredError, or what passes."""
    try:
        if settings.token is not None:
            return await _by_token(session, settings, settings.token.get_secret_value())
        return await _by_password(session, settings, keepsakes)
    except MatrixRequestError as error:
        if is_passing(error):
            raise
        words = f"{settings.homeserver} says {describe(error)}; is it the address of a Matrix home server?"
        raise MisconfiguredError(words) from None


async def _by_token(session: ClientSession, settings: MatrixSettings, token: str) -> Homeserver:
    try:
        user, device = await Homeserver(session, settings.homeserver, token=token).whoami()
    except SIGNED_OUT as error:
        raise MisconfiguredError(refused_token(settings, error)) from None
    if settings.user not in {None, user}:
        raise MisconfiguredError(f"the token of {settings.user} belongs to {user}; write the right one, or no user")
    if not device:
        logger.warning("the token of %s belongs to no device: what is sent twice after a crash may be seen twice", user)
    return Homeserver(session, settings.homeserver, token=token, user=user, device=device)


async def _by_password(session: ClientSession, settings: MatrixSettings, keepsakes: Keepsakes) -> Homeserver:
    assert settings.user is not None  # noqa: S101 - the settings see to it
    assert settings.password is not None  # noqa: S101 - the same
    device = await asyncio.to_thread(keepsakes.device, settings.homeserver, settings.user)
    if device.token is None:
        asking = Homeserver(session, settings.homeserver, user=device.user, device=device.device)
        try:
            token = await asking.login(settings.password.get_secret_value())
        except (MForbidden, *SIGNED_OUT) as error:
            words = f"{settings.homeserver} refuses {settings.user}: {describe(error)}; mend user or password"
            raise MisconfiguredError(words) from None
        device = replace(device, token=token)
        await write_whole(lambda: keepsakes.keep(device))
    return Homeserver(session, settings.homeserver, token=device.token or "", user=device.user, device=device.device)


async def signed_out(settings: MatrixSettings, keepsakes: Keepsakes, error: Exception) -> None:
    """Forget a token that the server knows no more: the same device signs in anew. Raises MisconfiguredError."""
    if settings.token is not None or settings.user is None:
        raise MisconfiguredError(refused_token(settings, error)) from None
    device = await asyncio.to_thread(keepsakes.device, settings.homeserver, settings.user)
    await write_whole(lambda: keepsakes.keep(replace(device, token=None)))


def refused_token(settings: MatrixSettings, error: Exception) -> str:
    """Say what is wrong with a token that was given."""
    return f"{settings.homeserver} refuses the token: {describe(error)}; sign in anew, and write the new token"
