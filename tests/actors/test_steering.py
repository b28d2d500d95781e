"""Messages that come while a run works: under each policy they are answered once, and their person knows what became."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.actors.session_stage import CALL, G1, G2, NOW, after, kinds, of, phase_run, running, said

from greenroom.actors.acts import CancelRun, Confirm, Deliver, StartRun
from greenroom.actors.events import Answered, Arrived, Asked, Drained, Listened, RunEnded, Spoke, ToolCalled
from greenroom.actors.facts import InboundTaken, MessageAppended, RunClosed, RunMarked, RunOpened, RunProgressed
from greenroom.actors.lines import STEERED_LINE, UNSTEERED_LINE
from greenroom.actors.model import Change, Ending, InboxId, InterruptReason, Question
from greenroom.actors.ports import Turn
from greenroom.actors.rules import Busy, Rules
from greenroom.actors.session import Running
from greenroom.actors.steering import wish_of
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

INTERRUPT, STEER = Rules(busy=Busy.INTERRUPT), Rules(busy=Busy.STEER)
LISTENED = Listened(G1, "steering.1")


def test_an_interrupting_message_ends_the_run_and_the_next_one_handles_both() -> None:
    session, effects = after(running(), Spoke(G1, "Well"), Arrived(said(2, "no, that")), rules=INTERRUPT)
    run = phase_run(session)
    assert (run.generation, run.work, run.attempt) == (G2, G1, 1)
    assert (of(RunClosed, effects)[0].ending, of(RunMarked, effects)[0].reason) == (
        Ending.SUPERSEDED,
        InterruptReason.USER_WROTE,
    )
    assert of(MessageAppended, effects)[0].message.text == "Well"
    assert [row.text for row in of(StartRun, effects)[0].new] == ["no, that"]
    assert "the user wrote again" in str(of(StartRun, effects)[0].note)
    assert kinds(effects).index("CancelRun") < kinds(effects).index("StartRun")
    assert isinstance(session.phase, Running)
    assert session.phase.upto == session.tail.user_seq


def test_calls_that_an_interruption_cuts_off_are_closed_before_anything_else_is_said() -> None:
    _, effects = after(running(), Spoke(G1, "Well"), ToolCalled(G1, CALL), Arrived(said(2)), rules=INTERRUPT)
    roles = [fact.message.role.value for fact in of(MessageAppended, effects)]
    assert roles == ["tool", "assistant", "system", "user"]
    assert of(RunOpened, effects)


def test_nothing_is_interrupted_in_a_drain_nor_while_the_user_is_asked() -> None:
    drained, _ = after(running(), Drained(InterruptReason.SHUTDOWN_TIMEOUT))
    session, effects = after(drained, Arrived(said(2)), rules=INTERRUPT)
    assert (kinds(effects), len(session.waiting)) == ([], 1)
    asking, _ = after(running(), Asked(G1, Question("q", "Which?"), ""))
    assert not of(CancelRun, after(asking, Arrived(said(2)), rules=INTERRUPT)[1])


def test_a_steering_message_waits_until_the_agent_asks_and_is_then_its_runs() -> None:
    waiting, effects = after(running(), Arrived(said(2, "shorter")), rules=STEER)
    assert kinds(effects) == []
    session, effects = after(waiting, LISTENED, rules=STEER)
    assert [fact.inbox_id for fact in of(InboundTaken, effects)] == [InboxId(2)]
    assert of(InboundTaken, effects)[0].generation == G1
    assert of(RunProgressed, effects)[0].tail.user_seq == session.tail.user_seq
    assert isinstance(session.phase, Running)
    assert session.phase.upto == session.tail.user_seq
    assert [message.text for message in of(Confirm, effects)[0].answer] == ["shorter"]
    assert of(Deliver, effects)[0].delivery.text == STEERED_LINE
    assert session.waiting == ()


def test_an_agent_that_asks_for_nothing_there_is_told_so() -> None:
    for rules in (STEER, INTERRUPT, Rules()):
        _, effects = after(running(), LISTENED, rules=rules)
        assert effects.acts == (Confirm(G1, "steering.1", ()),)
        assert effects.facts == ()
    queued, _ = after(running(), Arrived(said(2)))
    assert after(queued, LISTENED)[1].facts == ()


def test_nothing_is_handed_over_in_a_drain_or_to_a_run_that_is_over() -> None:
    waiting, _ = after(running(), Arrived(said(2)), Drained(InterruptReason.SHUTDOWN_TIMEOUT), rules=STEER)
    assert after(waiting, LISTENED, rules=STEER)[1].facts == ()
    assert kinds(after(waiting, Listened(G2, "steering.1"), rules=STEER)[1]) == []


def test_who_steered_a_run_that_did_not_ask_is_told_and_answered_by_the_next() -> None:
    waiting, _ = after(running(), Arrived(said(2, "shorter")), rules=STEER)
    session, effects = after(waiting, RunEnded(G1, Answered("long")), rules=STEER, now=NOW + 1)
    assert UNSTEERED_LINE in [act.delivery.text for act in of(Deliver, effects)]
    assert [row.text for row in of(StartRun, effects)[0].new] == ["shorter"]
    assert phase_run(session).work == G2


def test_who_steered_is_told_nothing_by_a_process_that_is_about_to_end() -> None:
    """It would say that it answers now, which the next one does."""
    waiting, _ = after(running(), Arrived(said(2)), Drained(InterruptReason.SHUTDOWN_TIMEOUT), rules=STEER)
    _, effects = after(waiting, RunEnded(G1, Answered("long")), rules=STEER)
    assert UNSTEERED_LINE not in [act.delivery.text for act in of(Deliver, effects)]


async def listening(turn: Turn) -> str:
    """Work for ten seconds, and look each second whether the user says more."""
    words = [turn.text]
    for _ in range(10):
        await asyncio.sleep(1)
        words += [message.text for message in await turn.steered()]
    assert turn.text == "\n".join(words)
    return " + ".join(words)


def test_the_agent_gets_what_steers_it_and_answers_both_at_once() -> None:
    with Scenario(listening, policy=Policy(busy="steer")) as room:
        room.says("a poem")
        room.advance(3)
        room.says("a short one")
        room.rest()
        assert room.visible() == ["a poem + a short one", STEERED_LINE]
        assert [run.ending for run in room.runs()] == ["answered"]


def test_what_steered_a_run_that_died_is_unanswered_for_the_next() -> None:
    with Scenario(listening, policy=Policy(busy="steer")) as room:
        room.says("a poem")
        room.advance(3)
        room.says("a short one")
        room.advance(3)
        room.crash()
        room.boot()
        room.rest()
        assert room.visible()[0] == "a poem\na short one"
        assert [run.work for run in room.runs()] == [1, 1]
        assert len(room.inbox()) == 2


def test_one_anchor_and_one_answer_cover_an_interrupted_request_and_what_ended_it() -> None:
    with Scenario(policy=Policy(busy="interrupt")) as room:
        room.says("m1 say nap answer")
        room.advance(2)
        room.says("m2 answer")
        room.rest()
        assert room.visible() == ["(m1 words) \n\nanswer <m1> <m2>"]
        assert [run.ending for run in room.runs()] == ["superseded", "answered"]
        assert "(m1 words) " in [row.text for row in room.transcript()]
        assert room.broken() == []


def test_a_policy_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="queue, interrupt, steer"):
        Policy(busy="shout")


def test_a_message_says_itself_whether_it_waits_or_steers_and_an_edit_does_neither() -> None:
    queued, steering = replace(said(2), busy=Busy.QUEUE), replace(said(2), busy=Busy.STEER)
    assert not of(CancelRun, after(running(), Arrived(queued), rules=INTERRUPT)[1])
    assert of(InboundTaken, after(running(), Arrived(steering), LISTENED)[1])
    assert wish_of(replace(said(2), change=Change.EDIT), INTERRUPT) is Busy.QUEUE
    assert wish_of(replace(said(2), answers="1.1.answer"), STEER) is Busy.QUEUE


def test_who_says_queue_or_steer_is_heard() -> None:
    with Scenario(listening, policy=Policy(busy="interrupt")) as room:
        room.says("a poem")
        room.advance(3)
        room.says("/steer a short one")
        room.says("/queue and a song")
        room.rest()
        assert room.visible() == ["a poem + a short one", STEERED_LINE, "and a song"]
        assert [run.ending for run in room.runs()] == ["answered", "answered"]
