"""Background processes as a storm looks at them: by the machine, and by what the person is told."""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import pytest

from greenroom.actors.spawner import MARK
from greenroom.platforms.agents.demo import demo_agent
from greenroom.platforms.processes.groups import PROC
from greenroom.supervisor.sandbox.scenario import Scenario
from greenroom.supervisor.sandbox.storm_processes import check_processes, living_processes, outliving

KEY = "p1:bot:chat1"


@pytest.mark.skipif(not PROC.exists(), reason="the system has no /proc")
async def test_what_a_daemon_of_this_home_started_is_found_as_long_as_it_lives(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path), MARK: "a mark"}
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1, env=env)
    found = living_processes(tmp_path)
    assert [pid for pid, _ in found] == [child.pid]
    assert living_processes(tmp_path / "another") == frozenset()
    assert await outliving(tmp_path, found, within_s=0.0) == found
    child.kill()
    await child.wait()
    assert await outliving(tmp_path, found) == frozenset()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Scenario]:
    """A chat whose agent started a process that is over, and whose person was told."""
    with Scenario(demo_agent(tmp_path / "ledger.txt")) as room:
        room.says("run sleep 2")
        room.rest()
        yield room


def check(room: Scenario, texts: Sequence[str], sql: str = "SELECT 1") -> list[str]:
    def look(db: apsw.Connection) -> list[str]:
        db.execute(sql)
        return list(check_processes(db, KEY, texts))

    assert room.life is not None
    return room.life.look(look) or []


def test_an_end_that_was_told_once_is_fine_and_one_that_was_not_or_twice_is_seen(room: Scenario) -> None:
    started, over = room.visible()
    assert check(room, [started, over]) == []
    assert check(room, [started]) == [f"{KEY}: the end of process 1.1 is told 0 times"]
    assert check(room, [started, over, over]) == [f"{KEY}: the end of process 1.1 is told 2 times"]


@pytest.mark.parametrize(
    "undo, words",
    [
        ("UPDATE processes SET state = 'running'", "process 1.1 is said to be running"),
        ("UPDATE processes SET epoch = 0, consumed = 0", "the end of process 1.1 was never told"),
    ],
)
def test_a_process_that_nobody_looked_after_is_seen(room: Scenario, undo: str, words: str) -> None:
    assert f"{KEY}: {words}" in check(room, room.visible(), undo)
