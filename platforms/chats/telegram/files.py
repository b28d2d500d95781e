"""Files that came with a message, brought to where the agent can read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
from telegram.error import BadRequest, TelegramError

from greenroom.actors.model import Attachment
from greenroom.actors.ports import BusyError
from greenroom.platforms.chats.saving import TooLargeError, save
from greenroom.platforms.chats.telegram.codec import File
from greenroom.platforms.chats.telegram.library import Line

TRIES_MAX = 8
"""After so many the message is taken without the file: it must not hold up its chat for ever."""


class Files:
    """Fetches what `getFile` names. Telegram gives out files of up to 20 MB."""

    def __init__(self, line: Line, *, account: str, folder: Path) -> None:
        """`folder` is the database's."""
        self._line, self._folder = line, folder
        self._source = f"telegram:{account}"
        self._failures: Counter[str] = Counter()

    async def fetch(self, files: Sequence[File]) -> tuple[list[Attachment], list[str]]:
        """Fetch them in order; the words say what could not be had, and why. Raises BusyError for now."""
        had: list[Attachment] = []
        words: list[str] = []
        for file in files:
            source = f"{self._source}:{file.unique_id}"
            try:
                had.append(
                    await save(
                        self._folder,
                        source,
                        self._read(file),
                        media_type=file.media_type,
                        name=file.name,
                        size=file.size,
                    )
                )
            except (TooLargeError, BadRequest) as error:
                words.append(_sorry(file, str(error)))
            except (TelegramError, httpx.HTTPError, OSError) as error:
                self._failures[file.unique_id] += 1
                if self._failures[file.unique_id] < TRIES_MAX:
                    raise BusyError(f"a file cannot be fetched now: {type(error).__name__}") from None
                words.append(_sorry(file, type(error).__name__))
            self._failures.pop(file.unique_id, None)
        return had, words

    async def _read(self, file: File) -> AsyncIterator[bytes]:
        found = await self._line.bot.get_file(file.id)
        async for chunk in self._line.read_file(found.file_path or ""):
            yield chunk


def _sorry(file: File, why: str) -> str:
    return f"[the file {file.name or file.unique_id} could not be fetched: {why}]"
