"""What waits for its platform is decided when that platform connects, and only what waits still."""

import asyncio

import pytest

from greenroom.actors.ports import Turn
from greenroom.supervisor.sandbox.scenario import DeliveryClass, Policy, Scenario, SessionKey


def test_s033_what_waits_for_a_platform_is_decided_when_that_platform_connects_and_only_that() -> None:
    async def agent(turn: Turn) -> str:
        if turn.attempt == 1:
            await asyncio.Event().wait()
        return "done"

    classes = (DeliveryClass.EDIT_ANCHOR, DeliveryClass.EDIT_ANCHOR)
    first, second = SessionKey("p1", "bot", "chat1"), SessionKey("p2", "bot", "chat1")
    with Scenario(agent, platforms=classes) as room:
        room.says("work", first)
        room.says("work", second)
        room.advance(2)
        room.crash()
        room.boot(unreachable=(1, 2))
        room.advance(10)
        assert room.decisions(first)[-1] == room.decisions(second)[-1] == "NOT_CONNECTED"
        room.connects(2)
        room.rest()
        assert room.visible(second) == ["done"]
        assert room.decisions(first)[-1] == "NOT_CONNECTED"
        room.connects(1)
        room.rest()
        assert room.visible(first) == ["done"]
        assert room.decisions(first)[-2:] == ["NOT_CONNECTED", "RESUME"]
        assert room.decisions(second).count("RESUME") == 1


@pytest.mark.parametrize("steps", range(0, 60, 2))
def test_a_platform_that_connects_while_a_run_begins_decides_nothing_about_that_run(steps: int) -> None:
    """Found by seed 7300359: its session was set aside under the run, whose answer then had nowhere to go."""

    async def agent(turn: Turn) -> str:
        if "more" not in turn.text:
            await asyncio.Event().wait()
        return f"done after {turn.attempt}"

    with Scenario(agent, policy=Policy(attempts_max=2)) as room:
        room.says("work")
        room.advance(2)
        room.says("more")
        room.advance(2)
        room.crash()
        room.boot(unreachable=(1,))
        room.steps(steps)
        room.connects(1)
        room.rest()
        assert room.visible() == ["done after 2"]
        assert room.broken() == []
