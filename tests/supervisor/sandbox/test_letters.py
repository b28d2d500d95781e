"""Stories of an operator who looks after deliveries, on each class of platform; and a host that does so itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenroom.actors.entry import REPEAT_MARK
from greenroom.actors.model import Delivery
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.supervisor.sandbox.letters import drop, resend
from greenroom.supervisor.sandbox.mutants_letters import given_up_and_wanted_back
from greenroom.supervisor.sandbox.scenario import DeliveryClass, PlatformFault, Policy, Scenario

KEY = "1.1.answer"
ARRIVED_AND_DEAD = (PlatformFault.BREAKS_AFTER, PlatformFault.REFUSED)


@pytest.fixture(params=list(DeliveryClass))
def room(request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """Each kind of platform has one answer that arrived, perhaps, and then was refused for ever."""
    with Scenario(platforms=(request.param,)) as room:
        room.platform_fails(*ARRIVED_AND_DEAD, *ARRIVED_AND_DEAD)
        room.says("m1 answer")
        room.rest()
        yield room


def state(room: Scenario) -> list[str]:
    return [row.state for row in room.deliveries()]


def test_a_letter_that_is_sent_again_is_read_once_or_marked_where_that_cannot_be(room: Scenario) -> None:
    room.wire().faults.clear()
    if state(room) == ["dead"]:
        resend(room.world, KEY)
    room.rest()
    assert state(room) == ["delivered"]
    words = [text for text in room.visible() if text != "..."]
    marked = room.world.networks[0].delivery is DeliveryClass.NONE
    assert words == (["answer <m1>", REPEAT_MARK + "answer <m1>"] if marked else ["answer <m1>"])
    assert room.broken() == []


def test_a_letter_that_is_to_be_sent_again_while_nothing_runs_is_sent_by_the_next_start(room: Scenario) -> None:
    room.wire().faults.clear()
    room.crash()
    resend(room.world, KEY)
    room.stays_down(5)
    room.boot()
    room.rest()
    assert state(room) == ["delivered"]
    assert room.broken() == []


def test_what_was_given_up_is_sent_by_no_process_any_more() -> None:
    with Scenario(platforms=(DeliveryClass.NATIVE_KEY,)) as room:
        room.platform_fails(PlatformFault.NOT_SENT)
        room.says("m1 answer")
        room.advance(0.5)
        drop(room.world, KEY)
        room.rest()
        assert (state(room), room.visible()) == (["dead"], [])
        room.restart()
        room.says("m2 answer")
        room.rest()
        assert room.visible() == ["answer <m2>"]
        assert room.rows("SELECT 1 FROM dead_letters") == []
        assert room.broken() == []


def test_a_question_that_is_given_up_was_never_asked_and_its_agent_goes_on() -> None:
    with Scenario(platforms=(DeliveryClass.NATIVE_KEY,)) as room:
        room.platform_fails(*[PlatformFault.NOT_SENT] * 20)
        room.says("m1 question answer")
        room.advance(1)
        assert [row.kind for row in room.deliveries()] == ["question"]
        drop(room.world, KEY)
        room.wire().faults.clear()
        room.rest()
        (question,) = room.of_session("questions")
        assert (question.answer, question.lapsed) == (None, "undelivered")
        assert len(room.visible()) == 1
        assert room.broken() == []


@pytest.mark.parametrize("anchored", [True, False])
def test_a_question_that_is_over_is_not_asked_again(*, anchored: bool) -> None:
    """Found by seed 1722004821: one that took its anchor's place counted as an answer, and could be asked again."""
    policy = Policy(placeholder_after_s=0.0 if anchored else 60.0)
    with Scenario(policy=policy, platforms=(DeliveryClass.NATIVE_KEY,)) as room:
        room.platform_fails(*[PlatformFault.NOT_SENT] * 20)
        room.says("m1 question answer")
        room.advance(1)
        drop(room.world, KEY)
        room.wire().faults.clear()
        room.rest()
        resend(room.world, KEY)
        room.rest()
        (asked, told) = room.deliveries()
        assert (asked.kind, asked.state, told.kind) == ("question", "dead", "answer")
        assert len(room.visible()) == 1
        assert room.broken() == []


def test_a_host_hears_why_nothing_came_of_it() -> None:
    told: list[Delivery | Exception] = []
    with Scenario() as room:
        assert room.life is not None
        letters = room.life.core.letters
        room.says("m1 answer")
        room.rest()
        letters.resend("nothing", told.append)
        letters.resend(KEY, told.append)
        letters.drop(KEY, told.append)
        room.rest()
        room.drain()
        letters.resend(KEY, told.append)
    assert [type(each) for each in told] == [RefusedError, RefusedError, RefusedError, BusyError]
    assert [str(each) for each in told[1:3]] == [f"delivery {KEY} is delivered: its person can read it"] * 2


@pytest.mark.parametrize("kind", list(DeliveryClass))
def test_what_was_given_up_and_wanted_back_while_its_platform_was_away_is_shown_once(kind: DeliveryClass) -> None:
    """Found by seed 1701003967: the chat queued twice for its turn, and made two calls at once."""
    with Scenario(platforms=(kind,)) as room:
        given_up_and_wanted_back(room, 1)
        room.rest()
        assert [text.removeprefix(REPEAT_MARK) for text in room.visible() if text != "..."] == ["answer <m1>"]
        assert state(room) == ["delivered"]
        assert room.broken() == []
