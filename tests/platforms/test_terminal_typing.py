"""Lines that are typed while others are still being saved, on a real terminal with the kernel's own echo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.platforms.conformance.terminal import Desk, Past
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import BusyError, Outgoing
from greenroom.platforms.chats.terminal import TerminalChat

ME = SessionKey("terminal", "local", "me")
LOOK_S = 0.01


@pytest.fixture
async def stage() -> Stage:
    return Stage()


@pytest.fixture
async def desk(stage: Stage) -> AsyncIterator[Desk]:
    desk = Desk(Past(stage))
    yield desk
    desk.close()


async def until_shown(desk: Desk, seen: Callable[[tuple[str, ...]], bool]) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not seen(desk.glass.rows):  # noqa: ASYNC110 - the kernel's echo rings no bell
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise AssertionError(desk.glass.rows) from None


async def test_what_is_typed_ahead_leaves_no_row_behind_when_an_answer_grows(stage: Stage, desk: Desk) -> None:
    stage.open_for_business = BusyError("the disk is full")
    chat = TerminalChat(stage, input=desk.input, output=desk.output)
    async with running(chat, stage):
        desk.type("one")
        await until_shown(desk, lambda rows: any("trying again" in row for row in rows))
        await chat.send(Outgoing(ME, "d0", "It"))
        for number, words in enumerate(("It is", "It is sunny", "It is sunny today")):
            desk.type(f"ahead {number}")
            await until_shown(desk, lambda rows, said=f"ahead {number}": any(said in row for row in rows))  # type: ignore[misc]
            await chat.edit(ME, "d0", words)
        stage.stored(ME, "d0", "It is sunny today.")
        await chat.edit(ME, "d0", "It is sunny today.")
        await until_shown(desk, lambda rows: "It is sunny today." in rows)
        assert [row for row in desk.glass.rows if row.startswith("It")] == ["It is sunny today."]
        assert sum(row.startswith("> one") for row in desk.glass.rows) == 1
        assert [row for row in desk.glass.rows if "ahead" in row] == ["> ahead 0", "> ahead 1", "> ahead 2"]
        stage.open_for_business = None
        await until_shown(desk, lambda rows: sum("✓ saved" in row for row in rows) == 4)
    assert [said.text for said in stage.accepted] == ["one", "ahead 0", "ahead 1", "ahead 2"]
    assert [row for row in desk.glass.rows if "ahead" in row] == [f"> ahead {n}  ✓ saved" for n in range(3)]
