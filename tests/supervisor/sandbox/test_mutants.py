"""Every known bug of the field is caught when it is planted, and the house that stands breaks nothing in those worlds."""

from dataclasses import replace

import pytest
from tests.supervisor.cli.printed_types import check_printed
from typer.testing import CliRunner

from greenroom.actors import toolbox
from greenroom.actors.tools import decide_tool
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.outcome import CommandFailed
from greenroom.supervisor.sandbox import mutants
from greenroom.supervisor.sandbox.invariants import Violation
from greenroom.supervisor.sandbox.mutant import Mutant, hunt
from greenroom.supervisor.sandbox.mutants import MUTANTS, named
from greenroom.supervisor.sandbox.swap import Swap

SEEDS = 120
CONTROLS = 3

by_name = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


@by_name
def test_each_bug_is_caught_by_a_promise_that_it_breaks(mutant: Mutant) -> None:
    hunted = hunt(mutant, seeds_max=SEEDS)
    assert hunted.caught, f"{mutant.name} survives {SEEDS} seeds: {mutant.sentence}"
    assert hunted.invariant in mutant.caught_by, f"caught by {hunted.invariant}: {hunted.detail}"
    for seed in {*range(min(hunted.seeds, CONTROLS)), hunted.seeds - 1}:
        assert mutant.trial(seed) == (), f"the house that stands breaks a promise in seed {seed}"


def test_every_bug_has_a_name_of_its_own() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names)


def test_a_bug_is_taken_out_again_also_when_the_hunt_fails() -> None:
    def fails(_: int) -> tuple[Violation, ...]:
        seen.append(vars(toolbox)["decide_tool"])
        raise KeyboardInterrupt

    seen: list[object] = []
    (mutant,) = named("once tool called again")
    with pytest.raises(KeyboardInterrupt):
        hunt(replace(mutant, trial=fails))
    assert seen != [decide_tool]
    assert vars(toolbox)["decide_tool"] is decide_tool


def test_what_changes_nothing_survives() -> None:
    harmless = Mutant("none", "nothing is changed", (Swap(toolbox, "decide_tool", lambda real: real),), frozenset())
    assert not hunt(harmless, seeds_max=2).caught


def test_the_command_hunts_what_is_named() -> None:
    done = CliRunner().invoke(app, ["sandbox", "mutants", "--only", "recovery note", "--json"])
    assert done.exit_code == 0
    (hunted,) = check_printed(["sandbox", "mutants"], done.stdout)["mutants"]
    assert hunted.keys() == {"name", "caught", "seeds", "invariant"}
    assert (hunted["caught"], hunted["invariant"]) == (True, "one_note_for_each_interruption")


def test_a_survivor_is_a_failure_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = Mutant("none", "nothing is changed", (), frozenset())
    monkeypatch.setattr(mutants, "named", lambda _words: (harmless,))
    done = CliRunner().invoke(app, ["sandbox", "mutants", "--seeds", "1"])
    assert done.exit_code == 1
    assert "SURVIVED" in done.stdout


def test_a_name_that_no_bug_has_is_refused_with_the_names_there_are() -> None:
    done = CliRunner().invoke(app, ["sandbox", "mutants", "--only", "no such bug"])
    assert isinstance(done.exception, CommandFailed)
    assert done.exception.code == 2
    assert "no mutant has a name with 'no such bug' in it; there are " in str(done.exception)
    assert all(mutant.name in str(done.exception) for mutant in mutants.MUTANTS)
