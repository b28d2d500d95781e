"""One agent at a time in a session, on the real house in virtual time."""

import asyncio

from greenroom.actors.floor import STOPPING_MAX_S
from greenroom.actors.ports import Turn
from greenroom.supervisor.sandbox.scenario import Accident, Policy, Scenario


class Stubborn:
    """An agent that ends so long after it was told to stop."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.events: list[str] = []

    async def __call__(self, turn: Turn) -> str:
        self.events.append(f"{turn.text} begins")
        try:
            if turn.text != "last":
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(self.takes_s)
        self.events.append(f"{turn.text} ends")
        return "done"


def test_a_run_waits_for_the_one_before_and_its_silence_is_counted_from_its_beginning() -> None:
    agent = Stubborn(takes_s=25)
    with Scenario(agent, policy=Policy(silent_max_s=20)) as room:
        room.says("first")
        room.advance(1)
        room.says("second")
        room.advance(40)
        assert agent.events == ["first begins"]
        room.advance(5)
        assert agent.events == ["first begins", "first ends", "second begins"]
        room.rest()
        assert room.of_session("runs")[1].closed_at - room.of_session("runs")[1].opened_at == 45
        assert room.broken() == []


def test_a_run_that_is_given_up_while_it_waits_leaves_the_queue() -> None:
    agent = Stubborn(takes_s=20)
    with Scenario(agent, policy=Policy(silent_max_s=10)) as room:
        room.says("first")
        room.advance(11)
        room.says("second")
        room.advance(1)
        room.accident(Accident.SESSION_RAISES)
        room.says("last")
        room.rest()
        assert agent.events[:3] == ["first begins", "first ends", "second\nlast begins"]


def test_a_run_that_waits_when_a_drain_begins_is_not_begun_and_the_next_process_has_its_work() -> None:
    """Found by seed 1500009343."""
    agent = Stubborn(takes_s=15)
    with Scenario(agent, policy=Policy(silent_max_s=10)) as room:
        room.says("first")
        room.advance(11)
        room.says("last")
        room.advance(1)
        room.order_drain()
        room.advance(20)
        assert agent.events == ["first begins"]
        room.restart()
        room.rest()
        assert agent.events[-2:] == ["last begins", "last ends"]
        assert agent.events.count("last begins") == 1
        assert room.visible()[-1] == "done"
        assert room.broken() == []


def test_a_run_that_never_stops_is_waited_for_so_long_and_no_longer() -> None:
    agent = Stubborn(takes_s=10_000)
    with Scenario(agent, policy=Policy(silent_max_s=100)) as room:
        room.says("first")
        room.advance(101)
        room.says("last")
        room.advance(STOPPING_MAX_S - 1)
        assert agent.events == ["first begins"]
        room.advance(2)
        assert agent.events == ["first begins", "last begins", "last ends"]
        room.rest()
        assert room.visible()[-1] == "done"


def test_a_session_whose_actor_died_waits_for_the_run_that_it_left() -> None:
    agent = Stubborn(takes_s=20)
    with Scenario(agent) as room:
        room.says("last")
        room.rest()
        room.says("first")
        room.advance(1)
        room.accident(Accident.SESSION_RAISES)
        room.says("poke")
        room.advance(10)
        assert agent.events == ["last begins", "last ends", "first begins"]
        room.advance(15)
        assert agent.events[3:5] == ["first ends", "first\npoke begins"]


def test_a_new_conversation_waits_for_the_agent_of_the_old_one() -> None:
    agent = Stubborn(takes_s=5.0)
    with Scenario(agent) as room:
        room.says("first")
        room.advance(1)
        room.says("/new")
        room.says("last")
        room.rest()
        assert agent.events == ["first begins", "first ends", "last begins", "last ends"]
