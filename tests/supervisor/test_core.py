"""When a part of the roof itself dies, what stands on it is built anew, and nothing is lost."""

import asyncio

import pytest

from greenroom.actors.ports import Turn
from greenroom.supervisor.sandbox.scenario import Accident, FaultKind, Policy, Scenario

PATIENT = Policy(unclean_boots_max=100)


async def agent(turn: Turn) -> str:
    if turn.text == "long" and turn.attempt == 1:
        await asyncio.sleep(20)
        await turn.say("still here")
        await asyncio.sleep(20)
    return f"re {turn.text}"


@pytest.mark.parametrize("accident", [Accident.STORAGE_RAISES, Accident.TREE_RAISES, Accident.OUTBOX_RAISES])
@pytest.mark.parametrize("steps", range(0, 60, 6))
def test_whatever_dies_below_a_message_it_is_answered_once(accident: Accident, steps: int) -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says("long", 1)
        room.says("a", 2)
        room.steps(steps)
        room.accident(accident)
        room.says("b", 2)
        room.rest()
        room.says("c", 2)
        room.rest()
        assert [text for text in room.visible(1) if text != "..."][-1].endswith("re long")
        words = " ".join(text for text in room.visible(2) if text != "...").split()
        assert [word for word in words if word != "re"] == ["a", "b", "c"]
        assert room.broken() == []


def test_two_deaths_at_once_are_one_rebuilding() -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says("a")
        room.rest()
        room.accident(Accident.STORAGE_RAISES)
        room.accident(Accident.TREE_RAISES)
        room.says("b")
        room.advance(60)
        assert room.visible() == ["re a", "re b"]
        assert room.life is not None
        assert room.life.lives()


def test_a_disk_that_fails_for_a_while_costs_nobody_a_word() -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says("a")
        room.rest()
        room.disk_fails(FaultKind.IO_ERROR, times=None)
        room.says("b")
        room.advance(30)
        room.disk_heals()
        room.rest()
        assert room.visible() == ["re a", "re b"]
        assert room.broken() == []
