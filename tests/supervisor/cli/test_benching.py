"""`greenroom bench` finds the benchmarks of its clone, and says where they are if it has none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from greenroom.supervisor.cli import benching
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.outcome import CommandFailed


def test_it_runs_the_benchmarks_of_the_clone(capfd: pytest.CaptureFixture[str]) -> None:
    result = CliRunner().invoke(app, ["bench", "--quick", "--only", "none of them", "--json"])
    assert result.exit_code == 2
    assert "none of them" in capfd.readouterr().err


def test_an_installed_greenroom_has_none_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "greenroom" / "supervisor" / "cli" / "benching.py"
    assert benching.find_benchmarks(installed) is None
    monkeypatch.setattr(benching, "__file__", str(installed))
    result = CliRunner().invoke(app, ["bench"])
    assert isinstance(result.exception, CommandFailed)
    assert "bin/bench" in str(result.exception)
