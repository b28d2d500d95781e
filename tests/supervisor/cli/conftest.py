"""A shell with a home of its own, for every test of the command."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.supervisor.cli.shell import BOT, CONFIG, Shell, Typed


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    own = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data")}
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "greenroom.toml").write_text(CONFIG)
    typed = Shell(tmp_path, kept | own | {"COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"})
    yield typed
    for daemon in typed.daemons:
        if daemon.process.poll() is None:
            daemon.end(signal.SIGKILL)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    for name in [name for name in os.environ if name.startswith("GREENROOM_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": tmp_path,
        "XDG_CONFIG_HOME": tmp_path / "config",
        "COLUMNS": 160,
        "TERM": "dumb",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greenroom.toml").write_text(CONFIG)
    return Typed(tmp_path, monkeypatch, capsys)
