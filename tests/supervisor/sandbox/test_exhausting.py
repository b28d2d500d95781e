"""Every point is tried, none is missed, and a story that goes wrong is named with the points at which it does."""

import pytest
from tests.supervisor.cli.printed_types import check_printed
from typer.testing import CliRunner

from greenroom.supervisor.cli.main import app
from greenroom.supervisor.sandbox import exhausting
from greenroom.supervisor.sandbox.exhausting import Death, Point, Told, points_of, tell, walk
from greenroom.supervisor.sandbox.mutant import planted
from greenroom.supervisor.sandbox.mutants import named
from greenroom.supervisor.sandbox.scripts import SCRIPTS

SHORTEST = next(script for script in SCRIPTS if script.row == "S065")
DRAINS = next(script for script in SCRIPTS if script.row == "S001")
(UNSYNCED,) = named("synchronous=NORMAL")


def test_points_are_all_operations_and_all_calls() -> None:
    whole = Told((), 0, operations=3, calls=2, story="")
    assert len(list(points_of(whole))) == 3 * 3 + 2 * 2
    thin = [str(point) for point in points_of(whole, thin=True)]
    assert thin == [
        "power lost at operation 1",
        "power lost, writes torn, at operation 2",
        "killed at operation 3",
        *(f"killed {when} call {nth}" for nth in (1, 2) for when in ("before", "after")),
    ]


def test_operations_are_counted_over_an_orderly_restart_and_its_end_too() -> None:
    whole = tell(DRAINS)
    for nth in (1, whole.operations // 2, whole.operations):
        died = tell(DRAINS, [Point(Death.KILLED, nth)])
        assert (died.deaths, died.wrong) == (1, ())


def test_a_point_that_is_not_reached_is_told() -> None:
    whole = tell(SHORTEST)
    missed = tell(SHORTEST, [Point(Death.UNSYNCED, whole.operations + 1)])
    assert missed.wrong == (f"it did not die: power lost at operation {whole.operations + 1}",)


def test_a_second_death_is_counted_from_the_first() -> None:
    first = Point(Death.KILLED, 40)
    once = tell(SHORTEST, [first])
    assert tell(SHORTEST, [first, Point(Death.KILLED, once.operations)]).deaths == 2
    assert tell(SHORTEST, [first, Point(Death.KILLED, once.operations + 1)]).deaths == 1


def test_a_planted_bug_is_found_at_a_point() -> None:
    with planted(UNSYNCED):
        wrong = next(walk(SHORTEST, thin=True))
    assert wrong.script == "S065"
    assert "nothing_acknowledged_is_lost" in str(wrong)
    (point,) = wrong.points
    assert tell(SHORTEST, [point]).wrong == ()


def test_pairs_are_walked_from_each_first_point(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Point, ...]] = []

    def pretend(_: object, deaths: tuple[Point, ...] = ()) -> Told:
        told.append(tuple(deaths))
        return Told(("bad",) if len(deaths) == 2 else (), len(deaths), operations=2, calls=0, story="")

    monkeypatch.setattr(exhausting, "tell", pretend)
    heard: list[tuple[int, int]] = []
    wrong = list(walk(SHORTEST, pairs=True, heard=lambda done, known: heard.append((done, known))))
    assert len(told) == 1 + 2 + 2 * 2
    assert [len(each.points) for each in wrong] == [2, 2, 2, 2]
    assert heard[-1] == (6, 6)


def test_the_command_names_script_and_point_and_fails() -> None:
    with planted(UNSYNCED):
        done = CliRunner().invoke(app, ["sandbox", "exhaust", "--only", "S065", "--json"])
    assert done.exit_code == 1
    printed = check_printed(["sandbox", "exhaust"], done.stdout)
    assert printed.keys() == {"stories", "violations", "seconds", "scripts", "wrong"}
    assert printed["violations"] == len(printed["wrong"]) > 0
    assert printed["wrong"][0]["script"] == "S065"
    assert " operation " in printed["wrong"][0]["points"][0]
    assert "S065: " in str(done.exception)


def test_a_story_that_is_not_there_is_wrong_use() -> None:
    assert CliRunner().invoke(app, ["sandbox", "exhaust", "--only", "S999"]).exit_code != 0
