"""Servers that say more than anybody wants to hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from tests.platforms.stage import WAIT_S

from greenroom.platforms.agents import bounded
from greenroom.platforms.agents.bounded import UNPACKED, TooMuchError, bounding
from greenroom.platforms.agents.mcp.server import DownError
from greenroom.platforms.agents.mcp.server_tools import McpTools, make
from greenroom.platforms.agents.mcp.settings import McpSettings
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.reply import BrokenStreamError
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.talk import Speaker, Words

JSON, EVENTS = b"content-type: application/json\r\n", b"content-type: text/event-stream\r\n"


@asynccontextmanager
async def server(status: int, headers: bytes, chunk: bytes, *, times: int | None = None) -> AsyncIterator[str]:
    """Answers each request so, for ever or `times`; then it hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 %d As It Is\r\n%b\r\n" % (status, headers))
            left = times
            while left is None or left > 0:
                left = None if left is None else left - 1
                writer.write(chunk)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "BODY_BYTES_MAX", 100_000)
    monkeypatch.setattr(bounded, "LINE_BYTES_MAX", 200_000)


async def read(url: str, *, stream_bytes_max: int | None = None) -> int:
    hooks = {"response": [bounding(stream_bytes_max=stream_bytes_max)]}
    async with (
        httpx2.AsyncClient(headers=UNPACKED, event_hooks=hooks, timeout=WAIT_S) as client,
        client.stream("GET", url) as answer,
    ):
        return sum([len(chunk) async for chunk in answer.aiter_bytes()])


@pytest.mark.parametrize(
    "headers, chunk, words",
    [
        (JSON, b"x" * 1_000, "more than 100,000 bytes"),
        (JSON, b"x\n" * 500, "more than 100,000 bytes"),
        (EVENTS, b"x" * 1_000, "a line of more than 200,000 bytes"),
        (EVENTS, b"data: x\n\n", "more than 300,000 bytes"),
        (JSON + b"content-encoding: gzip\r\n", b"x", "packed as gzip"),
    ],
)
async def test_what_goes_beyond_a_limit_is_an_error(headers: bytes, chunk: bytes, words: str) -> None:
    async with server(200, headers, chunk) as url:
        with pytest.raises(TooMuchError, match=words):
            await read(url, stream_bytes_max=300_000)


async def test_a_stream_of_many_lines_may_go_on() -> None:
    async with server(200, EVENTS, b"data: x\n\n" * 1_000, times=100) as url:
        assert await read(url) == 900_000


@pytest.mark.parametrize(
    "status, headers, times",
    [(200, EVENTS, None), (400, JSON, None), (400, JSON + b"content-length: 5000\r\n", 1)],
    ids=["endless line", "endless refusal", "refusal that breaks off"],
)
async def test_a_models_answer_that_cannot_be_taken_is_one_that_broke_off(
    status: int, headers: bytes, times: int | None
) -> None:
    async with server(status, headers, b"x" * 1_000, times=times) as url:
        provider = Provider(OpenAISettings(model="m", base_url=f"{url}/v1", retries=0))
        with pytest.raises(BrokenStreamError):
            async for _ in provider.stream("m", [Words(Speaker.USER, "hi")], {}):
                pass
        await provider.close()


async def test_a_tool_server_whose_answer_never_ends_offers_nothing(tmp_path: Path) -> None:
    async with server(200, JSON, b"x" * 1_000) as url:
        tools: McpTools = make(McpSettings(url=f"{url}/mcp", start_s=WAIT_S), tmp_path, "endless")
        with suppress(DownError):
            assert list(await tools.offer()) == []
        await tools.close()
