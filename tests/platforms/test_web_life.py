"""The web chat as a server: cancelled, run again, at a taken port, beside a host."""

import asyncio
import signal
import socket
from urllib.parse import urlsplit

import httpx
import pytest
from tests.platforms.stage import WAIT_S, Stage, running
from tests.platforms.test_web import KITCHEN, looking, say

from greenroom.actors.ports import Outgoing
from greenroom.platforms.chats.web import ListenError, PortInUseError, WebChat


async def test_cancellation_ends_the_streams_and_frees_the_port(stage: Stage) -> None:
    chat = WebChat(stage, port=0)
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        async with running(chat, stage) as task:
            client.base_url = httpx.URL(chat.address)
            async with looking(client) as events:
                await events.next()
                task.cancel()
                assert (await events.next())[0] == "end"
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await stage.connections.get() == "the web server stopped"
        with pytest.raises(httpx.ConnectError):
            await client.get("/livez")


async def test_after_a_restart_the_chat_is_at_the_same_address_and_complete(stage: Stage) -> None:
    first = WebChat(stage, port=0)
    async with running(first, stage), httpx.AsyncClient(base_url=first.address) as client:
        await say(client, "hello")
    port = urlsplit(first.address).port
    assert port is not None
    second = WebChat(stage, port=port)
    async with running(second, stage), httpx.AsyncClient(base_url=first.address) as client:
        assert (await say(client, "hello")).json()["repeated"] is True
        await second.edit(KITCHEN, "d1", "an answer to what the first was asked")
        async with looking(client) as events:
            assert [row["text"] for row in (await events.next())[1]["messages"]] == ["hello"]


async def test_the_same_platform_runs_again_after_a_crash_at_the_same_address(stage: Stage) -> None:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        before = chat.address
    assert await stage.connections.get() == "the web server stopped"
    async with running(chat, stage), httpx.AsyncClient(base_url=before) as client, looking(client) as events:
        assert (chat.address, (await events.next())[0]) == (before, "snapshot")


async def test_a_port_in_use_is_named_with_the_way_out(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port} .*choose another port"):
            await WebChat(stage, port=port).run(stage)


@pytest.mark.parametrize("host, port", [("192.0.2.1", 0), ("127.0.0.1", 70_000), ("no such host", 0)])
def test_an_address_that_cannot_be_had_is_named(stage: Stage, host: str, port: int) -> None:
    with pytest.raises(ListenError, match=str(port)):
        WebChat(stage, host=host, port=port).bind()


def test_the_address_is_known_once_bound_and_given_back_when_closed(stage: Stage) -> None:
    chat = WebChat(stage, port=0)
    address = chat.bind()
    assert address == chat.address == chat.bind()
    assert urlsplit(address).port
    chat.close()
    chat.close()


async def test_the_hosts_signals_are_left_alone(stage: Stage) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    async with running(WebChat(stage, port=0), stage):
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


async def test_it_finds_what_the_store_has(chat: WebChat, stage: Stage) -> None:
    stage.stored(KITCHEN, "d1", "there")
    assert await chat.find(Outgoing(KITCHEN, "d1", "there")) == "d1"
    assert await chat.find(Outgoing(KITCHEN, "d2", "not there")) is None
