"""A model that answers by rules: what it says depends on what it is given, over many turns and across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.platforms.agents.model_stage import WEATHER, House

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.tools.tool import Tool
from greenroom.platforms.chats.web.server import listen, serving

RULES = """
rules:
  - name: told of the weather
    when: {messages_contain: "weather", tool_result_contains: "21 C in Rome"}
    respond: {content: "Oslo and Rome have 21 C."}
  - name: two calls at once
    when: {messages_contain: "weather", tools_include: get_weather}
    respond:
      tool_calls:
        - {name: get_weather, arguments: {city: Oslo}}
        - {name: get_weather, arguments: {city: Rome}}
  - name: told again after an interruption
    when: {messages_contain: "Your last attempt at this was interrupted", tool_result_contains: "may or may not have"}
    respond: {content: "I do not know whether it was sent."}
  - name: sends
    when: {messages_contain: "letter", tools_include: send}
    respond:
      tool_calls:
        - {name: send, arguments: {}}
  - name: no model
    when: {model_matches: "down*"}
    respond: {content: ""}
"""


@pytest.fixture
async def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Its rules are one for a process: they are read anew, and forgotten at the end."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    monkeypatch.setenv("FAKELLM_CONFIG", str(rules))
    from fakellm.server import app  # type: ignore[import-untyped]  # noqa: PLC0415 - it reads its rules here

    with listen("127.0.0.1", 0) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with serving(app, listening), httpx.AsyncClient(base_url=address) as client:
            assert (await client.post("/_fakellm/reload")).json()["rules"] > 0
            await client.post("/_fakellm/reset")
            yield f"{address}/v1"


async def test_a_conversation_by_rules_is_gone_through(address: str, tmp_path: Path) -> None:
    house = House(tmp_path, address, WEATHER)
    assert await house.says("How is the weather in Oslo and in Rome?") == "Oslo and Rome have 21 C."
    assert house.rows("SELECT count(*) FROM tool_calls") == [(2,)]
    assert house.rows("SELECT min(tokens) > 0 FROM runs") == [(1,)]


async def test_a_model_that_calls_again_after_an_interruption_hears_of_the_doubt(address: str, tmp_path: Path) -> None:
    sent: list[str] = []
    called = asyncio.Event()

    async def send(_: Turn) -> str:
        sent.append("a letter")
        loop.call_soon_threadsafe(called.set)
        await asyncio.Event().wait()
        return "sent"

    loop = asyncio.get_running_loop()
    sending = Tool("send", "Sends the letter.", {"type": "object"}, ToolPolicy.ONCE, send)
    async with House(tmp_path, address, sending).open() as chat:
        receipt = await chat.says("Send the letter!")
        await asyncio.wait_for(called.wait(), 20)
    house = House(tmp_path, address, sending)
    async with house.open() as chat:
        assert await chat.answer(receipt) == "I do not know whether it was sent."
    assert sent == ["a letter"]


async def test_a_model_that_says_nothing_is_told_to_its_person(address: str, tmp_path: Path) -> None:
    assert "ended without an answer" in await House(tmp_path, address, model="down-1").says("Hello?")


async def test_a_chat_stays_one_conversation_for_its_model(address: str, tmp_path: Path) -> None:
    async def count() -> int:
        async with httpx.AsyncClient() as client:
            return len((await client.get(address.replace("/v1", "/_fakellm/conversations"))).json())

    house = House(tmp_path, address)
    async with house.open() as chat:
        for words in ("One.", "Two.", "Three."):
            await house.asks(chat, words)
    assert await count() == 1
