"""Where a room is over and goes on as another: who is followed there. See "Room Upgrades" in the Matrix specification.

Who may end a room its server knows. That is no invitation from everybody, nor does it lead into rooms of others: who
says so must be one whose invitations are accepted, and the new room must say that it goes on for the old one. A room
in which we are already is never left for what is said in another.
"""

from __future__ import annotations

import logging

from mautrix.errors import MatrixRequestError

from greenroom.platforms.chats.matrix.errors import SIGNED_OUT, describe, is_passing
from greenroom.platforms.chats.matrix.events import Moved, predecessor_of
from greenroom.platforms.chats.matrix.homeserver import Homeserver
from greenroom.platforms.chats.matrix.sync import is_welcome

logger = logging.getLogger("greenroom.platform.matrix")

UNWELCOME = "%s goes on as %s, says %s, and is not followed: see `invites` in the configuration"
CLOSED = "%s goes on as %s, which lets nobody in uninvited; invite me there: %s"
NOT_SO = "%s does not go on as %s, whatever %s says: it is not followed"


async def follow(server: Homeserver, room: str, moved: Moved, invites: tuple[str, ...]) -> None:
    """Come into the room as which this one goes on. Raises what passes, and what a signed out device hears."""
    if not is_welcome(room, moved.sender, invites):
        logger.info(UNWELCOME, room, moved.to, moved.sender)
        return
    outside = await _predecessor(server, moved.to)
    if outside not in {None, room}:
        logger.warning(NOT_SO, room, moved.to, moved.sender)
    elif await _came(server, room, moved):
        if outside == room or await _predecessor(server, moved.to) == room:
            logger.info("%s goes on as %s, and is followed: a new conversation begins there", room, moved.to)
        else:
            logger.warning(NOT_SO, room, moved.to, moved.sender)
            await server.leave(moved.to)


async def _came(server: Homeserver, room: str, moved: Moved) -> bool:
    try:
        await server.follow(moved.to, moved.sender.partition(":")[2])
    except MatrixRequestError as error:
        if _is_to_be_raised(error):
            raise
        logger.warning(CLOSED, room, moved.to, describe(error))
        return False
    return True


async def _predecessor(server: Homeserver, room: str) -> str | None:
    """Ask what went on as this room, empty for none; None: who is not in it may not know."""
    try:
        return predecessor_of(await server.created(room)) or ""
    except MatrixRequestError as error:
        if _is_to_be_raised(error):
            raise
        return None


def _is_to_be_raised(error: MatrixRequestError) -> bool:
    return is_passing(error) or isinstance(error, SIGNED_OUT)
