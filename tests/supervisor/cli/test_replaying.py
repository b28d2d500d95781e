"""`greenroom sandbox replay` tells a seed as text, as a chart and as JSON, and shrinks what fails."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.supervisor.cli.printed_types import check_printed
from typer.testing import CliRunner, Result

from greenroom.supervisor.cli.main import app
from greenroom.supervisor.sandbox import simulator
from greenroom.supervisor.sandbox.mutant import planted
from greenroom.supervisor.sandbox.mutants import named
from greenroom.supervisor.sandbox.simulator import simulate

SEED = 3
(BUG,) = named("recovery note twice")


def replay(*words: object) -> Result:
    return CliRunner().invoke(app, ["sandbox", "replay", *(str(word) for word in words)])


def test_each_line_says_when_who_did_what_to_whom_and_in_which_row() -> None:
    done = replay(SEED, "--doublecheck")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["0.00", "process", "starts,"]
    assert any("> store" in line and "[inbox u1]" in line for line in lines)
    assert lines[-1].startswith(f"seed {SEED}:")


def test_a_chart_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "story.svg"
    assert replay(SEED, "--svg", path).exit_code == 0
    assert ET.fromstring(path.read_text(encoding="utf-8")).get("aria-label", "").startswith(f"seed {SEED}:")


def test_json_holds_the_whole_story() -> None:
    told = check_printed(["sandbox", "replay"], replay(SEED, "--omit", "m1,life1", "--json").stdout)
    assert told["omitted"] == ["m1", "life1"]
    assert told["replay"] == f"greenroom sandbox replay {SEED} --omit m1,life1"
    assert told["history"][0].keys() == {"at", "source", "what", "target", "row", "kind"}
    assert told["violations"] == []


def test_a_failing_seed_is_shrunk_and_told_again_by_what_is_printed() -> None:
    with planted(BUG):
        seed = next(seed for seed in range(150) if simulate(seed).violations)
        shrunk = replay(seed, "--shrink")
        assert shrunk.exit_code == 1
        again = shrunk.stdout.splitlines()[-1].split()
        assert again[:4] == ["again", "greenroom", "sandbox", "replay"]
        assert replay(*again[4:], "--doublecheck").stdout == shrunk.stdout
    assert "BROKEN  one_note_for_each_interruption" in shrunk.stdout
    assert len(shrunk.stdout.splitlines()) < 50


def test_a_seed_that_fails_nothing_is_not_shrunk() -> None:
    assert replay(SEED, "--shrink").exit_code != 0


def test_two_runs_that_differ_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = iter((1, 2))
    monkeypatch.setattr(simulator, "simulate", lambda _seed, **words: simulate(next(seeds), **words))
    done = replay(SEED, "--doublecheck")
    assert done.exit_code == 1
    assert "not the same run twice" in str(done.exception)
