"""The model's server: one request after the other, streamed, through OpenAI's own library.

A hiccup is tried again at once by the library, as the server says. What takes longer than a breath is no business of a
running process: the caller hears for how long, and it is put off on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import BaseModel

from greenroom.platforms.agents.bounded import UNPACKED, bounding
from greenroom.platforms.agents.openai import chat, responses
from greenroom.platforms.agents.openai.dialect import LEARNED_MAX, dialect_of, hear, learn
from greenroom.platforms.agents.openai.failures import WHY_MAX, UnreachableError, classify_error, classify_status
from greenroom.platforms.agents.openai.reply import BrokenStreamError, Reader, fields_in, text_in
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.talk import Item
from greenroom.platforms.agents.tools.tool import Tool

logger = logging.getLogger("greenroom.openai")

BREATH_S = 5.0
"""Longest that a server may have us wait before the same request is tried again in the same run."""

OPENAI = "https://api.openai.com/v1"
"""Where OpenAI's own servers are."""

CONNECT_S = 10.0
"""How long a connection may take to be made."""

RESOURCES = {"chat": "openai.resources.chat", "responses": "openai.resources.responses"}
"""What the library imports when it is first used."""

UNREADABLE = (httpx2.HTTPError, httpx2.StreamError, ValueError, RecursionError)
"""What the library raises where an answer breaks off, or is too long, no JSON, no UTF-8, or nested too deep."""

STREAM_BYTES_MAX = 128 * 1024 * 1024
"""Bytes of one streamed answer: a server takes some hundred for each token."""


class Provider:
    """See the module. Used on one loop at a time; `http` is for whoever brings a transport of their own."""

    def __init__(self, settings: OpenAISettings, http: httpx2.AsyncClient | None = None) -> None:
        self._settings = settings
        self._http = http
        import_module(RESOURCES[settings.api])  # Now: it takes the library a second, which no loop has.
        self._client: AsyncOpenAI | None = self._make_client()
        self._dialect = dialect_of(self.server)
        self._loop: asyncio.AbstractEventLoop | None = None  # that of the client, once it was used

    @property
    def server(self) -> str:
        """Whose words they are: what one server gives for itself no other is given back."""
        return urlsplit(self._settings.base_url or OPENAI).netloc.rpartition("@")[2]  # no password

    def reader(self) -> Reader:
        """Make what reads one stream."""
        return chat.ChatReader() if self._settings.api == "chat" else responses.ResponsesReader()

    async def stream(
        self, model: str, items: Sequence[Item], tools: Mapping[str, Tool]
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """Ask the model, and give the pieces of its answer.

        Raises UnreachableError, TooLongError, ModelRefusedError and BrokenStreamError, at any piece.
        """
        try:
            stream = await self._open(model, items, tools)
        except openai.APIStatusError as error:
            raise self._judge(error) from None
        except openai.APIConnectionError as error:
            logger.info("%s cannot be reached: %r", model, error.__cause__ or error)
            raise UnreachableError("the model's provider cannot be reached") from None
        except (openai.OpenAIError, *UNREADABLE) as error:  # It is no answer that the library can read.
            raise BrokenStreamError(self._clean(f"{type(error).__name__}: {error}")[:WHY_MAX]) from None
        try:
            async with stream:
                async for piece in stream:
                    if not isinstance(piece, BaseModel):
                        raise BrokenStreamError(f"a piece of the stream is {type(piece).__name__}")
                    fields = piece.model_dump(warnings=False)
                    if failure := responses.error_in(fields):
                        raise self._judge_in_stream(failure)
                    self._dialect = hear(self._dialect, fields)
                    yield fields
        except openai.APIError as error:
            raise self._judge_in_stream({"message": f"{error!r}", **fields_in(error.body)}) from None
        except (openai.OpenAIError, *UNREADABLE) as error:
            raise BrokenStreamError(self._clean(f"{type(error).__name__}: {error}")[:WHY_MAX]) from None

    async def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _open(self, model: str, items: Sequence[Item], tools: Mapping[str, Tool]) -> Any:
        """Ask; and once more for each thing of which the server says that it wants it otherwise."""
        for _ in range(LEARNED_MAX):
            try:
                return await self._request(model, items, tools)
            except openai.APIStatusError as error:
                learned = learn(self._dialect, error.status_code, error.message)
                if learned == self._dialect:
                    raise
                logger.info("the model's provider wants it otherwise: %s", self._clean(error.message)[:WHY_MAX])
                self._dialect = learned
        return await self._request(model, items, tools)

    async def _request(self, model: str, items: Sequence[Item], tools: Mapping[str, Tool]) -> Any:
        settings, client = self._settings, self._connected()
        more: dict[str, Any] = {"temperature": settings.temperature, "extra_body": settings.extra or None}
        if settings.api == "chat":
            more |= {
                "messages": chat.write_messages(items, settings.system, self._dialect.thoughts),
                "tools": chat.write_tools(tools),
                self._dialect.limit: settings.answer_tokens,
                "reasoning_effort": settings.effort,
                "stream_options": {"include_usage": True},
            }
            return await client.chat.completions.create(model=model, stream=True, **_given(more))
        more |= {
            "input": responses.write_input(items),
            "instructions": settings.system,
            "tools": responses.write_tools(tools),
            "max_output_tokens": settings.answer_tokens,
            "reasoning": {"effort": settings.effort} if settings.effort else None,
            "include": ["reasoning.encrypted_content"] if settings.effort else None,
        }
        return await client.responses.create(model=model, stream=True, store=False, **_given(more))

    def _connected(self) -> AsyncOpenAI:
        """Give the client for the loop that runs now: an agent may live longer than a supervisor."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop not in (None, loop):
            self._client = self._make_client()
        self._loop = loop
        return self._client

    def _make_client(self) -> AsyncOpenAI:
        settings = self._settings
        return AsyncOpenAI(
            api_key=self._key,
            base_url=settings.base_url,
            timeout=httpx2.Timeout(settings.timeout_s, connect=min(CONNECT_S, settings.timeout_s)),
            max_retries=settings.retries,
            http_client=self._http or _make_http(),
        )

    async def _key(self) -> str:
        """Read the key: the library asks for it before each request."""
        return self._settings.key.get_secret_value() if self._settings.key is not None else "none"

    def _judge(self, error: openai.APIStatusError) -> Exception:
        """Say what a refusal means. Only what is logged has the server's words, without the key."""
        said = self._clean(error.message)
        logger.info("the model's provider refuses: %s", said[:WHY_MAX])
        after_s = read_retry_after(error.response.headers)
        return classify_status(error.status_code, {"code": error.code, "message": said}, after_s)

    def _judge_in_stream(self, error: Mapping[str, Any]) -> Exception:
        """Say what an error object means that came instead of the rest of an answer, or of all of it."""
        said = self._clean(text_in(error.get("message")))
        logger.info("the model's provider ends its stream: %s", said[:WHY_MAX])
        return classify_error({**error, "message": said})

    def _clean(self, words: str) -> str:
        key = self._settings.key.get_secret_value() if self._settings.key is not None else ""
        return words.replace(key, "***") if key else words


def _make_http() -> httpx2.AsyncClient:
    hooks = [_do_not_wait_long, bounding(stream_bytes_max=STREAM_BYTES_MAX)]
    return DefaultAsyncHttpxClient(headers=UNPACKED, event_hooks={"response": hooks})


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read for how long a server wants to be left alone, in seconds; a date counts from the server's own.

    >>> read_retry_after({"retry-after": "20"})
    20.0
    >>> read_retry_after({"retry-after": "soon"}) is None
    True
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            after_s = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if 0 <= after_s < float("inf"):
            return after_s
    try:
        asked, told = (parsedate_to_datetime(headers.get(name, "")) for name in ("retry-after", "date"))
        return max(0.0, (asked - told).total_seconds())
    except (TypeError, ValueError):  # One of them is no date, or only one has a zone.
        return None


async def _do_not_wait_long(response: httpx2.Response) -> None:
    """Have the library give up at once on a server that wants to be left alone for longer than a breath."""
    if response.is_error and (read_retry_after(response.headers) or 0.0) > BREATH_S:
        response.headers["x-should-retry"] = "false"


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not set: not every server knows every field."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}
