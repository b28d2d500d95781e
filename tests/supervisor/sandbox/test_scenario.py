"""A story is told step by step, and has one end."""

import pytest

from greenroom.supervisor.sandbox.scenario import (
    Accident,
    DeliveryClass,
    FaultKind,
    Loss,
    NeverRestsError,
    PlatformFault,
    Scenario,
)


def test_a_once_tool_cut_off_in_the_middle_is_in_doubt_and_never_repeated() -> None:
    with Scenario() as room:
        room.says("m1 once answer")
        room.until(lambda: room.effects("once"))
        room.restart()
        room.rest()
        assert room.visible() == ["(m1.0 once in doubt) \n\nanswer <m1>"]
        assert room.effects("once") == 1
        assert room.decisions()[-1] == "RESUME"
        assert [row.cause for row in room.runs()] == ["inbound", "resume"]
        assert room.broken() == []


def test_what_is_said_while_the_process_is_down_is_answered_once() -> None:
    with Scenario() as room:
        room.crash()
        update = room.says("m1 answer")
        room.boot()
        room.rest()
        room.says("m1 answer", id=update)
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert len(room.inbox()) == 1


def test_faults_of_disk_and_platform_strike_where_they_are_told_to() -> None:
    with Scenario(platforms=[DeliveryClass.NATIVE_KEY]) as room:
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("m1 answer")
        room.advance(5)
        (told,) = room.visible()
        assert "the disk is full" in told
        room.disk_heals()
        room.platform_fails(PlatformFault.BREAKS_AFTER)
        room.rest()
        assert room.visible() == [told, "answer <m1>"]
        assert [call.name for call in room.wire().calls] == ["send", "send", "send"]


def test_a_cut_ends_the_process_at_that_operation() -> None:
    with Scenario() as room:
        room.disk_fails(FaultKind.CUT, "sync")
        room.says("m1 answer")
        room.rest()
        assert room.life is not None
        assert not room.life.lives()
        room.crash(Loss.UNSYNCED)
        assert room.inbox() == []
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]


def test_an_accident_in_a_session_is_recovered_from() -> None:
    with Scenario() as room:
        room.says("m1 nap answer")
        room.advance(1)
        room.accident(Accident.SESSION_RAISES)
        room.rest()
        assert room.visible()[-1] == "answer <m1>"
        assert room.decisions()[-1] == "RESUME"


def test_a_story_that_goes_on_without_end_is_refused() -> None:
    with Scenario() as room, pytest.raises(NeverRestsError):
        room.until(lambda: False)


def test_an_orderly_end_is_an_orderly_end() -> None:
    with Scenario() as room:
        room.says("m1 answer")
        room.rest()
        assert room.drain()
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert [row.ending for row in room.rows("SELECT * FROM boots ORDER BY epoch")][-2:] == ["clean", None]
