"""Programs as agents, with real processes before a real store."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.platforms.agents.room import living, until, written

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.ports import Agent
from greenroom.platforms.agents.program import ProgramSettings, make
from greenroom.platforms.agents.program.codec import LINE_MAX, GarbageError
from greenroom.platforms.agents.program.program import ProgramAgent, ProgramEndedError
from greenroom.platforms.agents.tools.tool import Tools
from greenroom.supervisor.daemon.composing import load_agent
from greenroom.supervisor.daemon.equipping import Equipped
from greenroom.supervisor.daemon.offering import load_checked

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def python(code: str) -> tuple[str, ...]:
    """A program that has read its turn, and can `tell` and `hear`."""
    begin = """
import json, os, subprocess, sys, time
from pathlib import Path
def tell(kind, **fields): print(json.dumps({"type": kind} | fields), flush=True)
def hear(): return json.loads(sys.stdin.readline())
turn = hear()
"""
    return (sys.executable, "-c", begin + code)


def program(folder: Path, command: Sequence[str], **settings: object) -> Agent:
    given = ProgramSettings.model_validate({"command": list(command), "cwd": folder} | settings)
    return make(given, folder, Tools())


async def ask(folder: Path, command: Sequence[str], text: str = "a", **settings: object) -> str:
    async with living(folder, program(folder, command, **settings)) as chat:
        return await chat.answer(await chat.says(text))


async def test_a_program_is_given_its_turn_and_answers(tmp_path: Path) -> None:
    code = """
tell("say", text="I heard ")
tell("answer", text=json.dumps([turn["text"], turn["session"], turn["attempt"], turn["recovery_note"],
    [row["text"] for row in turn["new"]], len(turn["transcript"]), turn["tools"], os.getcwd()]))
"""
    assert await ask(tmp_path, python(code), 'say "hi"\n\u2028') == (
        'I heard \n\n["say \\"hi\\"\\n\\u2028", "mybot:me:1", 1, null, ["say \\"hi\\"\\n\\u2028"], 1, [], "'
        f'{tmp_path}"]'
    )


async def test_it_has_the_environment_it_was_given_and_none_of_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_TOKEN", "secret")
    monkeypatch.setenv("MODEL_KEY", "k")
    code = 'tell("answer", text=str([os.environ.get(each) for each in ("BOT_TOKEN", "KEY", "PATH")]))'
    answer = await ask(tmp_path, python(code), env={"KEY": "env:MODEL_KEY"})
    assert answer == str([None, "k", os.environ["PATH"]])


@pytest.mark.parametrize(
    "code, what",
    [
        ("sys.exit(3)", ProgramEndedError.__name__),
        ("os.kill(os.getpid(), 9)", ProgramEndedError.__name__),
        ('print("hello", flush=True); time.sleep(60)', GarbageError.__name__),
        (f'print("x" * {LINE_MAX + 1}, flush=True); time.sleep(60)', GarbageError.__name__),
        ('print(\'{"type":"answ\', end="")', GarbageError.__name__),
        ("", "ended without an answer"),
        ("os.close(1); time.sleep(60)", ProgramEndedError.__name__),
    ],
)
async def test_a_program_that_fails_ends_its_run_and_nothing_else(tmp_path: Path, code: str, what: str) -> None:
    answer = await ask(tmp_path, python(code))
    assert what in answer


async def test_a_program_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    assert "CannotStartError" in await ask(tmp_path, ("./nowhere",))


async def test_the_last_line_need_not_end_and_nobody_need_listen(tmp_path: Path) -> None:
    command = ("sh", "-c", """printf '{"type":"answer","text":"deaf"}'""")
    assert await ask(tmp_path, command, "x" * 100_000) == "deaf"


async def test_a_program_that_has_answered_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = """
child = subprocess.Popen(["sleep", "600"])
Path("pid").write_text(f"{child.pid}\\n")
tell("answer", text="x")
time.sleep(600)
"""
    assert await ask(tmp_path, python(code)) == "x"
    pid = int(await written(tmp_path / "pid"))
    assert not is_alive(pid, read_birth(pid))


async def test_stop_ends_the_program_and_its_group_though_they_ignore_being_asked(tmp_path: Path) -> None:
    code = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
Path("pids").write_text(f"{child.pid} {os.getpid()}\\n")
tell("say", text="on and on")
time.sleep(600)
"""
    async with living(tmp_path, program(tmp_path, python(code))) as chat:
        await chat.says("a")
        births = {int(pid): read_birth(int(pid)) for pid in (await written(tmp_path / "pids")).split()}
        await chat.says("/stop", id="2")

        async def gone() -> bool:
            return not any(is_alive(pid, birth) for pid, birth in births.items())

        await until(gone)


async def test_an_effect_under_way_when_greenroom_ended_is_in_doubt_for_the_next_program(tmp_path: Path) -> None:
    code = """
tell("effect", name="pay", args={"sum": 7})
word = hear()
if word["type"] == "do":
    Path("paid").open("a").write("7\\n")
    time.sleep(600)
tell("answer", text=word["type"])
"""
    agent = program(tmp_path, python(code))
    async with living(tmp_path, agent) as chat:
        receipt = await chat.says("a")
        await written(tmp_path / "paid")
    async with living(tmp_path, agent) as chat:
        assert await chat.answer(receipt) == "in_doubt"
    assert (tmp_path / "paid").read_text() == "7\n"


async def test_the_example_in_python_notes_and_says_so(tmp_path: Path) -> None:
    assert await ask(tmp_path, (sys.executable, str(EXAMPLES / "program_agent.py")), "milk") == "Noted."
    assert (tmp_path / "notes.txt").read_text() == "milk\n"


async def test_the_example_in_shell_asks_before_it_answers(tmp_path: Path) -> None:
    async with living(tmp_path, program(tmp_path, ("sh", str(EXAMPLES / "program_agent.sh")))) as chat:
        await chat.says('a "quoted" \\ word')
        await chat.until_shown("Shall I")
        assert await chat.answer(await chat.says("yes", id="2")) == 'You said: a "quoted" \\ word'


def test_the_page_on_the_protocol_shows_the_examples_as_they_are() -> None:
    page = (EXAMPLES.parent / "docs" / "agent-protocol.md").read_text()
    for name, language in (("program_agent.py", "python"), ("program_agent.sh", "sh")):
        example = (EXAMPLES / name).read_text()
        assert f"```{language}\n{example}```" in page
        assert len(example.splitlines()) <= 20
    assert f"{LINE_MAX:,} bytes" in page


def test_the_table_that_the_readme_shows_makes_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "k")
    readme = (EXAMPLES.parent / "README.md").read_text()
    table = readme.partition("[agent.subprocess]")[2].partition("```")[0]
    (tmp_path / "greenroom.toml").write_text(f"[store]\npath = 'bot.db'\n[agent.subprocess]{table}")
    agent = load_agent(load_checked(tmp_path / "greenroom.toml"))
    assert isinstance(agent, Equipped)
    assert isinstance(agent.agent, ProgramAgent)
