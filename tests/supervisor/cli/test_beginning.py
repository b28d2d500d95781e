"""`greenroom init`: a first configuration that is right as it stands, and right in every line that can be set."""

import re
import stat
from pathlib import Path

import pytest
from tests.supervisor.cli.shell import Shell

from greenroom.supervisor.daemon.config import load_config
from greenroom.supervisor.daemon.offering import load_checked
from greenroom.supervisor.daemon.starter import starter_text, write_starter

SETTABLE = re.compile(r"^# (?=\[|\w+ = )", re.MULTILINE)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "TELEGRAM_TOKEN", "VIEW_TOKEN"):
        monkeypatch.setenv(name, "123456789:a-secret-of-these-tests")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_written_for_its_owner_alone_and_overwrites_nothing(shell: Shell) -> None:
    file, database = shell.home / "etc" / "room.toml", shell.home / "deep" / "data" / "room.db"
    told = shell.run("init", str(file), "--db", str(database)).stdout
    assert f"greenroom config check --config {file}" in told
    assert (mode(file), mode(database.parent)) == (0o600, 0o700)
    assert not database.exists()
    file.write_text(file.read_text() + "# mine\n")
    assert "was left as it is" in shell.run("init", str(file), code=1).stderr
    assert file.read_text().endswith("# mine\n")
    second = shell.home / "second.toml"
    assert shell.json("init", str(second), "--db", str(database)) == {"file": str(second), "database": str(database)}
    checked = shell.json("config", "check", "--config", str(file))
    assert checked["config"]["store"]["path"]["value"] == str(database)


def test_as_it_stands_it_is_right_and_sets_nothing_but_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "greenroom.toml"
    write_starter(file, tmp_path / 'with "quotes" and ü.db')
    config = load_checked(file)
    assert config.database == tmp_path / 'with "quotes" and ü.db'
    (tmp_path / "empty.toml").write_text("")
    bare = load_config(tmp_path / "empty.toml")
    assert (config.policy, config.web, config.view, config.log) == (bare.policy, bare.web, bare.view, bare.log)


def test_every_line_that_can_be_set_is_right_and_stands_at_its_default(tmp_path: Path) -> None:
    file = tmp_path / "greenroom.toml"
    text = SETTABLE.sub("", starter_text(tmp_path / "room.db"))
    assert text.count("\n[") == 10
    file.write_text(text)
    config = load_checked(file)
    (tmp_path / "empty.toml").write_text("")
    assert config.policy == load_config(tmp_path / "empty.toml").policy
    assert (config.agent.kind, set(config.platforms), set(config.tools)) == (
        "python",
        {"telegram"},
        {"clock", "memory"},
    )
