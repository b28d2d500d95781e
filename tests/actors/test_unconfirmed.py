"""An answer that was shown, over which words may have come late, and which cannot be shown once more."""

import pytest

from greenroom.actors.setback import UNCONFIRMED
from greenroom.platforms.fakes.platform import Fault
from greenroom.supervisor.sandbox.scenario import Scenario


@pytest.mark.parametrize("refused", [Fault.REFUSED, Fault.GONE])
def test_its_row_says_so_and_the_conversation_goes_on(refused: Fault) -> None:
    with Scenario(seed=1) as room:
        room.platform_fails(None, Fault.LATE, None, refused)
        room.says("m1 say nap answer")
        room.rest()
        (delivery,) = room.deliveries()
        assert delivery.state == "delivered"
        assert room.broken() == []
        assert delivery.error.startswith(UNCONFIRMED)
        assert room.visible() == ["(m1 words) "]
        room.says("m2 answer")
        room.rest()
        assert room.visible()[-1] == "answer <m2>"


def test_a_question_that_its_person_does_not_see_any_more_waits_for_their_next_words() -> None:
    """Found by seed 1741008886, a false alarm: nobody answers a question over which older words stand."""
    with Scenario(seed=1) as room:
        room.platform_fails(None, Fault.LATE, None, Fault.REFUSED)
        room.says("m1 say nap question answer")
        room.rest()
        assert room.visible() == ["(m1 words) "]
        assert room.broken() == []
        room.says("m2")
        room.rest()
        assert room.visible()[-1] == "answer <m1> <m2>"


def test_one_that_is_shown_once_more_has_nothing_against_it() -> None:
    with Scenario(seed=1) as room:
        room.platform_fails(None, Fault.LATE)
        room.says("m1 say nap answer")
        room.rest()
        assert [(each.state, each.error) for each in room.deliveries()] == [("delivered", None)]


@pytest.mark.parametrize("asleep_s", [1, 60, 7200])
def test_what_comes_late_while_the_host_sleeps_does_not_stay(asleep_s: float) -> None:
    """Found by seed 1718001744: that the answer was shown was heard an hour later, and taken for newer than it was."""
    with Scenario(seed=1) as room:
        room.platform_fails(None, Fault.LATE)
        room.says("m1 say nap answer")
        room.until(lambda: room.visible()[-1:] == ["(m1 words) \n\nanswer <m1>"])
        room.host_sleeps(asleep_s)
        room.rest()
        assert room.visible() == ["(m1 words) \n\nanswer <m1>"]
        assert room.broken() == []
