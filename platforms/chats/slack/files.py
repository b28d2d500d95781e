"""Files that came with a message, brought to where the agent can read them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from greenroom.actors.model import Attachment
from greenroom.platforms.chats.saving import Fetching, UnfetchableError, Wanted, save
from greenroom.platforms.chats.slack.lookups import HOPELESS
from greenroom.platforms.chats.slack.shares import File
from greenroom.platforms.chats.slack.troubles import read_answer

FETCH_S = 120.0
CHUNK_BYTES = 65_536
SLACK_HOSTS = ("slack.com", "slack-files.com")
"""Only these, and the host of the Web API, are ever shown the token."""

NOT_SHOWN = HOPELESS | {"access_denied", "file_deleted", "file_not_found", "team_access_not_granted"}
"""Answers of `files.info` that will be no better later."""

HTML = "text/html"
OK, SERVER_ERRORS, TOO_MANY = 200, 500, 429


class Files:
    """Fetches with the bot's token, which needs the scope `files:read`."""

    def __init__(
        self,
        web: AsyncWebClient,
        session: aiohttp.ClientSession,
        token: str,
        *,
        api_url: str,
        account: str,
        folder: Path,
    ) -> None:
        """`folder` is the database's."""
        self._web, self._session, self._token, self._folder = web, session, token, folder
        self._source, self._api_host = f"slack:{account}", urlsplit(api_url).netloc
        self._fetching = Fetching(SlackApiError, aiohttp.ClientError, TimeoutError, OSError)

    async def fetch(self, files: Sequence[File]) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        """See `Fetching.fetch`."""
        return await self._fetching.fetch(Wanted(file.id, file.name, partial(self._fetch, file)) for file in files)

    async def _fetch(self, file: File) -> Attachment:
        if file.must_be_asked_for:
            file = await self._ask(file.id)
        address = file.url_private_download or file.url_private
        media_type = file.mimetype or "application/octet-stream"
        if address is None:
            raise UnfetchableError(f"Slack gives no address ({file.mode or 'unknown'})")
        if not self._is_slack(address):  # A file that lives elsewhere: its address is all that there is.
            return Attachment(address, media_type, file.size, file.name)
        source, content = f"{self._source}:{file.id}", self._read(address, media_type)
        return await save(self._folder, source, content, media_type=media_type, name=file.name, size=file.size)

    async def _ask(self, file_id: str) -> File:
        try:
            answer = await self._web.files_info(file=file_id)
            return msgspec.convert(answer["file"], File)
        except SlackApiError as error:
            code = read_answer(error.response)[1]
            if code in NOT_SHOWN:
                raise UnfetchableError(f"Slack does not show it: {code}") from None
            raise
        except msgspec.ValidationError as wrong:
            raise UnfetchableError(f"what Slack tells of it cannot be read: {wrong}") from None

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
