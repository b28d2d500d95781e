"""Files that came with a message, brought to where the agent can read them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from greenroom.actors.model import Attachment
from greenroom.actors.ports import BusyError
from greenroom.platforms.chats.saving import TooLargeError, save
from greenroom.platforms.chats.slack.codec import File

FETCH_S = 120.0
TRIES_MAX = 8
"""After so many the message is taken without the file: it must not hold up its chat for ever."""

CHUNK_BYTES = 65_536
SLACK_HOSTS = ("slack.com", "slack-files.com")
"""Only these, and the host of the Web API, are ever shown the token."""

HTML = "text/html"
OK, SERVER_ERRORS, TOO_MANY = 200, 500, 429

logger = logging.getLogger("greenroom.platform.slack")


class UnfetchableError(Exception):
    """The file will not be had, however often it is tried. The message says why."""


class Files:
    """Fetches with the bot's token, which needs the scope `files:read`."""

    def __init__(self, session: aiohttp.ClientSession, token: str, *, api_url: str, account: str, folder: Path) -> None:
        """`folder` is the database's."""
        self._session, self._token, self._folder = session, token, folder
        self._source, self._api_host = f"slack:{account}", urlsplit(api_url).netloc
        self._failures: Counter[str] = Counter()

    async def fetch(self, files: Sequence[File]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """Fetch them in order; the words say what could not be had, and why. Raises BusyError for now."""
        had: list[Attachment] = []
        words: list[str] = []
        for file in files:
            try:
                had.append(await self._fetch(file))
            except (UnfetchableError, TooLargeError) as error:
                words.append(_sorry(file, error))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                words.append(self._failed(file, type(error).__name__))
        return tuple(had), tuple(words)

    def _failed(self, file: File, why: str) -> str:
        """Count it, and say so when it is enough. Raises BusyError before."""
        self._failures[file.id] += 1
        if self._failures[file.id] < TRIES_MAX:
            raise BusyError(f"a file cannot be fetched now: {why}")
        del self._failures[file.id]
        return _sorry(file, why)

    async def _fetch(self, file: File) -> Attachment:
        address = file.url_private_download or file.url_private
        media_type = file.mimetype or "application/octet-stream"
        if address is None:
            raise UnfetchableError(f"Slack gives no address ({file.mode or 'unknown'})")
        if not self._is_slack(address):  # A file that lives elsewhere: its address is all that there is.
            return Attachment(address, media_type, file.size, file.name)
        source, content = f"{self._source}:{file.id}", self._read(address, media_type)
        return await save(self._folder, source, content, media_type=media_type, name=file.name, size=file.size)

    def _is_slack(self, address: str) -> bool:
        parts = urlsplit(address)
        host = parts.hostname or ""
        ours = any(host == each or host.endswith(f".{each}") for each in SLACK_HOSTS)
        return parts.netloc == self._api_host or (parts.scheme == "https" and ours)

    async def _read(self, address: str, media_type: str) -> AsyncIterator[bytes]:
        token = {"Authorization": f"Bearer {self._token}"}
        patience = aiohttp.ClientTimeout(total=FETCH_S)
        async with self._session.get(address, headers=token, timeout=patience, allow_redirects=False) as answer:
            if answer.status >= SERVER_ERRORS or answer.status == TOO_MANY:
                raise aiohttp.ClientError(f"status {answer.status}")
            if answer.status != OK:
                raise UnfetchableError(f"status {answer.status}; the bot needs the scope files:read")
            if answer.content_type == HTML and media_type != HTML:  # Slack's page for whoever is not let in.
                raise UnfetchableError("Slack wants a login; the bot needs the scope files:read")
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                yield chunk


def _sorry(file: File, why: object) -> str:
    return f"[the file {file.name or file.id} could not be fetched: {why}]"
