"""Whoever runs background processes keeps the same promises: the machine in memory, and this one."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.model import SessionId
from greenroom.actors.process import SHELL, Leader, Leftover, ProcessId
from greenroom.actors.spawner import MARK, Child, Spawner
from greenroom.platforms.fakes.machine import FakeMachine, FakeSpawner
from greenroom.platforms.processes.groups import find_groups, signal_group
from greenroom.platforms.processes.local import LocalSpawner

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's own lists are read")

WAIT_S = 30.0
LASTING = "sleep 300"


@pytest.fixture(params=["memory", "machine"])
def spawner(request: pytest.FixtureRequest) -> Iterator[Spawner]:
    if request.param == "memory":
        yield FakeSpawner(FakeMachine(lambda: asyncio.get_running_loop().time()))
    else:
        yield LocalSpawner()
        for group in find_groups({mark_of("a"), mark_of("b")}):
            signal_group(group, signal.SIGKILL)


def mark_of(name: str) -> str:
    return f"test-{os.getpid()}-{name}"


async def start(spawner: Spawner, script: str, name: str = "a") -> Child:
    return await spawner.start((*SHELL, script), cwd="/", env={"COLOUR": "red"}, mark=mark_of(name))


async def all_output(child: Child) -> str:
    chunks = []
    while chunk := await child.read():
        chunks.append(chunk)
    return b"".join(chunks).decode()


async def test_what_it_says_and_how_it_ends_are_heard(spawner: Spawner) -> None:
    async with asyncio.timeout(WAIT_S):
        child = await start(spawner, "echo one; for n in 1 2; do echo two; done; exit 3")
        assert await all_output(child) == "one\ntwo\ntwo\n"
        assert await child.wait() == 3
        assert child.exited


async def test_one_that_is_asked_ends_and_one_that_does_not_is_ended(spawner: Spawner) -> None:
    async with asyncio.timeout(WAIT_S):
        child = await start(spawner, "echo up; sleep 300")
        assert await child.read() == b"up\n"
        assert not child.exited
        child.end()
        assert await child.wait() == -signal.SIGTERM
        stubborn = await start(spawner, "trap '' TERM; echo up; sleep 300; sleep 300", "b")
        assert await stubborn.read() == b"up\n"
        stubborn.end()
        assert not stubborn.exited
        stubborn.kill()
        assert await stubborn.wait() == -signal.SIGKILL
        stubborn.kill()


async def test_what_cannot_be_started_is_refused(spawner: Spawner) -> None:
    with pytest.raises(OSError, match="nonesuch"):
        await spawner.start(("nonesuch",), cwd=None, env={}, mark=mark_of("a"))
    with pytest.raises(OSError, match="no-such-folder"):
        await spawner.start((*SHELL, "true"), cwd="no-such-folder", env={}, mark=mark_of("a"))


async def test_leftovers_are_ended_by_their_leader_or_by_their_mark_and_nobody_else(spawner: Spawner) -> None:
    async with asyncio.timeout(WAIT_S):
        known, unknown, other = [await start(spawner, f"echo up; {LASTING}", name) for name in ("a", "b", "c")]
        for each in (known, unknown, other):
            assert await each.read() == b"up\n"
        foreign = Leader(other.leader.pid, "another birth", other.leader.machine)
        await spawner.end_leftovers(
            [
                ("no mark", Leftover(SessionId(1), ProcessId("1.1"), known.leader)),
                (mark_of("b"), Leftover(SessionId(1), ProcessId("1.2"), None)),
                ("no mark", Leftover(SessionId(1), ProcessId("1.3"), foreign)),
            ],
            1.0,
        )
        assert [await known.wait(), await unknown.wait()] == [-signal.SIGTERM] * 2
        assert not other.exited
        other.kill()
        await other.wait()


async def test_leftovers_that_do_not_heed_are_ended_all_the_same(spawner: Spawner) -> None:
    async with asyncio.timeout(WAIT_S):
        child = await start(spawner, "trap '' TERM; echo up; sleep 300; sleep 300")
        assert await child.read() == b"up\n"
        await spawner.end_leftovers([(mark_of("a"), Leftover(SessionId(1), ProcessId("1.1"), child.leader))], 0.1)
        assert await child.wait() == -signal.SIGKILL


async def test_a_process_is_its_whole_group_and_output_comes_to_an_end() -> None:
    async with asyncio.timeout(WAIT_S):
        child = await start(LocalSpawner(), f"{LASTING} & echo $! $COLOUR ${MARK}")
        helper, colour, mark = (await all_output(child)).split()
        assert (colour, mark) == ("red", mark_of("a"))
        assert await child.wait() == 0
        born = read_birth(int(helper))
        while is_alive(int(helper), born):  # noqa: ASYNC110 - its files are closed a moment before it is gone
            await asyncio.sleep(0)


async def test_who_has_just_been_born_is_told_from_who_had_the_number_before() -> None:
    own = read_birth(os.getpid())
    assert is_alive(os.getpid(), own)
    assert not is_alive(os.getpid(), "1")
    assert not is_alive(os.getpid(), None)
    assert read_birth(2**22 + 1) is None
