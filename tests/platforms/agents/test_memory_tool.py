"""What was said in a chat is found again, also what was said before a new conversation began; other chats are not."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.platforms.agents.caller import CHAT, WAIT_S, Caller, calling

from greenroom.platforms.agents.tools import clock, memory

OTHER = "test:bot:2"
SAID = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d UTC, the user: \{"name": "current_time", "args": \{\}\}')
CALL = 'the user: {"name": "current_time"'


async def until_found(caller: Caller, words: str, wanted: str) -> str:
    """The index follows within moments; each search is a run of its own."""
    async with asyncio.timeout(WAIT_S):
        while wanted not in (found := await caller.told("search_memory", words=words, most=50)):
            pass
    return found


async def test_what_was_said_in_this_chat_is_found_and_nothing_else(tmp_path: Path) -> None:
    async with calling(tmp_path, memory.make(memory.MemorySettings()), clock.make(clock.ClockSettings())) as caller:
        await caller.call("search_memory", OTHER, words="current_time elsewhere")
        await caller.call("current_time")
        await until_found(caller, "current_time", CALL)
        await caller.says("/new")
        found = await until_found(caller, "current_time", CALL)
        assert any(SAID.fullmatch(line) for line in found.splitlines())
        assert "elsewhere" not in found, "it was said in another chat"
        assert (
            await caller.told("search_memory", words="never said") == "Nothing was said with all of these words in it."
        )
        assert "Expected `int` <= 50" in await caller.refused("search_memory", words="a", most=51)


async def test_the_time_is_told_in_its_zone(tmp_path: Path) -> None:
    async with calling(tmp_path, clock.make(clock.ClockSettings(zone="Asia/Tokyo"))) as caller:
        assert re.fullmatch(
            r"\w+day, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST \(UTC\+0900\)", await caller.told("current_time")
        )
    with pytest.raises(ValidationError, match="must be the name of a time zone"):
        clock.ClockSettings(zone="Mars")


def test_the_message_of_a_call_is_what_this_file_looks_for() -> None:
    assert json.dumps({"name": "current_time", "args": {}}) == '{"name": "current_time", "args": {}}'
    assert CHAT != OTHER
