"""Each story of `scripts.py` ends the same, whichever operation of disk or platform its process dies at."""

from itertools import count

import pytest
from tests.scenarios.scripts import SCRIPTS, Script, play, told

from greenroom.platforms.fakes.platform import Seen
from greenroom.supervisor.sandbox.scenario import FaultKind, Loss, PlatformFault, Scenario

by_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.row)


def count_operations(script: Script) -> int:
    with script.make() as room:
        disk = room.world.disk
        before = disk.operations
        play(room, script)
        assert told(room, script) == []
        return disk.operations - before


@by_script
def test_every_operation_of_the_disk_may_be_the_last(script: Script) -> None:
    operations = count_operations(script)
    assert operations > 10
    for nth in range(1, operations + 1):
        with script.make() as room:
            room.disk_fails(FaultKind.CUT, nth=nth)
            play(room, script, (Loss.UNSYNCED, Loss.RANDOM)[nth % 2])
            assert told(room, script) == [], f"cut at operation {nth}:\n{room.history()}"


def count_calls(script: Script) -> int:
    with script.make() as room:
        calls: list[Seen] = []
        room.world.choose = calls.append
        play(room, script)
        return len(calls)


def die_at_call(room: Scenario, nth: int, *, after: bool) -> None:
    """End the process at the nth call to the platform: before its effect, or after it and without its answer."""
    calls = count(1)

    def choose(_: Seen) -> PlatformFault | None:
        if next(calls) != nth or room.life is None:
            return None
        if not after:
            room.world.kill("killed before a call had its effect")
            return None
        room.life.runtime.timers.arm("crash", 0.1, lambda: room.world.kill("killed after a call had its effect"))
        return PlatformFault.HANGS_AFTER

    room.world.choose = choose


@by_script
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_call_to_the_platform_may_be_the_last(script: Script, after: bool) -> None:
    calls = count_calls(script)
    assert calls
    for nth in range(1, calls + 1):
        with script.make() as room:
            die_at_call(room, nth, after=after)
            play(room, script)
            assert room.world.crashes == 1
            assert told(room, script) == [], f"killed at call {nth}:\n{room.history()}"
