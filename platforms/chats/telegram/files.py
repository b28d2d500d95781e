"""Files that came with a message, brought to where the agent can read them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import httpx
from telegram.error import BadRequest, TelegramError

from greenroom.actors.model import Attachment
from greenroom.platforms.chats.saving import Fetching, UnfetchableError, Wanted, save
from greenroom.platforms.chats.telegram.codec import File
from greenroom.platforms.chats.telegram.library import Line


class Files:
    """Fetches what `getFile` names. Telegram gives out files of up to 20 MB."""

    def __init__(self, line: Line, *, account: str, folder: Path) -> None:
        """`folder` is the database's."""
        self._line, self._folder = line, folder
        self._source = f"telegram:{account}"
        self._fetching = Fetching(TelegramError, httpx.HTTPError, OSError)

    async def fetch(self, files: Sequence[File]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """See `Fetching.fetch`."""
        return await self._fetching.fetch(
            Wanted(each.unique_id, each.name, partial(self._fetch, each)) for each in files
        )

    async def _fetch(self, file: File) -> Attachment:
        source, content = f"{self._source}:{file.unique_id}", self._read(file)
        try:
            return await save(self._folder, source, content, media_type=file.media_type, name=file.name, size=file.size)
        except BadRequest as error:
            raise UnfetchableError(str(error)) from None

    async def _read(self, file: File) -> AsyncIterator[bytes]:
        found = await self._line.bot.get_file(file.id)
        async for chunk in self._line.read_file(found.file_path or ""):
            yield chunk
