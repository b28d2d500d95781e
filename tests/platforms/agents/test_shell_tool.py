"""The shell and background processes for a model: bounded, below a folder, with none of greenroom's secrets."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.platforms.agents.caller import Caller, calling

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.model import ToolPolicy
from greenroom.platforms.agents.tools import processes, shell

WAIT_S = 20.0


@pytest.fixture
async def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    monkeypatch.setenv("GREENROOM_TEST_KEY", "hidden")
    (tmp_path / "root" / "below").mkdir(parents=True)
    settings = shell.ShellSettings(
        root=Path("root"), approve=False, timeout_s=10.0, output_max=200, env={"COLOUR": SecretStr("red")}
    )
    more = processes.ProcessesSettings(root=Path("root"), approve=False, env={"COLOUR": SecretStr("blue")})
    async with calling(tmp_path, shell.make(settings, tmp_path), processes.make(more, tmp_path)) as caller:
        yield caller


async def gone(pids: list[int]) -> None:
    born = [read_birth(pid) for pid in pids]
    async with asyncio.timeout(WAIT_S):
        while any(map(is_alive, pids, born)):  # noqa: ASYNC110 - a process rings no bell
            await asyncio.sleep(0.01)


async def test_what_a_command_wrote_is_told_with_its_end(caller: Caller) -> None:
    assert await caller.told("shell", command="echo one; echo two >&2; exit 3") == "one\ntwo\n(exit code 3)"
    assert await caller.told("shell", command="true") == "(exit code 0)"
    assert await caller.told("shell", command="exec >/dev/null 2>&1; sleep 1") == "(exit code 0)"
    assert await caller.told("shell", command="pwd; cat; kill -9 $$", folder="below") == (
        f"{caller.folder}/root/below\n(ended by signal 9)"
    )


async def test_it_has_its_own_environment_and_none_of_ours(caller: Caller) -> None:
    said = await caller.told("shell", command='echo "$COLOUR $GREENROOM_TEST_KEY."')
    assert said == "red .\n(exit code 0)"


async def test_much_output_is_cut_in_the_middle(caller: Caller) -> None:
    said = await caller.told("shell", command="echo begin; seq 1 100000; echo end")
    assert said.startswith("begin\n1\n2\n")
    assert "characters are not kept" in said
    assert said.endswith("100000\nend\n(exit code 0)")


@pytest.mark.parametrize("folder", ["..", "/", "nowhere"])
async def test_it_begins_nowhere_else(caller: Caller, folder: str) -> None:
    assert await caller.refused("shell", command="pwd", folder=folder)


async def test_what_it_leaves_behind_is_ended_with_it(caller: Caller) -> None:
    said = await caller.told("shell", command="sleep 300 >/dev/null & echo $!")
    await gone([int(said.split()[0])])


async def test_what_takes_too_long_is_ended_and_what_it_said_is_told(tmp_path: Path) -> None:
    settings = shell.ShellSettings(root=tmp_path, approve=False, timeout_s=0.5)
    async with calling(tmp_path, shell.make(settings, tmp_path)) as caller:
        said = await caller.told("shell", command="echo $$; sleep 300 & echo $!; wait")
        assert said.endswith("(it took longer than 0.5 s and was ended; its effects until then remain)")
        await gone([int(number) for number in said.split()[:2]])


async def test_a_person_is_asked_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    (one,) = await shell.make(shell.ShellSettings(root=tmp_path), tmp_path).offer()
    assert (one.approve, one.policy) == (True, ToolPolicy.ONCE)
    offered = await processes.make(processes.ProcessesSettings(root=tmp_path), tmp_path).offer()
    assert [(each.name, each.approve, each.policy.value) for each in offered] == [
        ("start_process", True, "once"),
        ("look_at_process", False, "pure"),
        ("list_processes", False, "pure"),
        ("end_process", False, "pure"),
    ]


async def test_a_process_goes_on_is_looked_at_and_is_ended(caller: Caller) -> None:
    script = 'echo "$COLOUR $GREENROOM_TEST_KEY."; echo $$; sleep 300'
    started = await caller.told("start_process", command=script, wake_me=False)
    process_id = started.removeprefix("Started; its id is ").removesuffix(".")
    async with asyncio.timeout(WAIT_S):
        while len((seen := await caller.told("look_at_process", id=process_id)).split()) < 5:
            pass
    assert seen.startswith("(it runs)\nblue .\n")
    assert await caller.told("list_processes") == f"{process_id}: {script} (it runs)"
    assert await caller.told("end_process", id=process_id) == f"{process_id}: ended by signal 15"
    await gone([int(seen.split()[-1])])
    assert await caller.told("list_processes") == f"{process_id}: {script} (ended by signal 15)"
    assert "LookupError" in await caller.refused("look_at_process", id="nothing")


async def test_stopped_in_the_middle_of_a_command_nothing_of_it_is_left(caller: Caller) -> None:
    numbers = caller.folder / "numbers"
    script = f"echo $$ > {numbers}.new; sleep 300 & echo $! >> {numbers}.new; mv {numbers}.new {numbers}; wait"
    await caller.says(json.dumps({"name": "shell", "args": {"command": script}}))
    async with asyncio.timeout(WAIT_S):
        while not numbers.exists():  # noqa: ASYNC110 - a process rings no bell
            await asyncio.sleep(0.01)
    await caller.says("/stop")
    await gone([int(each) for each in numbers.read_text(encoding="ascii").split()])
    assert await caller.told("shell", command="echo again") == "again\n(exit code 0)"
