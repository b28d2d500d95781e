"""The chat server behind a socket: what it showed outlives it, and its client tells what had no effect from what may have."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import NotSentError, Outgoing, Platform, TargetGoneError
from greenroom.platforms.fakes.chat_process import ChatProcess
from greenroom.platforms.fakes.socket_chat import SocketChat, call
from greenroom.supervisor.sandbox.storm_server import ask

KEY = SessionKey("storm", "bot", "oslo")
HELLO = Outgoing(KEY, "k1", "...")


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[SocketChat]:
    """One life of the server, in this process."""
    socket = str(folder / "socket")
    serving = asyncio.create_task(ChatProcess(folder / "journal").serve(socket))
    try:
        async with asyncio.timeout(20):
            await ask(socket, "updates")
        yield SocketChat(socket)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def visible(folder: Path) -> Any:
    return await call(str(folder / "socket"), "visible", session=str(KEY))


async def test_what_was_shown_and_said_outlives_the_server(tmp_path: Path) -> None:
    socket = str(tmp_path / "socket")
    async with served(tmp_path) as chat:
        assert isinstance(chat, Platform)
        posted = await chat.send(HELLO)
        await chat.edit(KEY, posted, "hello")
        for name in ("u1", "u2"):
            await call(socket, "say", session=str(KEY), id=name, text="hi")
        await call(socket, "acknowledge", session=str(KEY), id="u1")
    async with served(tmp_path) as chat:
        assert await visible(tmp_path) == [{"id": posted, "texts": ["...", "hello"]}]
        assert await chat.find(HELLO) == posted
        assert [each["id"] for each in await call(socket, "updates")] == ["u2"]
        assert await chat.send(HELLO) != posted


async def test_a_change_that_was_torn_from_the_journal_never_took_effect(tmp_path: Path) -> None:
    whole = {"do": "post", "session": str(KEY), "key": "k1", "text": "whole", "reply_to": None}
    torn = json.dumps(whole | {"text": "torn"}).encode()
    (tmp_path / "journal").write_bytes(json.dumps(whole).encode() + b"\n" + torn[:-5])
    for _ in range(2):
        async with served(tmp_path):
            assert [each["texts"] for each in await visible(tmp_path)] == [["whole"]]


async def test_what_is_refused_is_refused_by_its_name_and_is_not_in_the_journal(tmp_path: Path) -> None:
    async with served(tmp_path) as chat:
        with pytest.raises(TargetGoneError, match="m9"):
            await chat.edit(KEY, "m9", "hello")
    assert not (tmp_path / "journal").read_bytes()


async def test_a_server_that_is_down_had_no_effect_and_one_that_dies_may_have_had_one(tmp_path: Path) -> None:
    chat = SocketChat(str(tmp_path / "socket"))
    with pytest.raises(NotSentError, match="the chat server is down"):
        await chat.send(HELLO)

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_unix_server(die, str(tmp_path / "socket")):
        with pytest.raises(ConnectionResetError, match="before it answered"):
            await chat.send(HELLO)
