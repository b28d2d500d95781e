"""A session that is set aside, and its user who goes on writing."""

import asyncio

import pytest

from greenroom.actors.model import SessionId
from greenroom.actors.ports import BusyError, RefusedError, Turn
from greenroom.actors.rules import Reset
from greenroom.supervisor.sandbox.scenario import Accident, Policy, Scenario
from greenroom.supervisor.sandbox.stories_aside import (
    IDLE_S,
    goes_on_crashing,
    is_suspended_twice,
    is_suspended_while_it_is_given_back,
)

FAR = Policy(unclean_boots_max=99)


class HangsFirst:
    """Hangs in its first run; answers afterwards."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self, turn: Turn) -> str:
        self.runs += 1
        if self.runs == 1:
            await asyncio.Event().wait()
        return f"re {turn.text}"


def test_the_first_message_that_waits_in_a_quarantined_session_is_told_so_once() -> None:
    agent = HangsFirst()
    with Scenario(agent, policy=FAR) as room:
        room.says("one")
        room.until(lambda: agent.runs)
        room.crash()
        room.given("UPDATE runs SET attempt = 3")
        room.boot()
        room.rest()
        assert room.decisions() == ["ATTEMPTS_EXHAUSTED"]
        before = len(room.visible())
        room.says("two")
        room.says("three")
        room.rest()
        room.restart()
        room.says("four")
        room.rest()
        (line,) = room.visible()[before:]
        assert line.startswith("(This conversation is set aside. Your message is kept")
        assert agent.runs == 1
        assert [row.generation for row in room.inbox()][1:] == [None] * 3


def test_a_session_that_is_released_while_its_process_lives_goes_on_at_once() -> None:
    agent = HangsFirst()
    with Scenario(agent, policy=FAR) as room:
        room.says("one")
        room.until(lambda: agent.runs)
        room.crash()
        room.given("UPDATE runs SET attempt = 3")
        life = room.boot()
        room.says("two")
        room.rest()
        assert room.visible()[-1].startswith("(This conversation is set aside.")
        heard: list[object] = []
        life.core.operations.release(SessionId(1), heard.append)
        room.rest()
        assert heard == [None]
        assert room.decisions() == ["ATTEMPTS_EXHAUSTED", "RESUME"]
        assert room.visible()[-1] == "re one\ntwo"
        assert [row.attempt for row in room.runs()] == [0, 1]


def test_who_ordered_a_release_hears_that_it_may_be_done_when_the_house_falls_meanwhile() -> None:
    heard: list[BusyError | RefusedError | None] = []
    with Scenario(policy=FAR) as room:
        room.says("one")
        room.rest()
        assert room.life is not None
        room.life.core.operations.release(SessionId(1), heard.append)
        room.life.core.operations.release(SessionId(99), heard.append)
        room.life.core.abandon()
    assert [str(each)[:30] for each in heard] == ["the service fell, or ended, wh"] * 2
    assert all(isinstance(each, BusyError) for each in heard)


def test_a_release_that_is_ordered_twice_at_once_is_answered_twice() -> None:
    heard: list[BusyError | RefusedError | None] = []
    with Scenario(policy=FAR) as room:
        room.says("one")
        room.rest()
        assert room.life is not None
        for _ in range(2):
            room.life.core.operations.release(SessionId(1), heard.append)
        room.rest()
        assert heard == [None, None]


def test_a_session_whose_actor_dies_before_it_wrote_its_release_is_released_all_the_same() -> None:
    heard: list[BusyError | RefusedError | None] = []
    with Scenario(agent := HangsFirst(), policy=FAR) as room:
        room.says("one")
        room.until(lambda: agent.runs)
        room.says("/suspend")
        room.advance(5)  # Its actor lives.
        room.accident(Accident.SESSION_RAISES)
        assert room.life is not None
        room.life.core.operations.release(SessionId(1), heard.append)
        room.rest()
        assert heard == [None]
        assert room.rows("SELECT id FROM sessions WHERE suspended_at IS NOT NULL") == []
        assert room.visible()[-1] == "re one"


@pytest.mark.parametrize("writes", [False, True])
def test_a_session_that_was_suspended_in_this_life_goes_on_at_once_when_it_is_released(writes: bool) -> None:
    """Its actor lives, and its run is of this life: it was taken for one that somebody works at."""
    with Scenario(agent := HangsFirst(), policy=FAR) as room:
        room.says("one")
        room.until(lambda: agent.runs)
        room.says("/suspend")
        room.advance(5)
        assert room.life is not None
        room.life.core.operations.release(SessionId(1), lambda _: None)
        if writes:
            room.says("two")
        room.rest()
        assert room.visible()[-1] == ("re one\ntwo" if writes else "re one")
        assert room.broken(at_rest=False) == []


def test_a_session_that_was_quarantined_in_this_life_goes_on_at_once_when_it_is_released() -> None:
    with Scenario(agent := HangsFirst(), policy=Policy(restarts_max=2, unclean_boots_max=99, attempts_max=99)) as room:
        room.says("one")
        room.until(lambda: agent.runs)
        room.accident(Accident.SESSIONS_KEEP_FAILING)
        room.says("/status")
        room.rest()
        assert room.decisions()[-1] == "RESTARTS_EXHAUSTED"
        room.accidents.clear()
        room.says("/status")  # Its actor lives again, and says that it is set aside.
        room.advance(5)
        assert room.life is not None
        room.life.core.operations.release(SessionId(1), lambda _: None)
        room.rest()
        assert room.visible()[-1] == "re one"
        assert room.broken(at_rest=False) == []


def test_what_runs_in_a_suspended_session_is_let_be_when_it_is_released() -> None:
    agent = HangsFirst()
    with Scenario(agent, policy=FAR) as room:
        room.says("one")
        room.until(lambda: agent.runs)
        assert room.life is not None
        room.life.core.operations.release(SessionId(1), lambda _: None)
        room.advance(1)
        assert (room.decisions(), agent.runs, room.runs()[-1].open) == ([], 1, 1)


def test_whoever_writes_into_a_session_that_was_suspended_again_is_told_again() -> None:
    """Found by seed 1300003393: the second line had the name of the first, and only one of them had a row."""
    with Scenario(policy=FAR) as room:
        for text in ("one", "two"):
            room.says("/suspend")
            room.says(text, id=text)
            room.rest()
            room.deletes(text)
            room.rest()
            room.says("/resume")
            room.rest()
        told = [text for text in room.visible() if text.startswith("(This conversation is suspended.")]
        assert len(told) == 2
        assert room.broken() == []


def told(room: Scenario) -> int:
    return len([text for text in room.visible() if text.startswith("(This conversation is suspended.")])


def test_what_waits_behind_a_question_is_told_once_although_its_session_is_suspended_twice() -> None:
    """Found by seed 1728038804: an actor that woke between the two did not know, and one row was shown twice."""
    with Scenario(policy=Policy(unclean_boots_max=99, idle_s=IDLE_S)) as room:
        is_suspended_twice(room, 1)
        assert told(room) == 1
        assert room.world.mistakes == []
        room.says("/resume")
        room.rest()
        room.restart()
        room.says("/suspend")
        room.rest()
        assert told(room) == 1
        assert room.broken(at_rest=False) == []


@pytest.mark.parametrize("steps", range(12))
def test_a_session_that_is_suspended_while_it_is_released_does_what_the_disk_says(steps: int) -> None:
    """Found by seed 1735019981: its actor heard of the release after the suspension, and the disk the other way round."""
    with Scenario(policy=FAR) as room:
        is_suspended_while_it_is_given_back(room, steps)
        suspended = room.rows("SELECT id FROM sessions WHERE suspended_at IS NOT NULL") != []
        assert suspended != any(run.open and not run.interrupted_by for run in room.runs())
        assert room.world.mistakes == []


def test_what_waits_is_told_once_although_it_passes_to_a_new_conversation() -> None:
    """Found by seed 1728039441: the line's name was taken, and the new conversation was quarantined for it."""
    with Scenario(policy=Policy(unclean_boots_max=99, reset=Reset.IDLE, reset_after_s=3600.0)) as room:
        room.says("m1 answer")
        room.rest()
        room.crash()
        room.stays_down(4000)
        room.boot()
        for text in ("/suspend", "m2 answer"):
            room.says(text)
        room.rest()
        room.says("/resume")
        room.until(lambda: room.rows("SELECT 1 FROM sessions WHERE id = 2"))
        room.says("/suspend")
        room.rest()
        assert told(room) == 1
        room.says("/resume")
        room.rest()
        assert room.visible()[-1].endswith("answer <m2>")
        assert room.broken() == []


def test_who_was_told_of_a_suspension_hears_by_the_order_that_lifts_it_that_the_session_is_quarantined() -> None:
    """Found by seed 1300003393, too: a line more, of what the order's own reply says."""
    with Scenario(policy=Policy(restarts_max=2)) as room:
        room.says("/suspend")
        room.says("one")
        room.rest()
        room.accident(Accident.SESSIONS_KEEP_FAILING)
        room.says("two")
        room.rest()
        room.accidents.clear()
        room.says("/resume")
        room.says("three")
        room.rest()
        assert [text[:30] for text in room.visible() if "onversation is s" in text] == [
            "(This conversation is suspende",
            "This conversation is set aside",
        ]
        assert room.broken() == []


def test_a_stop_drops_what_waits_aside_and_who_writes_afterwards_is_told_again() -> None:
    """Found by seed 1320009854: each of the two waited by itself."""
    with Scenario(policy=FAR) as room:
        room.says("/suspend")
        for text in ("one", "two"):
            room.says(text)
            room.rest()
            room.says("/stop")
            room.rest()
        assert len([text for text in room.visible() if text.startswith("(This conversation is suspended.")]) == 2
        assert room.broken() == []


def test_a_quarantined_session_whose_actor_crashes_once_more_says_nothing_twice() -> None:
    """Found by seed 1730001419: the line took the anchor's place, and at the next crash it stood there once more."""
    with Scenario(policy=Policy(restarts_max=2, unclean_boots_max=99, attempts_max=99)) as room:
        goes_on_crashing(room, 1)
        room.rest()
        assert room.decisions().count("RESTARTS_EXHAUSTED") > 1
        assert len([text for text in room.visible() if "set this conversation aside" in text]) == 1
        assert room.broken(at_rest=False) == []
