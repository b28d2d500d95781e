"""`greenroom bench` finds the benchmarks of its clone, and says where they are if it has none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from greenroom.supervisor.cli import benching
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.outcome import CommandFailed


def test_it_runs_the_benchmarks_of_the_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "benchmarks" / "run.py"
    file.parent.mkdir()
    file.write_text("import pathlib, sys\npathlib.Path(__file__ + '.told').write_text(' '.join(sys.argv[1:]))\n")
    (file.parent / "bench_storage.py").touch()
    monkeypatch.setattr(benching, "find_benchmarks", lambda _inside: file)
    result = CliRunner().invoke(app, ["bench", "--quick", "--only", "storage", "--json"])
    assert result.exit_code == 0
    assert Path(f"{file}.told").read_text() == "--quick --only storage --json"


def test_a_benchmark_that_there_is_not_is_refused_with_those_there_are() -> None:
    result = CliRunner().invoke(app, ["bench", "--only", "none of them"])
    assert isinstance(result.exception, CommandFailed)
    assert result.exception.code == 2
    assert "no benchmark is called 'none of them'; there are actors, sessions, storage, turns" in str(result.exception)


def test_an_installed_greenroom_has_none_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "greenroom" / "supervisor" / "cli" / "benching.py"
    assert benching.find_benchmarks(installed) is None
    monkeypatch.setattr(benching, "__file__", str(installed))
    result = CliRunner().invoke(app, ["bench"])
    assert isinstance(result.exception, CommandFailed)
    assert "bin/bench" in str(result.exception)
