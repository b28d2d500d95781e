"""The queue of those that are resumed, and who is in it while something else becomes of them."""

import asyncio

import pytest
from tests.actors.test_set_aside import HangsFirst

from greenroom.actors.commands import Command
from greenroom.actors.ports import Turn
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox import stories_aside
from greenroom.supervisor.sandbox.scenario import Accident, FaultKind, Scenario


class Held:
    """Answers the first message when it is let go, and others at once."""

    def __init__(self) -> None:
        self.held = True

    async def __call__(self, turn: Turn) -> str:
        while self.held:  # noqa: ASYNC110 - set by the test
            await asyncio.sleep(0.01)
        return f"re {turn.text}"


class Agent:
    """Hangs in the first life; in the second, works in the first chat until it is let go."""

    def __init__(self) -> None:
        self.first_life = True
        self.held = True
        self.runs = 0

    async def __call__(self, turn: Turn) -> str:
        self.runs += 1
        while self.first_life or (self.held and turn.session.chat.endswith("2")):  # noqa: ASYNC110 - set by the test
            await asyncio.sleep(0.01)
        return f"re {turn.text}"


def test_who_died_with_a_run_of_its_own_is_decided_about_before_its_place_in_the_queue_comes() -> None:
    """Found by seed 1744045716: the queue knew of the run before, and went on with the new one, which nobody had counted."""
    with Scenario(agent := Agent(), policy=Policy(resume_concurrency=1, unclean_boots_max=99)) as room:
        for chat in (1, 2):
            room.says("hello", chat)
            room.advance(1)
        assert agent.runs == 2
        room.crash()
        agent.first_life = False
        room.boot()
        room.until(lambda: agent.runs == 3)  # The second chat's, which was at work last.
        opened = len(room.runs())
        room.says("are you there?", 1)
        room.until(lambda: len(room.runs()) > opened)
        room.accident(Accident.SESSION_RAISES)
        room.advance(0.02)
        agent.held = False
        room.rest()
        assert room.decisions() == [
            "NOT_CONNECTED",
            "RESUME",
            "RESUME",
        ]  # of the second's run, and of the first's new one
        assert room.broken() == []
        assert room.visible(1)[-1] == "re hello\nare you there?"


def test_who_waits_for_its_platform_goes_on_when_it_connects_also_where_its_actor_was_woken_meanwhile() -> None:
    """An order woke it: its run is of this life, and was taken for one that its living actor works at."""
    with Scenario(agent := HangsFirst(), policy=Policy(unclean_boots_max=99)) as room:
        room.says("hello")
        room.until(lambda: agent.runs)
        door = room.wire().door
        assert door is not None
        assert room.life is not None
        door.disconnected("the network is gone")
        room.accident(Accident.SESSION_RAISES)
        room.life.core.operations.order(room.chat(), Command.SEND, lambda _: None, text="we look into it")
        room.advance(10)
        assert room.decisions() == ["NOT_CONNECTED"]
        room.life.core.operations.order(room.chat(), Command.SEND, lambda _: None, text="soon")
        room.advance(1)
        door.connected()
        room.rest()
        assert room.decisions() == ["NOT_CONNECTED", "RESUME"]
        assert "re hello" in room.visible()


def test_what_an_actor_began_that_died_before_it_was_on_disk_is_decided_about_when_it_is() -> None:
    """Found by seed 1750016583: what was open was read before that; it waited for the next start."""
    with Scenario(agent := Held(), policy=Policy(notice_first_s=5.0)) as room:
        room.says("one")
        room.advance(1)
        room.says("two")
        room.advance(1)
        room.disk_fails(FaultKind.IO_ERROR, "write", times=None)
        agent.held = False
        room.advance(1)  # The answer, and the run for the second message, wait for the disk together.
        room.accident(Accident.SESSION_RAISES)
        room.advance(5)
        room.disk_heals()
        room.rest()
        assert room.visible() == ["re one", "re two"]
        assert room.decisions() == ["RESUME"]
        assert room.broken() == []


def test_who_was_woken_while_its_platform_was_away_learns_that_its_work_was_given_up_meanwhile() -> None:
    """Found by seed 1750022671: it took its work for interrupted, and told nobody how its process had ended."""
    with Scenario(policy=Policy(unclean_boots_max=99)) as room:
        room.says("m7 process:forget doze answer")
        room.until(lambda: room.rows("SELECT 1 FROM processes WHERE state = 'ended'"))
        room.crash()
        room.boot(unreachable=[1])
        room.advance(1)
        assert room.decisions() == ["NOT_CONNECTED"]
        room.jump_wall(86_400)
        room.wire().reach()
        room.rest()
        assert room.decisions() == ["NOT_CONNECTED", "STALE"]
        assert [row.cause for row in room.runs()] == ["inbound", "process"]
        room.world.calm = True
        room.says("m2 answer")
        room.rest()
        assert room.broken() == []


@pytest.mark.parametrize("seed", range(20))
def test_who_gave_its_work_up_as_it_was_decided_so_and_began_what_waited_goes_on_with_that(seed: int) -> None:
    """Found by seed 1753102538: its actor was replaced, and nobody was left with its run."""
    with Scenario(seed=seed, policy=Policy(fresh_s=3_600.0, unclean_boots_max=99)) as room:
        stories_aside.is_given_up_by_both(room, seed)
        room.rest()
        assert "answer <m2>" in room.visible()[-1]
        assert room.broken() == []
