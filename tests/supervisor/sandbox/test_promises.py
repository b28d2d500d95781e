"""Promises that are watched as things happen: each has its sentence, and none cries wolf."""

import ast
import math
import random
from pathlib import Path

from greenroom.actors.acts import ShowText
from greenroom.supervisor import sandbox
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.faults import DEFAULT_MIX
from greenroom.supervisor.sandbox.invariants import AFTER_BOOT, AS_IT_HAPPENS, AT_THE_END
from greenroom.supervisor.sandbox.notices import Notices
from greenroom.supervisor.sandbox.parts import Parts
from greenroom.supervisor.sandbox.people import People
from greenroom.supervisor.sandbox.scenario import DeliveryClass, FaultKind, Scenario
from greenroom.supervisor.sandbox.stories_drain import drained_after_a_notice

WORKS_ON = Policy(notice_first_s=20.0, notice_every_s=30.0, drain_s=120.0)


def named_in_code() -> set[str]:
    """The names that are given to promises outside of the two lists of checks."""
    (folder,) = sandbox.__path__
    trees = (ast.parse(path.read_text()) for path in sorted(Path(folder).glob("*.py")))
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    told = (call.args[0] for call in calls if ast.unparse(call.func).endswith(("break_promise", "Violation")))
    return {str(name.value) for name in told if isinstance(name, ast.Constant)}


def test_each_promise_that_is_watched_has_its_sentence() -> None:
    assert {*named_in_code(), "same_seed_same_run"} == set(AS_IT_HAPPENS)
    assert all(sentence.endswith(".") for sentence in AS_IT_HAPPENS.values())


def test_each_promise_that_is_looked_up_has_its_sentence_and_its_name() -> None:
    names = [check.__name__ for check in AT_THE_END]
    assert len(set(names)) == len(names)
    assert not set(names) & set(AS_IT_HAPPENS)
    assert set(AFTER_BOOT) < set(AT_THE_END)
    assert all((check.__doc__ or "").strip() for check in AT_THE_END)


def test_a_message_that_was_handed_to_a_run_is_not_old_although_its_agent_never_began() -> None:
    """Seed 5834: the run that was opened for it died before the agent's first step."""
    with Scenario(policy=Policy(fresh_s=3_600.0)) as room:
        room.says("m1 hang")
        room.advance(1)
        room.says("m2 answer")
        room.advance(1)
        room.crash()
        room.stays_down(5_000)
        room.boot()
        room.until(lambda: len(room.runs()) == 2)
        room.restart(after_s=500)
        room.rest()
        assert [row.cause for row in room.runs()] == ["inbound", "inbound", "resume"]
        assert room.visible()[-1] == "answer <m2>"
        assert room.broken() == []


def test_notices_come_at_their_intervals_and_no_more_once_the_process_is_to_end() -> None:
    with Scenario(policy=WORKS_ON) as room:
        drained_after_a_notice(room, 0)
        seen = [text for message in room.messages() for text in message.texts if "Still working" in text]
        assert seen == ["(Still working, 20 s)"]
        assert room.world.mistakes == []


def test_an_overtaken_process_ends_and_the_next_one_goes_on() -> None:
    with Scenario(policy=Policy(notice_first_s=20.0)) as room:
        room.says("m1 say doze answer")
        room.advance(5)
        assert room.life is not None
        room.life.be_taken_over()
        room.advance(200)
        assert str(room.life.over).startswith("fatal: another process")
        assert room.visible() == ["(m1 words) "]
        room.restart()
        room.rest()
        assert room.visible() == ["(m1 words) \n\nanswer <m1>"]
        assert room.broken() == []


def test_what_an_overtaken_process_believes_of_its_work_is_nobodys_notice() -> None:
    """Seed 1320003064: its answer was refused, and its notice came before its host had ended it."""
    with Scenario() as room:
        world, chat, act = room.world, room.chat(), ShowText("1.1.answer", "(Still working, 20 s)")
        world.resting[str(chat)] = world.now
        room.advance(20)
        world.overtaken_at = world.now
        Notices(world, 30.0).hear(chat, act)
        assert world.mistakes == []
        world.overtaken_at = None
        Notices(world, 30.0).hear(chat, act)
        assert [each.split(":")[0] for each in world.mistakes] == ["a_notice_needs_a_worker"]


def test_a_slow_disk_makes_everything_late_and_nothing_wrong() -> None:
    with Scenario(platforms=[DeliveryClass.NATIVE_KEY]) as room:
        room.says("m1 once answer")
        room.advance(0.1)
        room.disk_fails(FaultKind.SLOW, "sync", times=None)
        room.says("m2 answer", 2)
        room.advance(20)
        room.disk_heals()
        room.rest()
        assert room.world.now > 5
        assert (room.visible(), room.visible(2)) == (["answer <m1>"], ["answer <m2>"])
        assert room.life is not None
        assert room.life.troubles == []
        assert room.broken() == []


def people_of(room: Scenario) -> People:
    return People(room.world, random.Random(1), DEFAULT_MIX, Parts())


def test_who_read_a_question_can_answer_it_when_it_was_removed() -> None:
    with Scenario() as room:
        room.says("m1 question answer")
        room.advance(5)
        room.world.network_of(room.chat()).server.delete(room.messages()[-1].id)
        assert people_of(room).reply()
        room.rest()
        assert room.visible()[-1] == "answer <m1> <r2>"
        assert room.broken() == []


def test_a_moment_that_is_missed_by_rounding_is_reached() -> None:
    with Scenario() as room:
        people, said = people_of(room), len(room.world.said)
        assert people.next_at is not None
        room.crash()
        room.world.began = math.nextafter(people.next_at, 0.0)
        people.act()
        assert len(room.world.said) == said + 1
        room.boot()
