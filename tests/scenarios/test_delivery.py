"""Nothing is lost, nothing is said twice, and the person is never left without a word: S060 to S094."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.scenarios.stage import causes, interrupt, listened, rules, said, shown

from greenroom.actors.entry import REPEAT_MARK
from greenroom.actors.ports import Conclusion, Turn
from greenroom.platforms.fakes.platform import Seen
from greenroom.storage.faulty_disk import Op
from greenroom.supervisor.sandbox.scenario import (
    DeliveryClass,
    FaultKind,
    Loss,
    PlatformFault,
    Policy,
    Scenario,
)

ONCE = [DeliveryClass.NATIVE_KEY, DeliveryClass.EDIT_ANCHOR, DeliveryClass.RECONCILE]
"""What can show a message exactly once."""


def answers(room: Scenario) -> list[str]:
    """The assistant's rows."""
    return [row.text for row in room.transcript() if row.role == "assistant"]


async def only_streams(turn: Turn) -> None:
    await turn.say("All of it ")
    await turn.say("was streamed.")


def test_s060_an_answer_that_was_only_shown_is_stored_as_one_row() -> None:
    """S060. Answer and delivery are one transaction, so that nothing is to be backfilled afterwards."""
    with Scenario(only_streams) as room:
        room.says("Tell me")
        room.rest()
        assert room.visible() == ["All of it was streamed."] == answers(room)


def test_s061_where_the_agent_wrote_its_own_answer_none_is_added() -> None:
    """S061."""

    async def agent(turn: Any) -> str:
        await turn.transcript.append_many([{"role": "assistant", "text": "Mine.", "finish": "stop", "key": "a"}])
        return "Mine."

    with Scenario(agent) as room:
        room.says("Tell me")
        room.rest()
        assert room.visible() == ["Mine."] == answers(room)


def test_s062_an_empty_answer_adds_no_row_of_the_assistant() -> None:
    """S062."""
    with Scenario() as room:
        room.says("m1 nothing")
        room.rest()
        assert answers(room) == []
        assert room.visible() != []


@pytest.mark.parametrize(
    "kind, op", [(FaultKind.IO_ERROR, "write"), (FaultKind.FULL, "write"), (FaultKind.IO_ERROR, "sync")]
)
def test_s063_a_disk_that_fails_at_the_answer_costs_nobody_the_answer(kind: FaultKind, op: Op) -> None:
    """S063. Nothing is checked afterwards here; what fails is a read or the write, and it is made again."""
    with Scenario() as room:
        room.says("m1 nap answer")
        room.advance(2)
        room.disk_fails(kind, op, times=None)
        room.says("m2 answer", 2)
        room.advance(5)
        assert answers(room) == []
        room.disk_heals()
        room.rest()
        assert room.visible() == ["answer <m1>"] == answers(room)


@pytest.mark.parametrize("delivery", DeliveryClass)
def test_s065_an_answer_that_was_stored_and_not_sent_is_sent_plain(delivery: DeliveryClass) -> None:
    """S065."""
    room, agent = listened(platforms=[delivery])
    with room:
        room.wire().choose = lambda _: PlatformFault.NOT_SENT
        room.says("m1 answer")
        room.until(lambda: answers(room))
        room.crash()
        assert "answer <m1>" not in shown(room)
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert len(agent.heard) == 1


@pytest.mark.parametrize("delivery", DeliveryClass)
def test_s066_a_process_killed_while_it_sent_shows_it_once_or_marks_the_repeat(delivery: DeliveryClass) -> None:
    """S066. Once where the platform can; where it has neither key nor edit, the repeat says so."""
    with Scenario(platforms=[delivery]) as room:
        room.wire().choose = lambda seen: PlatformFault.HANGS_AFTER if "<m1>" in seen.text else None
        room.says("m1 answer")
        room.until(lambda: "answer <m1>" in shown(room))
        room.crash()
        room.boot()
        room.rest()
        repeat = [REPEAT_MARK + "answer <m1>"] if delivery is DeliveryClass.NONE else []
        assert room.visible() == ["answer <m1>", *repeat]
        assert room.broken() == []


@pytest.mark.parametrize("delivery", DeliveryClass)
def test_s068_a_storm_of_503_is_waited_out_without_a_restart(delivery: DeliveryClass) -> None:
    """S068."""
    with Scenario(platforms=[delivery]) as room:
        room.platform_fails(*[PlatformFault.NOT_SENT] * 9)
        room.says("m1 answer")
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert len(room.wire().calls) >= 10


def test_s070_what_keeps_failing_is_given_up_and_not_sent_at_every_boot() -> None:
    """S070."""
    with Scenario(platforms=[DeliveryClass.NATIVE_KEY]) as room:
        room.wire().choose = lambda _: PlatformFault.BREAKS_BEFORE
        room.says("m1 answer")
        room.rest()
        (delivery,) = room.deliveries()
        assert delivery.state == "dead"
        assert len(room.rows("SELECT * FROM dead_letters")) == 1
        room.restart()
        room.rest()
        assert room.wire().calls == []


def test_s073_while_nothing_can_be_stored_nothing_goes_out_and_then_all_of_it_does() -> None:
    """S073. The design turns it around: what is not on disk is not sent, and it is sent when the disk is back."""
    with Scenario() as room:
        room.says("m1 nap answer")
        room.advance(2)
        room.disk_fails(FaultKind.READ_ONLY, "write", times=None)
        room.advance(30)
        assert "answer <m1>" not in shown(room)
        room.disk_heals()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert room.broken() == []


def test_s074_what_was_queued_before_or_during_a_drain_is_handled_by_the_next_process() -> None:
    """S074."""
    with Scenario(policy=Policy(drain_s=10.0)) as room:
        room.says("m1 doze answer")
        room.advance(1)
        room.says("m2 answer")
        room.advance(1)
        room.order_drain()
        room.says("m3 answer")
        room.advance(120)
        room.drain()
        assert len(room.runs()) == 1
        room.boot()
        room.rest()
        assert said(room) == ["m1 doze answer", "m2 answer", "m3 answer"]
        assert room.broken() == []


def test_s077_what_waits_is_answered_together_and_in_order() -> None:
    """S077. The design hands all that waits to one run, which answers it in order."""
    with Scenario() as room:
        room.says("m1 nap answer")
        room.advance(1)
        for n in range(2, 7):
            room.says(f"m{n} answer")
        room.rest()
        assert room.visible() == ["answer <m1>", "answer <m2> <m3> <m4> <m5> <m6>"]
        assert room.broken() == []


def test_s078_what_was_acknowledged_is_handled_after_a_crash() -> None:
    """S078."""
    with Scenario() as room:
        update = room.says("m1 answer")
        room.until(lambda: update in room.world.networks[0].server.acknowledged)
        room.crash(Loss.UNSYNCED)
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert room.broken() == []


def test_s079_what_was_sent_while_the_process_was_off_is_all_handled() -> None:
    """S079."""
    with Scenario() as room:
        room.drain()
        for n in range(1, 7):
            room.says(f"m{n} answer")
        room.stays_down(3600)
        room.boot()
        room.rest()
        assert len(said(room)) == 6
        assert room.broken() == []


@pytest.mark.parametrize("clean", [True, False])
def test_s080_an_update_that_comes_again_after_a_restart_is_the_same_update(clean: bool) -> None:
    """S080."""
    with Scenario() as room:
        update = room.says("m1 answer")
        room.rest()
        if clean:
            room.drain()
        else:
            room.crash()
        room.says("m1 answer", id=update)
        room.boot()
        room.rest()
        assert len(room.inbox()) == len(room.runs()) == len(said(room)) == 1
        assert room.visible() == ["answer <m1>"]


def test_s082_an_idempotency_key_seen_before_is_dropped() -> None:
    """S082."""
    with Scenario() as room:
        update = room.says("m1 nap answer")
        for _ in range(2):
            room.advance(10)
            room.says("m1 nap answer", id=update)
        room.rest()
        assert len(room.inbox()) == 1
        assert room.visible() == ["answer <m1>"]


def test_s086_a_streamed_final_is_not_sent_again_and_a_failure_is_always_told() -> None:
    """S086."""
    with Scenario() as room:
        room.says("m1 say nap answer")
        room.rest()
        assert len(room.messages()) == 1
        assert room.visible()[0].startswith("(m1 words)")
        assert room.visible()[0].endswith("answer <m1>")
        room.says("m2 say fail")
        room.rest()
        assert room.visible()[1].startswith("(m2 words)")
        assert "failed" in room.visible()[1]
        assert room.world.networks[0].server.posts == 2


@pytest.mark.parametrize(
    "policy, endings",
    [
        (Policy(busy="interrupt"), ["superseded", "answered"]),
        (Policy(silent_max_s=20.0), ["failed", "answered"]),
    ],
    ids=["its user writes", "it gave no sign of life"],
)
def test_s087_the_late_answer_of_a_run_that_was_ended_is_suppressed(policy: Policy, endings: list[str]) -> None:
    """S087. The agent clings to its turn, says more, and returns when it has been told to end."""
    returned: list[str] = []

    async def agent(turn: Turn) -> str:
        if turn.text == "first":
            try:
                await asyncio.sleep(40)
            except asyncio.CancelledError:
                await turn.say("late words")
                await asyncio.sleep(1)
            returned.append("late")
            return "late"
        await asyncio.sleep(5)
        return "in time"

    with Scenario(agent, policy=policy) as room:
        room.says("first")
        room.advance(15)
        room.says("second")
        room.rest()
        assert returned == ["late"]
        assert not any("late" in text for text in shown(room))
        assert [run.ending for run in room.runs()] == endings
        assert room.visible()[-1] == "in time"
        assert room.broken() == []


@pytest.mark.parametrize("delivery", ONCE)
def test_s088_an_answer_whose_sending_is_doubtful_three_times_is_visible_once(delivery: DeliveryClass) -> None:
    """S088."""
    with Scenario(platforms=[delivery]) as room:
        doubts = [PlatformFault.BREAKS_AFTER] * 3

        def choose(seen: Seen) -> PlatformFault | None:
            return doubts.pop() if doubts and "<m1>" in seen.text and seen.name != "find" else None

        room.wire().choose = choose
        room.says("m1 answer")
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert len(doubts) == (2 if delivery is DeliveryClass.RECONCILE else 0)  # it looks, and finds it
        assert room.broken() == []


def test_s089_a_crash_in_the_middle_of_a_stream_ends_in_the_same_message() -> None:
    """S089. The visible message is edited into the full answer, and the agent is told that it was cut short."""
    room, agent = listened()
    with room:
        interrupt(room, "m1 say nap answer", after_s=2.0)
        assert room.visible() == ["(m1 words) "]
        room.boot()
        room.rest()
        (message,) = room.messages()
        assert message.text.endswith("answer <m1>")
        assert "interrupted" in (agent.heard[-1].note or "")


@pytest.mark.parametrize("words", ["", "Half a sen"])
def test_s090_a_stream_that_died_is_told_to_the_person_and_to_the_model(words: str) -> None:
    """S090."""
    runs = 0

    async def agent(turn: Turn) -> Conclusion | str:
        nonlocal runs
        runs += 1
        rows = [row.text for row in await turn.messages() if row.kind == "failed"]
        return f"I know: {rows[0]}" if rows else Conclusion(words, finish=None)

    with Scenario(agent) as room:
        room.says("Do it")
        room.rest()
        room.restart()
        room.rest()
        assert runs == 1
        assert room.visible()[0].startswith(words)
        room.says("And?")
        room.rest()
        (failed,) = (row.text for row in room.transcript() if row.kind == "failed")
        assert room.visible()[-1] == f"I know: {failed}"
        assert room.visible()[0].endswith(failed)


def test_s091_a_message_is_stored_before_the_first_call_of_the_model() -> None:
    """S091."""
    with Scenario() as room:
        room.says("m1 hang")
        room.advance(1)
        room.crash(Loss.UNSYNCED)
        assert said(room) == ["m1 hang"]
        room.boot()
        room.advance(1)
        assert said(room) == ["m1 hang"]


def cut_by_silence(room: Scenario) -> None:
    room.says("m1 hang")
    room.rest()


def cut_by_age(room: Scenario) -> None:
    interrupt(room, "m1 hang")
    room.stays_down(86_400)
    room.boot()
    room.rest()


@pytest.mark.parametrize("cut", [cut_by_silence, cut_by_age])
def test_s093_a_run_that_ends_without_text_leaves_one_line(cut: Callable[[Scenario], None]) -> None:
    """S093."""
    with Scenario(policy=Policy(silent_max_s=300.0)) as room:
        cut(room)
        (line,) = room.visible()
        assert line.strip(". ")
        assert not room.runs()[-1].open


def test_s094_a_dead_chat_costs_no_other_and_works_again_when_it_is_back() -> None:
    """S094. Each answer is tried on its own: a chat that is back is served, and a dead one fails at its own cost."""
    with Scenario() as room:
        room.wire().choose = lambda seen: PlatformFault.REFUSED if seen.session == room.chat(1) else None
        room.says("m1 answer", 1)
        room.says("m2 answer", 2)
        room.rest()
        assert (room.visible(1), room.visible(2)) == ([], ["answer <m2>"])
        assert [row.state for row in room.deliveries(1)] == ["dead"]
        room.wire().choose = lambda _: None
        room.says("m3 answer", 1)
        room.rest()
        assert room.visible(1) == ["answer <m3>"]
        assert rules(room) == []
        assert causes(room) == ["inbound"] * 2
