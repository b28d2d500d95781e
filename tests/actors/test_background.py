"""Background processes as an agent uses them, on the real house in virtual time, on a machine that outlives it."""

import asyncio
from typing import Any

import pytest

from greenroom.actors.keeper import CannotSpawnError
from greenroom.actors.ports import Turn
from greenroom.actors.process import ProcessState
from greenroom.platforms.agents.demo import demo_agent
from greenroom.storage.faulty_disk import Loss
from greenroom.supervisor.sandbox.scenario import Accident, Policy, Scenario

STUBBORN = "trap '' TERM; echo up; sleep 300"


def heard(room: Scenario) -> list[str]:
    """What processes told, in the transcript."""
    return [row.text for row in room.transcript() if row.kind == "process"]


def of_processes(room: Scenario, column: str) -> list[Any]:
    return [getattr(row, column) for row in room.of_session("processes")]


def test_a_later_run_finds_what_an_earlier_one_started_and_reads_what_it_said() -> None:
    async def agent(turn: Turn) -> str:
        if turn.text == "start":
            await turn.spawn(["echo", "one", "two"])
            return "started"
        (process,) = await turn.processes()
        same = await turn.process(process.id)
        with pytest.raises(LookupError, match=r"has no process '9\.9'"):
            await turn.process("9.9")
        record = await same.wait()
        return f"{' '.join(same.command)}: {record.exit_code} {await same.log(last=4)!r}"

    with Scenario(agent) as room:
        room.says("start")
        room.rest()
        room.restart()
        room.says("and?")
        room.rest()
        assert room.visible()[-1] == r"echo one two: 0 'two\n'"
        assert room.broken() == []


def test_waiting_ends_in_time_and_only_an_end_that_was_seen_is_taken_care_of() -> None:
    async def agent(turn: Turn) -> str:
        if turn.news:
            return "told"
        process = await turn.spawn("echo up; sleep 50", notify_on_complete=True)
        record = await process.wait(timeout_s=10)
        return f"{record.state} {record.output!r} {record.is_over}"

    with Scenario(agent) as room:
        room.says("start")
        room.rest()
        assert room.visible() == [r"running 'up\n' False", "told"]


def test_one_that_does_not_end_when_asked_is_ended() -> None:
    async def agent(turn: Turn) -> str:
        process = await turn.spawn(STUBBORN, notify_on_complete=True)
        record = await process.kill()
        return f"{record.exit_code} {(await process.kill()).exit_code}"

    with Scenario(agent, policy=Policy(process_end_s=7.0)) as room:
        room.says("start")
        room.rest()
        assert room.visible() == ["-9 -9"]
        assert of_processes(room, "consumed") == [1]


def test_what_cannot_be_started_is_told_at_once_and_never_again() -> None:
    async def agent(turn: Turn) -> str:
        refused: list[str] = []
        for wish in (["nonesuch"], "sleep 40", "sleep 40", "sleep 40"):
            try:
                await turn.spawn(wish, notify_on_complete=wish == ["nonesuch"])
            except CannotSpawnError as error:
                refused.append(str(error))
        return "; ".join(refused)

    with Scenario(agent, policy=Policy(processes_max=2)) as room:
        room.says("start")
        room.rest()
        (answer,) = room.visible()
        assert "No such file" in answer
        assert "2 background processes of this session live, that is the limit (processes_max)" in answer
        assert of_processes(room, "state") == ["failed", "ended", "ended", "failed"]
        assert room.broken() == []


async def _leaves_it(turn: Turn) -> str:
    if turn.news:
        return f"told: {turn.news[0].text}"
    await turn.spawn(STUBBORN, notify_on_complete=True)
    return "started"


@pytest.mark.parametrize("how", ["crash", "power", "drain"])
def test_what_outlives_its_run_is_lost_with_the_process_and_told_of_once(how: str) -> None:
    with Scenario(_leaves_it) as room:
        room.says("start")
        room.advance(5)
        if how == "drain":
            assert room.drain()
        else:
            room.crash(Loss.UNSYNCED if how == "power" else Loss.NOTHING)
        assert bool(room.world.machine.living()) == (how == "crash")
        room.boot()
        room.rest()
        assert of_processes(room, "state") == [ProcessState.LOST]
        assert "lost when the service ended" in room.visible()[-1]
        room.restart()
        room.rest()
        assert len(heard(room)) == 1
        assert room.broken() == []


def test_an_end_that_nobody_was_told_of_waits_on_disk() -> None:
    async def agent(turn: Turn) -> str:
        if not turn.news and turn.recovery_note is None:
            await turn.spawn("sleep 5", notify_on_complete=True)
            await asyncio.sleep(60)
        return "told" if turn.news else "done"

    with Scenario(agent) as room:
        room.says("start")
        room.advance(20)
        assert (of_processes(room, "state"), of_processes(room, "consumed")) == (["ended"], [0])
        room.restart()
        room.rest()
        assert [run.cause for run in room.runs()] == ["inbound", "resume", "process"]
        assert "exit code 0" in heard(room)[0]
        assert room.broken() == []


def test_the_run_for_a_process_goes_on_after_a_restart_with_its_news() -> None:
    async def agent(turn: Turn) -> str:
        if turn.news:
            if turn.recovery_note is None:
                await turn.in_thread(lambda: None)
                room.world.kill("test: dies")
            return f"{len(turn.news)} told"
        await turn.spawn("sleep 5", notify_on_complete=True)
        return "started"

    with Scenario(agent) as room:
        room.says("start")
        room.rest()
        room.restart()
        room.rest()
        assert room.visible()[-1] == "1 told"
        assert [run.cause for run in room.runs()] == ["inbound", "process", "resume"]
        assert room.broken() == []


def test_a_house_that_falls_ends_what_it_kept_and_says_so_when_it_stands_again() -> None:
    with Scenario(_leaves_it) as room:
        room.says("start")
        room.advance(5)
        room.accident(Accident.TREE_RAISES)
        room.says("hello", 2)
        room.rest()
        assert of_processes(room, "state") == ["lost"]
        assert len(heard(room)) == 1
        assert room.broken() == []


def test_after_three_floods_only_the_end_is_told() -> None:
    flood = "; ".join(["for n in 1 2; do echo READY; done; sleep 3"] * 5)

    async def agent(turn: Turn) -> str:
        if turn.news:
            return f"told {len(turn.news)}"
        process = await turn.spawn(flood, watch_patterns=["READY"])
        await process.wait(timeout_s=12)
        return "done"

    with Scenario(agent) as room:
        room.says("start")
        room.rest()
        assert len([text for text in heard(room) if "said" in text]) == 1
        assert len([text for text in heard(room) if "is over" in text]) == 1
        assert room.broken() == []


def test_the_demo_runs_a_process_and_tells_when_it_has_ended(tmp_path: Any) -> None:
    with Scenario(demo_agent(tmp_path / "ledger.txt")) as room:
        room.says("run sleep 5")
        room.rest()
        assert room.visible()[0] == "Started: process 1.1 sleeps 5 s in the background."
        assert "(sleep 5) is over: exit code 0." in room.visible()[1]
        assert room.broken() == []
