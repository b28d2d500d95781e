"""The table of promises is filled from runs, can fail, and stands in the README as it is."""

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from tests.supervisor.cli.printed_types import check_printed
from typer.testing import CliRunner

from greenroom.actors.model import DeliveryClass, ToolPolicy
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.storage.faulty_disk import Loss
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.sandbox.matrix import Matrix, Outcome, Point, Run, promise, tally
from greenroom.supervisor.sandbox.matrix_foreign import FOREIGN, DoesNotRun, Foreign, judge, try_foreign
from greenroom.supervisor.sandbox.matrix_page import (
    BEGIN,
    END,
    NAMES,
    NoPlace,
    as_values,
    place,
    tables,
    write_markdown,
    write_to,
)
from greenroom.supervisor.sandbox.matrix_turn import TOKEN, AnswerLost, CutInWriting, Killed, Story

README = Path(__file__).parents[3] / "README.md"
CONTROL = FOREIGN[-1]


def read_table(page: str, title: str) -> dict[tuple[str, str], set[str]]:
    """The outcomes in each cell of a Markdown table, by its row and column."""
    lines = page[page.index(f"**{title}") :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" *") for cell in line.strip("|").split("|")])
    headings, _, *body = rows
    return {
        (row[0], heading): set(re.findall(r"[a-z][a-z -]*[a-z]", cell.replace("*", "")))
        for row in body
        for heading, cell in zip(headings[1:], row[1:], strict=True)
    }


def test_the_readme_shows_what_runs_show_and_every_promise_is_kept() -> None:
    result = CliRunner().invoke(app, ["matrix", "--alone", "--every", "47", "--json"])
    assert result.exit_code == 0, result.output
    (house,) = check_printed(["matrix"], result.output)["systems"]
    shown = read_table(README.read_text(encoding="utf-8"), "greenroom, by")
    made = {(cell["crash"], NAMES[DeliveryClass(cell["platform"])]): set(cell["outcomes"]) for cell in house["cells"]}
    assert made == shown


def test_the_readme_has_two_frameworks_and_the_control_beside_us() -> None:
    page = README.read_text(encoding="utf-8")
    headings = {heading for _, heading in read_table(page, "All systems, on a platform with neither")}
    for name in ("greenroom", "LangGraph sync", "DBOS", "OpenAI Agents", "plain loop"):
        assert any(heading.startswith(name) for heading in headings), name
    assert re.search(r"Made by `greenroom matrix` on \d{4}-\d\d-\d\d", page)


def test_every_point_but_streaming_without_edits_has_its_promise() -> None:
    silent = {(point, platform) for point in Point for platform in DeliveryClass if not promise(point, platform)}
    assert silent == {(Point.F, DeliveryClass.RECONCILE), (Point.F, DeliveryClass.NONE)}


def test_a_turn_passes_the_points_in_their_order() -> None:
    points, operations = Story(DeliveryClass.EDIT_ANCHOR, ToolPolicy.ONCE).measure()
    assert list(dict.fromkeys(points)) == [
        *(Point.A, Point.B, Point.C, Point.D_ONCE, Point.E, Point.F, Point.G, Point.H, Point.I)
    ]
    assert operations > 20


def test_a_moment_after_the_end_of_a_turn_is_no_run() -> None:
    assert Story(DeliveryClass.NONE, ToolPolicy.ONCE).tell(Killed(100_000)) is None
    assert Story(DeliveryClass.NONE, ToolPolicy.ONCE).tell(CutInWriting(100_000, Loss.UNSYNCED)) is None


def test_a_search_that_finds_nothing_shows_as_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = AnswerLost(PlatformFault.BREAKS_AFTER, TOKEN)
    run = Story(DeliveryClass.RECONCILE, ToolPolicy.ONCE).tell(moment)
    assert run is not None
    assert run.outcome is Outcome.ONCE
    monkeypatch.setattr(FakeChatServer, "find", lambda *_: None)
    run = Story(DeliveryClass.RECONCILE, ToolPolicy.ONCE).tell(moment)
    assert run is not None
    assert run.outcome is Outcome.DOUBLED


def test_a_second_effect_and_a_missing_answer_are_seen() -> None:
    story = Story(DeliveryClass.EDIT_ANCHOR, ToolPolicy.PURE)
    with story.room as room:
        assert story.judge() is Outcome.LOST
        room.says("m1")
        room.until(lambda: story.agent.effects)
        room.restart()
        room.rest()
        assert story.judge() is Outcome.ONCE
        story.agent.policy = ToolPolicy.ONCE
        assert story.judge() is Outcome.DOUBLED


def test_a_cell_that_is_worse_than_promised_is_a_failure_and_says_so() -> None:
    runs = [Run(Point.G, DeliveryClass.NONE, outcome, "killed") for outcome in (Outcome.ONCE, Outcome.LOST)]
    column = tally("house", "1", runs, [DeliveryClass.NONE], promises=True)
    told = {cell.point for cell in column.failures if cell.broken}
    assert told == {Point.G}
    assert {cell.point for cell in column.failures if cell.missing} == set(Point) - {Point.G, Point.F}
    matrix = Matrix((column,), {"DBOS": "dbos is not installed"}, "2026-11-21")
    rows = {row[0]: row[1] for row in tables(matrix)[0][2]}
    assert rows[Point.G] == "BROKEN: once 1, lost 1"
    assert rows[Point.A] == "BROKEN: never tried"
    assert rows[Point.F] == "-"
    assert as_values(matrix).failures == len(Point) - 1
    assert "Not tried: DBOS (dbos is not installed)." in write_markdown(matrix)


def test_others_are_shown_and_held_to_nothing() -> None:
    runs = [Run(Point.G, DeliveryClass.NONE, Outcome.LOST, "killed")]
    assert tally("other", "1", runs, [DeliveryClass.NONE]).failures == ()


def test_a_table_stands_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"a\n{BEGIN}\nold\n{END}\nb\n", encoding="utf-8")
    write_to(page, "new\n")
    write_to(page, "new\n")
    assert page.read_text(encoding="utf-8") == f"a\n{BEGIN}\nnew\n{END}\nb\n"
    with pytest.raises(NoPlace):
        place(f"{BEGIN} without an end", "new")


def test_the_plain_loop_loses_what_it_acknowledged_before_it_answered() -> None:
    column = try_foreign(CONTROL)
    outcomes = {cell.point: dict(cell.outcomes) for cell in column.cells if cell.platform is DeliveryClass.NONE}
    assert outcomes[Point.A] == {Outcome.ONCE: 1}
    assert outcomes[Point.B] == {}  # It stores nothing before it acknowledges.
    assert outcomes[Point.C] == {Outcome.LOST: 3}
    assert outcomes[Point.G] == {Outcome.LOST: 1}
    assert outcomes[Point.H] == {Outcome.ONCE: 1}


def test_what_does_not_run_here_says_why() -> None:
    with pytest.raises(DoesNotRun, match="no-such-package is not installed"):
        try_foreign(Foreign("absent", "loop_bot", ("no-such-package",)))
    with pytest.raises(DoesNotRun, match="no_such_bot"):
        try_foreign(Foreign("broken", "no_such_bot"))


@pytest.mark.slow
@pytest.mark.parametrize("system", FOREIGN, ids=lambda system: system.name)
def test_every_installed_system_survives_at_least_an_unread_update(system: Foreign) -> None:
    try:
        system.version()
    except PackageNotFoundError:
        pytest.skip("not installed")
    column = try_foreign(system)
    cell = column.cell(Point.A, DeliveryClass.NATIVE_KEY)
    assert cell is not None
    assert cell.outcomes == {Outcome.ONCE: 1}


def test_a_foreign_world_is_judged_by_effects_and_messages() -> None:
    once, keyed, pure = ToolPolicy.ONCE, ToolPolicy.KEYED, ToolPolicy.PURE
    assert judge(["call_1"], 1, once) is Outcome.ONCE
    assert judge(["call_1", "call_1"], 1, once) is Outcome.DOUBLED
    assert judge(["call_1", "call_1"], 1, keyed) is Outcome.ONCE
    assert judge(["call_1", "call_2"], 1, keyed) is Outcome.DOUBLED
    assert judge(["call_1", "call_2"], 1, pure) is Outcome.ONCE
    assert judge(["call_1"], 2, pure) is Outcome.DOUBLED
    assert judge([], 1, once) is Outcome.LOST
    assert judge(["call_1"], 0, once) is Outcome.LOST
