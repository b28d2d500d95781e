"""What becomes of background processes when their user orders an end: on the real house in virtual time."""

import asyncio

import pytest
from tests.actors.session_stage import G1, NOW, after, of, running, said

from greenroom.actors.acts import EndProcesses
from greenroom.actors.commands import Command
from greenroom.actors.events import Answered, Arrived, Matched, ProcessHeard, ProcessOver, RunEnded, SpawnPlanned
from greenroom.actors.facts import DeliveryOpened, RunOpened
from greenroom.actors.ports import Turn
from greenroom.actors.process import Match, Order, ProcessEnding, ProcessId, ProcessState, read_command
from greenroom.actors.process_facts import ProcessesDismissed
from greenroom.actors.rules import Rules
from greenroom.actors.session import Session
from greenroom.supervisor.sandbox.scenario import Accident, Policy, Row, Scenario

PATIENT = Policy(attempts_max=99, unclean_boots_max=99)
STUBBORN = "trap '' TERM; sleep 300"


async def agent(turn: Turn) -> str:
    """Starts what a message says, and may wait beside it."""
    if turn.news:
        return "told"
    word, _, command = turn.text.partition(" ")
    if word in {"start", "watch", "hang"}:
        patterns = ["READY"] if word == "watch" else []
        await turn.spawn(command, notify_on_complete=True, watch_patterns=patterns)
    if word == "hang":
        await asyncio.Event().wait()
    return f"re {turn.text}"


def processes(room: Scenario) -> list[Row]:
    return room.of_session("processes")


def spawned(*numbers: int, notify: bool = True) -> Session:
    """A session in whose first run so many processes were started."""
    orders = [Order(ProcessId(f"1.{n}"), read_command("make"), notify) for n in numbers]
    return after(running(), *(SpawnPlanned(G1, order) for order in orders))[0]


def ordered(session: Session, command: Command) -> str:
    """The reply to an order."""
    order = said(9)
    order = type(order)(order.id, "", order.author, NOW, reply_to=order.reply_to, command=command)
    _, effects = after(session, Arrived(order))
    (delivery,) = [fact.delivery for fact in of(DeliveryOpened, effects) if fact.delivery.kind == "line"]
    assert len(of(ProcessesDismissed, effects)) == len(of(EndProcesses, effects)) == 1
    return str(delivery.text)


@pytest.mark.parametrize(
    "command, order", [("sleep 100; echo READY", "/stop"), (STUBBORN, "/stop"), ("sleep 100", "/new")]
)
@pytest.mark.parametrize("word", ["start", "watch", "hang"])
def test_an_order_to_end_ends_what_runs_in_the_background_and_nothing_is_told_of_it(
    word: str, command: str, order: str
) -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says(f"{word} {command}")
        room.advance(5)
        room.says(order)
        room.advance(10)
        assert room.world.machine.living() == []
        room.rest()
        room.restart()
        room.rest()
        assert [(row.state, row.unwanted) for row in processes(room)] == [("ended", 1)]
        assert "told" not in room.visible()
        assert "One background process is ended." in room.visible()[-1]
        assert room.broken() == []


def test_the_next_run_of_a_conversation_finds_what_its_user_ended() -> None:
    with Scenario(agent) as room:
        room.says("start sleep 100")
        room.advance(5)
        room.says("/stop")
        room.advance(1)
        (note,) = [row for row in room.transcript() if row.key.startswith("dismissed.")]
        assert (note.role, note.text.endswith("The user ended what ran in the background: 1.1 (sleep 100).")) == (
            "system",
            True,
        )
        room.says("/stop")
        room.rest()
        assert room.visible()[-1] == "Nothing is running."


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("dies", ["session", "process"])
def test_wherever_a_stop_is_cut_nothing_runs_on_and_nothing_is_told(steps: int, dies: str) -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says("start sleep 500")
        room.advance(5)
        room.says("/stop")
        room.steps(steps)
        if dies == "session":
            room.accident(Accident.SESSION_RAISES)
            room.advance(10)
        else:
            room.restart()
            room.advance(10)
        assert room.world.machine.living() == []
        room.rest()
        stopped = "Stopped. One background process is ended."
        assert room.visible()[1:] in ([stopped], ["Nothing is running."])  # The latter: it was lost before the order.
        assert room.broken() == []


def test_a_status_says_what_runs_in_the_background() -> None:
    with Scenario(agent) as room:
        for number in (1, 2):
            room.says(f"start sleep {number}00")
            room.advance(1)
        room.says("/status")
        room.advance(150)
        room.says("/status")
        room.advance(1)
        assert [text for text in room.visible() if text.startswith("Nothing")] == [
            "Nothing is running.\n2 background processes run.",
            "Nothing is running.\nOne background process runs.",
        ]


def test_the_reply_counts_what_lives_and_only_that() -> None:
    over = ProcessOver(ProcessId("1.1"), ProcessEnding(ProcessState.ENDED, 0))
    assert ordered(spawned(1, 2, 3), Command.STOP) == "Stopped. 3 background processes are ended."
    assert ordered(after(spawned(1, 2), over)[0], Command.STOP) == "Stopped. One background process is ended."
    assert ordered(after(spawned(1), over)[0], Command.STOP) == "Stopped."
    looked_at = after(spawned(1, 2), ProcessHeard(G1, ProcessId("1.2")), RunEnded(G1, Answered("x")))[0]
    assert ordered(looked_at, Command.NEW).startswith("2 background processes are ended. A new")
    assert ordered(spawned(1, notify=False), Command.STOP) == "Stopped. One background process is ended."


def test_what_was_on_its_way_when_its_user_ended_it_changes_nothing() -> None:
    stop = type(said(9))(said(9).id, "", None, NOW, command=Command.STOP)
    session, _ = after(spawned(1), RunEnded(G1, Answered("x")), Arrived(stop))
    for event in (
        ProcessOver(ProcessId("1.1"), ProcessEnding(ProcessState.ENDED, -15)),
        Matched(G1, session.epoch, ProcessId("1.1"), Match("READY")),
    ):
        session, effects = after(session, event)
        assert (of(RunOpened, effects), session.awaited) == ([], ())


def test_a_conversation_with_something_in_the_background_does_not_begin_anew_by_itself() -> None:
    """Also when nobody asked to be told of it: who could end it then?"""
    rules = Rules(reset="idle", reset_after_s=60.0)
    session, _ = after(spawned(1, notify=False), RunEnded(G1, Answered("x")))
    later = said(5, at=NOW + 1_000)
    assert after(session, Arrived(later), now=NOW + 1_000, rules=rules)[0].succeeded is False
    over = ProcessOver(ProcessId("1.1"), ProcessEnding(ProcessState.ENDED, 0))
    assert after(session, over, Arrived(later), now=NOW + 1_000, rules=rules)[0].succeeded is True


def test_a_process_that_could_not_be_started_is_not_waited_for() -> None:
    failed = ProcessOver(ProcessId("1.1"), ProcessEnding(ProcessState.FAILED, None, "no such file"))
    session, effects = after(spawned(1), failed, RunEnded(G1, Answered("x")))
    assert (of(RunOpened, effects), session.awaited) == ([], ())
