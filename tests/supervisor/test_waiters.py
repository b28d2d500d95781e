"""Who waits for an answer hears of every end that work can come to, also of those that the tree decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom.actors.model import Inbound, Message, MessageKind, Receipt
from greenroom.actors.ports import Turn
from greenroom.supervisor.answers import NoAnswer, Waiter
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.scenario import Scenario


async def endless(_turn: Turn) -> str:
    await asyncio.Event().wait()
    return "never"


def await_answer(room: Scenario, update: str) -> list[Any]:
    """Offer a message again, as its platform would, and wait for its answer."""
    assert room.life is not None
    core, heard = room.life.core, list[Any]()

    def receive(receipt: Receipt | Exception) -> None:
        assert isinstance(receipt, Receipt)
        core.await_answer(Waiter(receipt, heard.append))

    core.reception.accept(Inbound(room.chat(1), update, "work"), receive)
    return heard


@pytest.mark.parametrize("before", [True, False], ids=["who waited before", "who comes later"])
def test_stale_work_tells_its_waiter_the_line_with_which_it_was_given_up(*, before: bool) -> None:
    with Scenario(endless, policy=Policy(fresh_s=60)) as room:
        update = room.says("work")
        room.advance(2)
        room.crash()
        room.stays_down(3600)
        room.boot()
        if not before:
            room.advance(5)
        heard = await_answer(room, update)
        room.advance(5)
        (answer,) = heard
        assert isinstance(answer, Message)
        assert answer.kind is MessageKind.FAILED


@pytest.mark.parametrize("before", [True, False], ids=["who waited before", "who comes later"])
def test_a_session_set_aside_tells_its_waiter_that_there_will_be_no_answer(*, before: bool) -> None:
    with Scenario(endless, policy=Policy(attempts_max=1)) as room:
        update = room.says("work")
        room.advance(2)
        room.crash()
        room.boot()
        if not before:
            room.advance(5)
        heard = await_answer(room, update)
        room.advance(5)
        assert room.decisions()[-1] == "ATTEMPTS_EXHAUSTED"
        (answer,) = heard
        assert isinstance(answer, NoAnswer)


def test_a_chat_in_which_too_much_waits_is_not_acknowledged_and_loses_nothing() -> None:
    gate: list[bool] = []

    async def agent(turn: Turn) -> str:
        while not gate:  # noqa: ASYNC110 - an event would belong to the loop of one life
            await asyncio.sleep(1)
        return turn.text

    with Scenario(agent, policy=Policy(chat_backlog_max=3, inbox_batch_max=1)) as room:
        room.says("first")
        room.advance(1)
        for number in range(6):
            room.says(f"more {number}")
        room.advance(5)
        assert len(room.inbox()) == 4
        gate.append(True)
        room.rest()
        assert room.visible() == ["first", *(f"more {number}" for number in range(6))]
        assert room.broken() == []
