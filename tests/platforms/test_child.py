"""A child program is its whole group, speaks over pipes, and outlives neither its owner's wish nor its owner."""

import asyncio
import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path

import pytest

from greenroom.actors.spawner import MARK
from greenroom.platforms.processes.child import CannotStartError, ChildProgram, Program, start_child
from greenroom.platforms.processes.murmur import KEPT_MAX, LINE_SHOWN_MAX, LINES_LOGGED_MAX
from greenroom.platforms.processes.orphans import end_orphans, find_orphans

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's own lists are read")

WAIT_S = 30.0
SOON_S = 0.2

Start = Callable[..., Coroutine[None, None, ChildProgram]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts shell scripts; what still lives is ended."""
    children = []

    async def start_script(
        script: str, *, env: Mapping[str, str] | None = None, home: Path | None = None, line_max: int = 65_536
    ) -> ChildProgram:
        program = Program("a test", ("/bin/sh", "-c", script), Path("/"), env or {}, home, line_max, SOON_S)
        children.append(await start_child(program))
        return children[-1]

    async with asyncio.timeout(WAIT_S):
        yield start_script
        for child in children:
            await child.end()


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Callable[[], bool]]:
    """Gives a way to wait for the end of any process."""
    number = os.pidfd_open(pid)
    try:
        yield lambda: bool(select.select([number], [], [], WAIT_S)[0])
    finally:
        os.close(number)


async def test_it_is_told_things_answers_and_ends_with_its_input(start: Start) -> None:
    child = await start("while read -r line; do echo got $line; done; exit 3")
    child.stdin.write(b"one\ntwo\n")
    assert [await child.stdout.readline(), await child.stdout.readline()] == [b"got one\n", b"got two\n"]
    assert not child.ended
    child.stdin.close()
    assert await child.wait() == 3
    assert await child.stdout.read() == b""


async def test_what_it_said_last_can_be_read_after_its_end_however_long_that_takes(start: Start) -> None:
    child = await start("head -c 1000000 /dev/zero | tr '\\0' x", line_max=1000)
    first = await child.stdout.readexactly(1)
    await asyncio.wait((asyncio.ensure_future(child.wait()),), timeout=SOON_S)  # Its pipe is full: it waits for us.
    assert len(first + await child.stdout.read()) == 1_000_000
    assert await child.wait() == 0


async def test_it_has_a_home_of_its_own_and_nothing_of_our_environment_that_is_not_its_business(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_TOKEN", "our secret")
    home = tmp_path / "deep" / "home"
    child = await start("env", env={"API_KEY": "its secret"}, home=home)
    lines = (await child.stdout.read()).decode().splitlines()
    assert f"HOME={home}" in lines
    assert "API_KEY=its secret" in lines
    assert not [line for line in lines if "our secret" in line]
    assert [line for line in lines if line.startswith(MARK)]
    assert home.stat().st_mode & 0o777 == 0o700


async def test_python_leaves_no_signal_ignored_behind(start: Start) -> None:
    child = await start("grep SigIgn /proc/self/status")
    ignored = int((await child.stdout.read()).split()[1], 16)
    of_python = (signal.SIGPIPE, signal.SIGXFSZ)  # Others may be ignored by whoever runs the tests, as nohup does.
    assert not [each for each in of_python if ignored & 1 << each - 1]


async def test_one_that_is_asked_ends_and_one_that_does_not_is_ended(start: Start) -> None:
    child = await start("trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.01; done")
    assert await child.stdout.readline() == b"up\n"
    await child.end()
    assert await child.wait() == 4
    stubborn = await start("trap '' TERM; echo up; while :; do sleep 300; done")
    assert await stubborn.stdout.readline() == b"up\n"
    await stubborn.end()
    assert await stubborn.wait() == -signal.SIGKILL
    stubborn.kill()


async def test_whoever_has_no_time_to_wait_for_its_end_has_it_killed(start: Start) -> None:
    child = await start("trap '' TERM; echo up; while :; do sleep 300; done")
    assert await child.stdout.readline() == b"up\n"
    ending = asyncio.create_task(child.end())
    await asyncio.sleep(0)
    ending.cancel()
    assert await child.wait() == -signal.SIGKILL


async def test_what_it_started_ends_with_it_whatever_environment_that_has(start: Start) -> None:
    child = await start("sleep 300 & echo $!; env -i sleep 300 & echo $!; exit 0")
    helpers = [int(await child.stdout.readline()) for _ in range(2)]
    assert await child.wait() == 0
    assert await child.stdout.read() == b""
    for helper in helpers:
        with contextlib.suppress(ProcessLookupError), watched(helper) as ended:
            assert ended()


async def test_one_that_says_no_more_is_ended(start: Start) -> None:
    child = await start("exec >&-; while :; do sleep 300; done")
    assert await child.wait() == -signal.SIGTERM


async def test_a_longer_line_than_allowed_is_refused(start: Start) -> None:
    child = await start("head -c 5000 /dev/zero | tr '\\0' x; echo; sleep 300", line_max=1000)
    with pytest.raises(ValueError, match="limit"):
        await child.stdout.readline()


async def test_what_it_murmurs_is_logged_up_to_a_limit_and_its_end_is_kept(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "greenroom.child"):
        child = await start(
            f"printf '\\033[1mred\\n%{2 * LINE_SHOWN_MAX}s|\\n' x >&2; i=0; "
            f"while [ $i -lt {LINES_LOGGED_MAX + 50} ]; do echo line $i >&2; i=$((i+1)); done; printf the-end >&2"
        )
        await child.wait()
    assert child.last_words.endswith("the-end")
    assert len(child.last_words) == KEPT_MAX
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].endswith(": [1mred")
    assert len(max(messages, key=len)) < LINE_SHOWN_MAX + 50
    assert len(messages) == LINES_LOGGED_MAX + 1
    assert "no more of it is logged" in messages[-1]


@pytest.mark.parametrize(
    "command, cwd, why",
    [
        ("nonesuch", None, "there is no program nonesuch"),
        ("./nonesuch", Path("/"), "there is no program ./nonesuch"),
        ("/etc/passwd", None, "there is no program /etc/passwd"),
        ("sh", Path("/no-such-folder"), "there is no folder /no-such-folder"),
    ],
)
async def test_what_cannot_be_started_is_refused_with_the_reason(command: str, cwd: Path | None, why: str) -> None:
    with pytest.raises(CannotStartError, match=why):
        await start_child(Program("a test", (command,), cwd))


async def test_a_program_is_found_from_the_folder_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "agent").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "agent").chmod(0o700)
    child = await start_child(Program("a test", ("./agent",), tmp_path))
    assert await child.stdout.read() == f"{tmp_path}\n".encode()
    await child.end()


OWNER = """
import asyncio, sys
from greenroom.platforms.processes.child import Program, start_child

async def main():
    script = "trap '' TERM; sleep 300 & echo $$ $!; wait; while :; do sleep 300; done"
    child = await start_child(Program("a test", ("/bin/sh", "-c", script)))
    print((await child.stdout.readline()).decode(), flush=True)
    await child.wait()

asyncio.run(main())
"""


def test_it_does_not_outlive_an_owner_that_is_killed_and_what_it_started_is_found() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child, helper = (int(each) for each in owner.stdout.readline().split())
        assert child not in find_orphans()
        with watched(child) as child_ended, watched(helper) as helper_ended:
            owner.kill()
            assert child_ended()
            owner.wait(WAIT_S)
            end_orphans()  # Or somebody else's: tests run side by side.
            assert helper_ended()
