"""Who waits for an answer hears of every end that work can come to, also of those that the tree decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from greenroom.actors.lines import OVER_LINE
from greenroom.actors.model import Inbound, InboxId, Message, MessageKind, Receipt, SessionId
from greenroom.actors.ports import Turn
from greenroom.supervisor.answers import NeverAnsweredError, NoAnswer, Waiter, text_of
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


def outcomes(room: Scenario, *updates: str) -> list[list[Any]]:
    """Wait for the answers to these updates, whatever they were."""
    assert room.life is not None
    core, heard = room.life.core, list[list[Any]]()
    for update in updates:
        (row,) = room.rows("SELECT id, session_id FROM inbox WHERE update_id = ?", update)
        told: list[Any] = []
        core.await_answer(Waiter(Receipt(row.id, row.session_id, room.chat(1)), told.append))
        heard.append(told)
    room.advance(1)
    return heard


@pytest.mark.parametrize("before", [True, False], ids=["who waited before", "who comes later"])
def test_a_message_that_was_withdrawn_tells_its_waiter_so(*, before: bool) -> None:
    with Scenario(endless) as room:
        room.says("work")
        room.advance(2)
        update = room.says("no, wait")
        room.advance(1)
        waited = outcomes(room, update) if before else []
        change = room.deletes(update)
        room.advance(1)
        for (outcome,) in (*waited, *outcomes(room, update)):
            assert (type(outcome), outcome.final) == (NoAnswer, True)
            assert "its user deleted it" in outcome.why
        ((edit,),) = outcomes(room, change)
        assert "wait for the answer to its message" in edit.why
        room.restart()
        room.advance(1)
        assert [len(told) for told in outcomes(room, update, change)] == [1, 1]


def test_a_press_that_was_turned_away_tells_its_waiter_the_line_that_its_person_reads() -> None:
    async def agent(turn: Turn) -> str:
        return await turn.ask_user("Which?", ["red", "blue"])

    with Scenario(agent, buttons=True) as room:
        room.says("paint")
        room.advance(1)
        (asked,) = room.messages()
        first = room.presses(asked.id, "red")
        room.advance(1)
        second = room.presses(asked.id, "blue")
        room.advance(1)
        assert [each.text for (each,) in outcomes(room, first, second)] == ["red", OVER_LINE]


def test_who_waits_for_what_is_too_old_to_be_known_hears_that() -> None:
    with Scenario(endless) as room:
        assert room.life is not None
        told: list[Any] = []
        unknown = Receipt(InboxId(77), SessionId(1), room.chat(1))
        room.life.core.await_answer(Waiter(unknown, told.append))
        room.advance(1)
        with pytest.raises(NeverAnsweredError, match="too old"):
            text_of(told[0])
