"""Files that came with a message and need our token to be fetched: kept in `attachments` beside the database.

A file's name there is made of where it came from: fetched again after a crash it takes no second place.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

from greenroom.actors.atomic import replace_file
from greenroom.actors.model import Attachment

FOLDER = "attachments"
FOLDER_MODE = 0o700

BYTES_MAX = 20 * 1024 * 1024
"""Largest file that is fetched."""

_NAME_DIGITS = 32


class TooLargeError(Exception):
    """The file is larger than what is fetched; nothing was kept."""


async def save(
    folder: Path,
    source: str,
    chunks: AsyncIterator[bytes],
    *,
    media_type: str,
    name: str | None = None,
    size: int | None = None,
) -> Attachment:
    """Keep what comes from `source` below the database's folder. Raises TooLargeError, also for what only claims to be.

    `source` names the file among all of its platform; `size` and `name` are what the sender says.
    """
    path = folder / FOLDER / f"{sha256(source.encode()).hexdigest()[:_NAME_DIGITS]}{_suffix(media_type)}"
    kept = await asyncio.to_thread(_size_of, path)
    if kept is None:
        if size is not None and size > BYTES_MAX:
            raise TooLargeError(f"it has {size:,} bytes, the limit is {BYTES_MAX:,}")
        content = bytearray()
        async for chunk in chunks:
            content += chunk
            if len(content) > BYTES_MAX:
                raise TooLargeError(f"it has more than {BYTES_MAX:,} bytes")
        await asyncio.to_thread(_write, path, bytes(content))
        kept = len(content)
    return Attachment(str(path), media_type, kept, name)


def _suffix(media_type: str) -> str:
    return mimetypes.guess_extension(media_type.partition(";")[0].strip().lower()) or ""


def _size_of(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    replace_file(path, content)
