"""Fetching the files that people send."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from mautrix.errors import MatrixError

from greenroom.actors.model import Attachment
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.matrix.errors import describe, is_passing
from greenroom.platforms.chats.matrix.events import File
from greenroom.platforms.chats.matrix.homeserver import Homeserver
from greenroom.platforms.chats.saving import TooLargeError, save

logger = logging.getLogger("greenroom.platform.matrix")

TRIES = 4
FETCH_S = 60.0
"""How long one try may take."""


async def fetch(server: Homeserver, folder: Path, file: File) -> Attachment:
    """Fetch a file into `folder`. One that cannot be had comes as its address alone: the message counts without it."""
    backoff = Backoff()
    for _ in range(TRIES):
        try:
            async with asyncio.timeout(FETCH_S):
                return await save(
                    folder,
                    file.url,
                    server.download(file.url),
                    media_type=file.media_type,
                    name=file.name,
                    size=file.size,
                )
        except (MatrixError, OSError, ValueError, TooLargeError) as error:
            logger.warning("%s is not fetched: %s", file.url, describe(error))
            if not is_passing(error):
                break
        await asyncio.sleep(backoff.next_s())
    return Attachment(file.url, file.media_type, None, file.name)
