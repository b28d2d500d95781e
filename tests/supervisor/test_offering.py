"""Platforms by name: built in, installed, several accounts of one; every mistake with its place, no secret in any."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tidy.source import ROOT

from greenroom.platforms.chats.account import GroupSettings
from greenroom.platforms.chats.addressing import Listening
from greenroom.supervisor.cli.config_page import print_config
from greenroom.supervisor.daemon.config import Config, load_config
from greenroom.supervisor.daemon.config_problems import ConfigError, install
from greenroom.supervisor.daemon.offering import PLATFORMS, load_checked, make_platforms, read_platforms
from greenroom.supervisor.daemon.reloading import describe_changes
from greenroom.supervisor.history import StoreHistory

Load = Callable[..., Config]
HISTORY = StoreHistory(lambda: None)

PIGEON = """
import asyncio
from pathlib import Path

from greenroom.actors.model import DeliveryClass
from greenroom.actors.ports import Traits
from greenroom.platforms.chats.account import GroupSettings
from greenroom.platforms.chats.secret import Secret
from pydantic import Field, field_validator

class Pigeons(GroupSettings):
    token: Secret
    speed: int = Field(ge=1, le=9)
    homes: tuple[str, ...] = ()

    @field_validator("homes")
    @classmethod
    def no_balconies(cls, homes: tuple[str, ...]) -> tuple[str, ...]:
        if "balcony" in homes:
            raise ValueError("pigeons may not live on a balcony; name a loft")
        return homes

class Pigeon:
    name = "pigeon"
    traits = Traits(DeliveryClass.NONE)
    def __init__(self, settings, folder): self.settings, self.folder = settings, folder
    @property
    def account(self): return self.settings.account
    async def run(self, door): await asyncio.Event().wait()
    async def send(self, message): return "1"
    async def edit(self, session, message_id, text, choices=None): pass
    async def find(self, message): return None

def make(settings: Pigeons, folder: Path) -> Pigeon:
    if settings.speed == 9: raise OSError("no pigeon is so fast")
    return Pigeon(settings, folder)

def recalling(settings: Pigeons, folder: Path, history: object) -> Pigeon:
    platform = Pigeon(settings, folder)
    platform.name, platform.history = "recalling", history
    return platform
def nameless(settings, folder: Path) -> Pigeon: ...
def no_platform(settings: Pigeons, folder: Path): return settings
def owl(settings: Pigeons, folder: Path): return Pigeon(settings, folder)
"""

OFFERED = """[greenroom.platforms]
pigeon = pigeon:make
owl = pigeon:owl
recalling = pigeon:recalling
nameless = pigeon:nameless
settings = pigeon:no_platform
absent = not_there_at_all:make
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of their own, with a package installed that offers platforms."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "pigeon-1.dist-info"
    folder.mkdir()
    (tmp_path / "pigeon.py").write_text(PIGEON)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(OFFERED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "pigeon", raising=False)
    return tmp_path


@pytest.fixture
def load(home: Path) -> Load:
    def write_and_load(text: str) -> Config:
        (home / "greenroom.toml").write_text(text)
        return load_config()

    return write_and_load


def problems(config: Config) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_platforms(read_platforms(config), Path.cwd(), HISTORY)
    return [line.replace(f"{Path.cwd()}/", "") for line in caught.value.problems]


def test_an_installed_platform_is_made_with_its_settings_and_a_folder(load: Load, home: Path) -> None:
    config = load("[platforms.pigeon]\ntoken = 'sesame'\nspeed = 3\nhomes = ['loft']\nlistening = 'all'\n")
    (wanted,) = read_platforms(config)
    (platform,) = make_platforms([wanted], home, HISTORY)
    assert (platform.name, platform.account) == ("pigeon", "me")
    assert isinstance(wanted.settings, GroupSettings)
    assert wanted.settings.listening is Listening.ALL
    assert vars(platform)["folder"] == home


def test_a_platform_whose_server_remembers_nothing_asks_for_the_history(load: Load, home: Path) -> None:
    wanted = read_platforms(load("[platforms.recalling]\ntoken = 'sesame'\nspeed = 3\n"))
    (platform,) = make_platforms(wanted, home, HISTORY)
    assert vars(platform)["history"] is HISTORY


def test_one_platform_may_have_several_accounts(load: Load, home: Path) -> None:
    both = "[platforms.pigeon.home]\ntoken = 'a'\nspeed = 1\n[platforms.pigeon.work]\ntoken = 'b'\nspeed = 2\n"
    platforms = make_platforms(read_platforms(load(both)), home, HISTORY)
    assert [each.account for each in platforms] == ["home", "work"]


def test_a_secret_may_lie_beside_the_configuration(load: Load, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "token").write_text("sesame\n")
    config = load("[platforms.pigeon]\ntoken = 'file:token'\nspeed = 3\n")
    monkeypatch.chdir("/")
    (wanted,) = read_platforms(config)
    assert wanted.settings.model_dump()["token"].get_secret_value() == "sesame"


MISTAKES = {
    "[platforms.pigeon]\ntoken = 'sesame'": ["greenroom.toml:1: platforms.pigeon.speed: missing; write speed = ..."],
    "[platforms.pigeon]\nspeed = 3": [
        "greenroom.toml:1: platforms.pigeon.token: missing; write token = 'env:VARIABLE', 'file:/path', 'credential:NAME' or the value"
    ],
    "[platforms.pigeon]\ntokn = 'sesame'\nspeed = 0": [
        "greenroom.toml:1: platforms.pigeon.token: missing; write token = 'env:VARIABLE', 'file:/path', 'credential:NAME' or the value",
        "greenroom.toml:3: platforms.pigeon.speed: must be 1 or more, got 0",
        "greenroom.toml:2: platforms.pigeon.tokn: unknown key; did you mean token?",
    ],
    "[platforms.pigeon]\ntoken = 12345\nspeed = '3'\nlistening = 'some'": [
        (
            "greenroom.toml:4: platforms.pigeon.listening: must be one of 'addressed', 'all', got 'some'; "
            "remove it to use the default addressed"
        ),
        "greenroom.toml:2: platforms.pigeon.token: must be a text in quotes: 'env:VARIABLE', 'file:/path', 'credential:NAME' or the value",
        "greenroom.toml:3: platforms.pigeon.speed: must be a whole number, got '3'",
    ],
    "[platforms.pigeon]\ntoken = 'env:NOT_SET_AT_ALL'\nspeed = 3\nhomes = ['balcony']": [
        (
            "greenroom.toml:2: platforms.pigeon.token: the environment variable NOT_SET_AT_ALL is not set, or is empty; "
            "set it before greenroom starts"
        ),
        "greenroom.toml:4: platforms.pigeon.homes: pigeons may not live on a balcony; name a loft",
    ],
    "[platforms.pigeon.home]\ntoken = 'a'\nspeed = 0\n[platforms.pigeon.work]\naccount = 'x'": [
        "greenroom.toml:3: platforms.pigeon.home.speed: must be 1 or more, got 0",
        "greenroom.toml:5: platforms.pigeon.work.account: its table names the account already; remove it",
    ],
    "[platforms.pigeon]\ntoken = 'a'\nspeed = 9\n[platforms.owl]\ntoken = 'a'\nspeed = 3": [
        "greenroom.toml:1: platforms.pigeon: cannot be made: OSError: no pigeon is so fast",
        "greenroom.toml:4: platforms.owl: cannot be made: ValueError: made pigeon:me of owl:me",
    ],
    "[platforms.settings]\ntoken = 'a'\nspeed = 3": [
        "greenroom.toml:1: platforms.settings: cannot be made: TypeError: made a Pigeons, which is no platform"
    ],
    "[platforms.discord]\ntoken = 'a'\nbackfill_h = 1e9": [
        (
            "greenroom.toml:3: platforms.discord.backfill_h: must be 87600.0 or less, got 1000000000.0; "
            "remove it to use the default 24.0"
        )
    ],
    "[platforms.nameless]": [
        (
            "greenroom.toml:1: platforms.nameless: its make() must name its settings, a kind of AccountSettings, "
            "as its first type"
        )
    ],
    "[platforms.pigoen]": [
        (
            f"greenroom.toml:1: platforms.pigoen: no such platform; there are "
            f"{', '.join(sorted([*PLATFORMS.built_in, 'absent', 'nameless', 'owl', 'pigeon', 'recalling', 'settings']))}"
        )
    ],
}


@pytest.mark.parametrize("text", MISTAKES, ids=repr)
def test_every_mistake_is_told_with_its_place_and_remedy(load: Load, text: str) -> None:
    assert problems(load(text)) == MISTAKES[text]


def test_a_package_that_cannot_be_imported_is_named(load: Load) -> None:
    (told,) = problems(load("[platforms.absent]"))
    assert "platforms.absent: importing 'absent' failed with ModuleNotFoundError" in told


def test_a_missing_extra_is_one_clear_line(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    built_in = PLATFORMS.built_in["telegram"]
    monkeypatch.setitem(
        PLATFORMS.built_in, "telegram", type(built_in)("not_installed_here:make", "python-telegram-bot", "telegram")
    )
    assert problems(load("\n[platforms.telegram]")) == [
        f"greenroom.toml:2: platforms.telegram: telegram needs python-telegram-bot; {install('telegram')}"
    ]


def test_no_message_and_no_list_of_changes_repeats_a_secret(load: Load) -> None:
    before = load("[platforms.pigeon]\ntoken = 'sesame'\nspeed = 0\n")
    assert "sesame" not in "\n".join(problems(before))
    after = load("[platforms.pigeon]\ntoken = 'mellon'\nspeed = 0\n")
    assert list(describe_changes(before, after)) == ["platforms.pigeon: changed (needs a restart)"]


def test_config_check_prints_what_is_in_force_and_that_a_secret_is_set(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load("[platforms.pigeon.home]\ntoken = 'sesame'\nspeed = 3\n")
    print_config(config, as_json=False, whole=True)
    print_config(config, as_json=True, whole=True)
    shown = capsys.readouterr().out
    assert "sesame" not in shown
    where = f"{Path.cwd()}/greenroom.toml"
    plain, _, found = shown.partition("{")
    assert f"platforms.pigeon.home.speed 3 {where}:3" in " ".join(plain.split())
    told = json.loads("{" + found)["config"]["platforms.pigeon.home"]
    assert told["token"] == {"value": "**********", "origin": f"{where}:2"}
    assert told["account"] == {"value": "home", "origin": "default"}


def test_mistakes_of_platforms_and_of_all_else_are_told_together(home: Path) -> None:
    file = home / "greenroom.toml"
    file.write_text("[web]\nprot = 1\n[platforms.pigeon]\nspeed = 0\n[platforms]\nowl = 3\n")
    with pytest.raises(ConfigError) as caught:
        load_checked(file)
    told = [line.removeprefix(f"{home}/greenroom.toml") for line in caught.value.problems]
    assert [line.partition(": ")[0] for line in told] == [":2", ":6", ":3", ":4"]
    file.write_text("[platforms")
    with pytest.raises(ConfigError) as caught:
        load_checked(file)
    assert len(caught.value.problems) == 1
    file.write_text("[platforms.pigeon]\ntoken = 'a'\nspeed = 3\n")
    assert load_checked(file).platforms == {"pigeon": {"token": "a", "speed": 3}}


def documented() -> dict[str, str]:
    """Each platform's table, as the README shows it."""
    part = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Platforms")[2].partition("\n## ")[0]
    tables = [table for block in re.findall(r"```toml\n(.*?)```", part, re.DOTALL) for table in block.split("\n\n")]
    return {re.findall(r"\[platforms\.(\w+)", table)[0]: table for table in tables}


@pytest.mark.parametrize("name", PLATFORMS.built_in)
def test_what_the_readme_says_of_a_platform_can_be_used(
    load: Load, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    table = documented()[name]
    for variable in re.findall(r"env:(\w+)", table):
        monkeypatch.setenv(variable, "sesame")
    for file in re.findall(r"file:([\w.]+)", table):
        (home / file).write_text("sesame")
    wanted = read_platforms(load(table))
    (platform,) = make_platforms(wanted, home, HISTORY)
    assert (platform.name, platform.account) == (name, "me")
    assert "sesame" not in repr(wanted)
