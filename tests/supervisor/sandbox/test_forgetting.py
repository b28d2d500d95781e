"""Stories of a chat that is forgotten while the house stands: whatever goes on there, nothing of it is left."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from greenroom.actors.model import SessionId
from greenroom.actors.ports import BusyError, RefusedError, Turn
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.forgetting import forget
from greenroom.supervisor.sandbox.invariants_forgetting import what_is_forgotten_has_no_row
from greenroom.supervisor.sandbox.scenario import DeliveryClass, PlatformFault, Scenario

ONE = SessionId(1)


def forgotten(room: Scenario) -> bool:
    """Whether the operator was told so, and it is true, and nothing was said of it since."""
    room.rest()
    left = room._look(lambda db: list(what_is_forgotten_has_no_row(db, room.world)))
    return bool(room.world.mail.forgotten) and not left and not room.world.mistakes


def test_a_run_is_stopped_and_its_chat_forgotten_and_the_next_message_begins_anew() -> None:
    with Scenario() as room:
        room.says("m1 answer", 2)
        room.advance(1)
        room.says("m2 say nap hang answer")
        room.advance(2)
        forget(room.world, SessionId(2))
        assert forgotten(room)
        room.says("m3 answer")
        room.rest()
        assert room.visible()[-1] == "answer <m3>"
        assert [row.text for row in room.transcript() if row.role == "user"] == ["m3 answer"]
        assert [row.text for row in room.transcript(2) if row.role == "user"] == ["m1 answer"]


def test_background_processes_are_ended_first() -> None:
    with Scenario() as room:
        room.says("m1 process:forget answer")
        room.until(lambda: [row.state for row in room.of_session("processes")] == ["running"])
        forget(room.world, ONE)
        assert forgotten(room)
        assert room.world.machine.living() == []


def test_what_was_owed_is_not_sent_any_more_and_a_call_under_way_kills_nobody() -> None:
    for fault in (PlatformFault.NOT_SENT, PlatformFault.SLOW, PlatformFault.HANGS_BEFORE):
        with Scenario(platforms=(DeliveryClass.NATIVE_KEY,)) as room:
            room.platform_fails(fault)
            room.says("m1 answer")
            room.advance(0.5)
            forget(room.world, ONE)
            room.advance(0.1)
            room.world.calm = True  # From here on no actor may die.
            assert forgotten(room)
            room.restart()
            assert forgotten(room)


def test_a_crash_in_the_middle_leaves_all_or_nothing() -> None:
    with Scenario() as room:
        room.says("m1 say nap hang answer")
        room.advance(2)
        forget(room.world, ONE)
        room.restart()
        room.rest()
        rows = room.rows("SELECT 1 FROM sessions")
        assert bool(rows) is bool(room.rows("SELECT 1 FROM messages"))
        assert room.broken(at_rest=False) == []
        forget(room.world, ONE)
        assert forgotten(room) or not rows


def test_who_waits_for_an_answer_hears_that_there_will_be_none_and_a_number_that_is_gone_is_refused() -> None:
    told: list[Any] = []
    with Scenario() as room:
        assert room.life is not None
        room.says("m1 answer")
        room.rest()
        for _ in range(2):
            room.life.core.erasing.forget(ONE, told.append, whole_chat=True)
            room.rest()
    assert told[0].ids == (ONE,)
    assert isinstance(told[1], RefusedError)
    assert str(told[1]) == "there is no session 1; `greenroom sessions` lists them"


def test_who_waits_for_a_chat_that_does_not_come_to_rest_hears_of_the_end() -> None:
    async def stubborn(_turn: Turn) -> str:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    told: list[Any] = []
    with Scenario(stubborn, policy=Policy(drain_s=1.0)) as room:
        assert room.life is not None
        room.says("work")
        room.advance(1)
        room.life.core.erasing.forget(ONE, told.append, whole_chat=False)
        room.drain()
        room.boot()
    assert [type(each) for each in told] == [BusyError]
    assert "closed meanwhile" in str(told[0])
