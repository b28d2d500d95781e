"""What an agent of the Agent Client Protocol does wrong ends no other chat, and leaves no process behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.agents.acp_stage import PATIENT, alive, counterpart, pids, until_sent
from tests.platforms.agents.conformance.acp import PROGRAM
from tests.platforms.agents.conformance.stage import staging

from greenroom.platforms.agents.acp.wire import STRAY_MAX

OTHER = "2"
WAIT_S = 20.0
LOOK_S = 0.05
PATIENCE_S = 60.0
"""A whole process, and one that it starts, may take so long to begin."""

STUBBORN = ["/bin/sh", "-c", "trap '' TERM; sleep 300 & wait; sleep 300"]


async def test_stopped_it_is_told_and_lives_on(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    other.script(("say", "One moment. "), ("hang", None))
    async with staging(other, tmp_path) as stage:
        await stage.says("go")
        await stage.until_shown("One moment.")
        await stage.says("/stop")
        assert await stage.is_quiet_within(WAIT_S)
        other.script(("say", "Here."))
        await stage.says("again")
        await stage.until_concluded("Here.")
        assert len(other.messages("session/cancel")) == 1
        assert len(pids(other)) == 1


async def test_one_that_does_not_heed_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    other.script(("spawn", STUBBORN))
    async with staging(other, tmp_path) as stage:
        await stage.says("go")
        await stage.until_true(lambda: bool(spawned(other)))
        other.script(("deaf", None))
        await stage.person.says(OTHER, "and this")
        await until_sent(stage, other, "session/prompt", 2)
        await stage.person.says(OTHER, "/stop")
        await stage.says("/stop")
        await stage.until_true(lambda: not alive(pids(other)[0]) and not alive(spawned(other)[0]))
        other.script(("say", "Here."))
        await stage.says("again")
        await stage.until_concluded("Here.")
        assert len(other.messages("session/load")) == 1


async def test_one_that_does_not_heed_is_borne_while_others_work_but_not_for_ever(tmp_path: Path) -> None:
    other = counterpart(tmp_path, obey_s=1.0)
    other.script(("say", "One moment. "), ("hang", None))
    async with staging(other, tmp_path, PATIENT) as stage:
        await stage.person.says(OTHER, "long")
        await stage.until_visible(OTHER, "One moment.")
        other.script(("deaf", None))
        await stage.says("go")
        await until_sent(stage, other, "session/prompt", 2)
        await stage.says("/stop")
        await until_sent(stage, other, "session/cancel")
        other.script(("say", "Here."))
        assert alive(pids(other)[0])
        await stage.until_visible(OTHER, "Here.")
        assert not alive(pids(other)[0])


def spawned(other: Any) -> list[int]:
    return [each["spawned"] for each in other.messages() if "spawned" in each]


async def test_its_death_is_not_its_work_s_and_it_is_started_anew(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    other.script(("say", "Half. "), ("die once", 1), ("say", "Whole."))
    async with staging(other, tmp_path, PATIENT) as stage:
        await stage.says("go")
        await stage.until_concluded("Whole.")
        assert len(pids(other)) == 2
        assert len(other.messages("session/load")) == 1
        assert "interrupted" in other.prompts()[-1]
        os.killpg(pids(other)[1], signal.SIGKILL)
        other.script(("say", "Once more."))
        await stage.says("again")
        await stage.until_concluded("Once more.")


async def test_an_internal_error_is_tried_again_and_a_refusal_is_not(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    other.script(("error", -32603))
    async with staging(other, tmp_path, PATIENT) as stage:
        await stage.says("go")
        await until_sent(stage, other, "session/prompt", 2)
        other.script(("error", -32602))
        await stage.until_shown("(The agent failed: RequestError")
        assert len(pids(other)) == 1


@pytest.mark.parametrize(
    "ability, line",
    [("future", "(The agent failed: NotThisProtocolError"), ("locked", "(The agent failed: SignInNeededError")],
)
async def test_one_that_can_never_work_is_told_of(tmp_path: Path, ability: str, line: str) -> None:
    other = counterpart(tmp_path, ability)
    async with staging(other, tmp_path, PATIENT) as stage:
        await stage.says("go")
        await stage.until_shown(line)


async def test_one_that_is_not_there_or_says_nothing_is_told_of(tmp_path: Path) -> None:
    other = counterpart(tmp_path, cwd=tmp_path / "nowhere")
    async with staging(other, tmp_path) as stage:
        await stage.says("go")
        await stage.until_shown("(The agent could not go on: its program cannot be started")
        await stage.kill()
        other.settings = {"start_s": 0.001}
        await stage.start()
        await stage.says("again")
        await stage.until_shown("its program has started, and does not answer")


async def test_stray_lines_are_left_out_and_what_is_too_long_ends_it(tmp_path: Path) -> None:
    other = counterpart(tmp_path, line_max=20_000)
    unknown = '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"?","update":{"sessionUpdate":"new"}}}'
    strays = [
        "warming up",
        "[1, 2]",
        "",
        '{"id":[]}',
        '{"id":0,"error":5}',
        '{"jsonrpc":"2.0","id":[],"method":5}',
        unknown,
    ]
    other.script(("raw", "\n".join(strays) + "\n"), ("raw", "x\n" * (STRAY_MAX - 5)), ("say", "Here."))
    async with staging(other, tmp_path) as stage:
        await stage.says("go")
        await stage.until_concluded("Here.")
        other.script(("oversize", 100_000))
        await stage.says("more")
        await stage.until_shown("(The agent failed: BrokenAgentError")
        other.script(("say", "All is well."))
        await stage.says("again")
        await stage.until_concluded("All is well.")
        assert len(pids(other)) == 2
        assert stage.count("SELECT count(*) FROM runs") == 3


OWNER = """
import asyncio, sys
from pathlib import Path
from greenroom import Supervisor
from greenroom.platforms.agents.acp import AcpSettings, make
from greenroom.platforms.chats.hosted import HostedChat

async def main(folder, program):
    agent = make(AcpSettings(command=(sys.executable, "-S", program, str(folder / "acp"), "load")), folder / "acp" / "beside")
    async with Supervisor(folder / "bot.db", agent=agent) as room:
        room.attach(HostedChat("fake", "bot"))
        await room.accept(chat="fake:bot:1", id="1", text="go")
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel ends it")
async def test_a_greenroom_that_is_killed_leaves_no_process_and_the_next_one_goes_on(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    other.script(("spawn", STUBBORN))
    command = [sys.executable, "-c", OWNER, str(tmp_path), str(PROGRAM)]
    with subprocess.Popen(command) as owner:  # noqa: ASYNC220 - it starts at once, and is killed
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not spawned(other):  # noqa: ASYNC110 - another process rings no bell
                    await asyncio.sleep(LOOK_S)
            child = os.pidfd_open(pids(other)[0])
            helper = os.pidfd_open(spawned(other)[0])
        finally:
            owner.kill()
    try:
        assert select.select([child], [], [], WAIT_S)[0]
        other.script(("say", "Here it is."))
        async with staging(other, tmp_path) as stage:
            assert select.select([helper], [], [], WAIT_S)[0]
            await until_sent(stage, other, "session/prompt", 2)
            await stage.until(stage.rests)
            assert len(other.messages("session/load")) == 1
            assert "interrupted" in other.prompts()[-1]
    finally:
        os.close(child)
        os.close(helper)
