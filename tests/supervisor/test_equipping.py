"""Agents and tools by name: built in or installed, each mistake with its place, and all closed at the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.supervisor.cli.config_page import print_config
from greenroom.supervisor.daemon.composing import load_agent
from greenroom.supervisor.daemon.config import Config, load_config
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.equipping import Equipped
from greenroom.supervisor.daemon.offering import load_checked
from greenroom.supervisor.daemon.reloading import describe_changes
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.supervisor import Supervisor

PARROT = """
from pathlib import Path

from greenroom.actors.model import ToolPolicy
from greenroom.platforms.agents.settings import AgentSettings, ToolSettings
from greenroom.platforms.agents.tools.calling import use
from greenroom.platforms.agents.tools.tool import Tool
from greenroom.platforms.chats.secret import Secret


class Words(AgentSettings):
    word: str
    key: Secret
    pitch: float = 1.0


class Nuts(ToolSettings):
    count: int = 1
    weight: float = 1.0


class Parrot:
    def __init__(self, settings, folder, tools):
        self.settings, self.folder, self.tools = settings, folder, tools

    async def __call__(self, turn):
        (tool,) = await self.tools.offer()
        return f"{self.settings.word} {(await use(turn, tool, {})).text}"

    async def close(self):
        (self.folder / "parrot").write_text("gone")


class Cracker:
    def __init__(self, count, folder):
        self.count, self.folder = count, folder

    async def offer(self):
        return [Tool("crack", "cracks nuts", {"type": "object"}, ToolPolicy.PURE, self.crack)]

    async def crack(self, turn):
        return self.count

    async def close(self):
        (self.folder / "cracker").write_text("gone")


def make_parrot(settings: Words, folder: Path, tools):
    return Parrot(settings, folder, tools)


def make_cracker(settings: Nuts, folder: Path):
    return Cracker(settings.count, folder)


def make_mute(settings: AgentSettings):
    return lambda messages: ""
"""

INSTALLED = """
[greenroom.agents]
parrot = aviary:make_parrot
mute = aviary:make_mute

[greenroom.tools]
cracker = aviary:make_cracker
"""

WHOLE = """
[agent.parrot]
word = "Polly"
key = "sesame"
[tools.cracker]
count = 3
"""

Load = Callable[[str], Config]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Write a configuration where a package with a parrot is installed, and read it."""
    (tmp_path / "aviary.py").write_text(PARROT)
    about = tmp_path / "aviary-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: aviary\nVersion: 1\n")
    (about / "entry_points.txt").write_text(INSTALLED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def write_and_load(text: str) -> Config:
        file = tmp_path / "greenroom.toml"
        file.write_text(f"[store]\npath = 'bot.db'\n{text}")
        return load_checked(file)

    return write_and_load


def problems(load: Load, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_agent(load(text))
    return str(caught.value).replace(str(Path.cwd()) + "/", "")


def test_an_agent_is_made_of_its_table_with_its_tools_and_closed_with_them(load: Load, tmp_path: Path) -> None:
    config = load(WHOLE)
    agent = load_agent(config)
    assert isinstance(agent, Equipped)
    with Supervisor(config.database, agent=agent, policy=Policy(allow=("*",))) as room:
        assert room.answer(room.accept(chat="web:me:1", id="1", text="hello"), timeout_s=30) == "Polly 3"
        assert not (tmp_path / "parrot").exists()
    assert {each.name for each in tmp_path.glob("*r*")} >= {"parrot", "cracker"}


def test_what_is_configured_is_shown_without_secrets(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    print_config(load(WHOLE), as_json=False, whole=True)
    shown = capsys.readouterr().out
    assert "agent.parrot.word" in shown
    assert "tools.cracker.count" in shown
    assert "sesame" not in shown


def test_a_change_of_such_a_table_is_told_by_name(load: Load) -> None:
    before, after = load(WHOLE), load(WHOLE.replace("sesame", "secret").replace("3", "4"))
    assert list(describe_changes(before, after)) == [
        "agent.parrot: changed (needs a restart)",
        "tools.cracker: changed (needs a restart)",
    ]


WRONG = {
    "[agent]\nkind = 'parot'": "agent.kind: no such kind of agent; there are ",
    "[agent.parot]": "agent.parot: no such kind of agent; there are ",
    "[agent.parrot]\nkey = 'x'": "agent.parrot.word: missing; write word = ...",
    "[agent.parrot]\nword = 'x'\nkey = 'env:NOT_SET_HERE'": "agent.parrot.key: the environment variable NOT_SET_HERE is not",
    "[agent.parrot]\nword = 'x'\nkey = 'x'\nspeed = 1": "agent.parrot.speed: unknown key; [agent.parrot] knows key, pitch, word",
    "[agent]\nkind = 'mute'\n[tools.craker]": "tools.craker: no such set of tools; there are ",
    "[agent]\nkind = 'mute'\n[tools.cracker]\ncount = 'x'": "tools.cracker.count: must be a whole number, got 'x'",
    "[agent]\nkind = 'mute'\n[tools.cracker]\nweight = inf": "tools.cracker.weight: must be a finite number, got inf",
    "[agent.parrot]\nword = 'x'\nkey = 'x'\npitch = nan": "agent.parrot.pitch: must be a finite number, got nan",
    "[agent]\nkind = 'mute'\n[tools.cracker]": "tools.cracker: agent.mute takes no tools from the configuration",
    "[tools.cracker]": "tools.cracker: the demo agent takes no tools from the configuration",
    "[tools]\ncracker = 3": "tools.cracker: must be a table of the tools' settings",
}


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_each_mistake_is_told_with_its_place(load: Load, text: str) -> None:
    told = problems(load, text)
    assert WRONG[text] in told
    assert told.startswith("greenroom.toml:")
    assert "\n" not in told


def test_the_kind_is_the_one_table_or_the_one_that_is_named(load: Load, tmp_path: Path) -> None:
    assert load(WHOLE).agent.chosen == "parrot"
    assert load("").agent.chosen == "demo"
    both = "[agent]\nkind = 'mute'\n[agent.parrot]\nword = 'x'\nkey = 'x'"
    assert load(both).agent.chosen == "mute"
    assert load_config(tmp_path / "greenroom.toml").agent.tables == {"parrot": {"word": "x", "key": "x"}}


class Stuck:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def __call__(self, _: object) -> str:
        return "hi"

    async def close(self) -> None:
        raise self.error


def test_an_agent_that_fails_at_its_end_holds_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Supervisor(tmp_path / "bot.db", agent=Stuck(OSError("stuck"))):
        pass
    assert "the agent did not end in order: OSError('stuck')" in caplog.text
