"""Files that came with a message and need our token to be fetched: kept in `attachments` beside the database.

A file's name there is made of where it came from: fetched again after a crash it takes no second place. One that cannot
be fetched costs no message: what came without it says so in its words.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from greenroom.actors.atomic import replace_file
from greenroom.actors.model import Attachment
from greenroom.actors.ports import BusyError

FOLDER = "attachments"
FOLDER_MODE = 0o700

BYTES_MAX = 20 * 1024 * 1024
"""Largest file that is fetched."""

TRIES_MAX = 8
"""After so many the message is taken without the file: it must not hold up its chat for ever."""

_NAME_DIGITS = 32


class UnfetchableError(Exception):
    """The file will not be had, however often it is tried. The message says why."""


class TooLargeError(UnfetchableError):
    """The file is larger than what is fetched; nothing was kept."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that came with a message. `fetch` raises UnfetchableError, or what passes."""

    id: str
    name: str | None
    fetch: Callable[[], Awaitable[Attachment]]


class Fetching:
    """Fetches files, and knows how often each was tried in vain."""

    def __init__(self, *passing: type[Exception]) -> None:
        """`passing` is what may go better the next time."""
        self._passing = passing
        self._failures: Counter[str] = Counter()

    async def fetch(self, wanted: Iterable[Wanted]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """Fetch them in order; the words say what could not be had, and why. Raises BusyError for now."""
        had: list[Attachment] = []
        words: list[str] = []
        for file in wanted:
            try:
                had.append(await file.fetch())
            except UnfetchableError as error:
                words.append(_sorry(file, str(error)))
            except self._passing as error:
                self._failures[file.id] += 1
                if self._failures[file.id] < TRIES_MAX:
                    raise BusyError(f"a file cannot be fetched now: {type(error).__name__}") from None
                words.append(_sorry(file, type(error).__name__))
            self._failures.pop(file.id, None)
        return tuple(had), tuple(words)


def _sorry(file: Wanted, why: str) -> str:
    return f"[the file {file.name or file.id} could not be fetched: {why}]"


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
