"""What chats are told of a disk that refuses: who waits where the answer will come, who writes in a line, once."""

import asyncio

from greenroom.actors.lines import trouble_line
from greenroom.actors.ports import Turn
from greenroom.platforms.fakes.platform import Fault
from greenroom.storage.faulty_disk import FaultKind
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.scenario import DeliveryClass, Scenario
from greenroom.supervisor.sandbox.stories_trouble import writes_to_a_disk_that_refuses

FULL = trouble_line("cannot save right now: the disk is full")


def test_who_writes_is_told_once_a_trouble_and_answered_when_it_is_over() -> None:
    with Scenario() as room:
        writes_to_a_disk_that_refuses(room, 1)
        assert room.visible() == ["answer <m0>", FULL]
        room.rest()
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("m3 answer")
        room.advance(20)
        room.disk_heals()
        room.rest()
        assert room.visible() == ["answer <m0>", FULL, "answer <m1>", "answer <m2>", FULL, "answer <m3>"]
        assert room.broken() == []


def test_who_waits_is_told_where_the_words_come_and_these_stand_there_alone_afterwards() -> None:
    with Scenario() as room:
        room.says("m1 say doze answer")
        room.advance(10)
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("m2 answer")
        room.advance(20)
        assert room.visible() == [f"(m1 words)\n\n{FULL}"]
        room.disk_heals()
        room.advance(10)
        assert room.visible() == ["(m1 words)"]
        room.rest()
        assert room.visible() == ["(m1 words) \n\nanswer <m1>", "answer <m2>"]
        assert room.broken() == []


def test_words_that_begin_as_a_placeholder_does_are_not_one() -> None:
    async def agent(turn: Turn) -> str:
        await turn.say("...well, ")
        await asyncio.sleep(100)
        return "yes"

    with Scenario(agent) as room:
        room.says("is it?")
        room.advance(10)
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("hm", 2)
        room.advance(20)
        assert room.visible() == [f"...well,\n\n{FULL}"]
        room.disk_heals()
        room.advance(10)
        assert room.visible() == ["...well,"]


def test_where_nothing_was_said_yet_the_placeholder_stands_again() -> None:
    with Scenario() as room:
        room.says("m1 doze answer")
        room.advance(10)
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("m2 answer", 2)
        room.advance(20)
        assert room.visible() == [FULL]
        room.disk_heals()
        room.advance(10)
        assert room.visible() == ["..."]


def test_who_waits_where_words_cannot_be_changed_is_told_in_a_line() -> None:
    with Scenario(platforms=(DeliveryClass.NONE,)) as room:
        room.says("m1 doze answer")
        room.advance(10)
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("m2 answer", 2)
        room.advance(20)
        assert FULL in room.visible(2)
        assert room.broken(at_rest=False) == []


def test_while_nobody_can_say_whose_database_it_is_nobody_is_told_and_not_afterwards_either() -> None:
    with Scenario() as room:
        room.says("m0 answer")
        room.rest()
        for op in ("write", "read"):
            room.disk_fails(FaultKind.IO_ERROR, op, times=None)
        room.says("m1 answer")
        room.advance(20)
        room.disk_heals()
        room.rest()
        assert room.visible() == ["answer <m0>", "answer <m1>"]
        assert room.broken() == []


def test_who_was_not_told_before_it_is_over_is_not_told_afterwards() -> None:
    """Found by seed 1743042057: the outbox came to it when the disk took writes again."""
    with Scenario() as room:
        room.says("m0 answer")
        room.rest()
        assert room.life is not None
        attachments = room.life.core.attachments
        attachments.hear_trouble("cannot save right now: the disk is full")
        attachments.tell_trouble(room.chat())
        attachments.hear_trouble(None)
        room.rest()
        assert room.visible() == ["answer <m0>"]


def test_a_stranger_hears_nothing_of_it() -> None:
    with Scenario(policy=Policy(allow=())) as room:
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("m1 answer")
        room.advance(20)
        assert room.visible() == []


def test_a_line_that_cannot_be_shown_is_not_shown_later() -> None:
    with Scenario() as room:
        room.says("m0 answer")
        room.rest()
        room.platform_fails(Fault.NOT_SENT)
        room.disk_fails(FaultKind.FULL, "write", times=None)
        room.says("m1 answer")
        room.advance(20)
        room.disk_heals()
        room.rest()
        assert room.visible() == ["answer <m0>", "answer <m1>"]
