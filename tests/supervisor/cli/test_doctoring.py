"""`greenroom doctor`: what it prints and how it ends, on what is whole, harmed, damaged, and served."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.storage.store_house import House, inbound
from tests.storage.test_doctor import do, large, overwrite, pages_of  # noqa: F401 - a fixture is taken by its name
from tests.supervisor.cli.printed_types import check_printed
from typer.testing import CliRunner, Result

from greenroom.storage.lock import Held
from greenroom.storage.sqlite import CannotOpen
from greenroom.supervisor.cli.main import app


def doctor(path: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *args, "--db", str(path)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    house = House(tmp_path / "bot.db")
    house.write(inbound())
    house.close()
    return tmp_path / "bot.db"


def test_a_whole_database_is_said_to_be_whole(path: Path) -> None:
    told = doctor(path)
    assert told.exit_code == 0
    assert told.stdout.splitlines()[-1] == f"{path}: whole"
    assert "BAD" not in told.stdout
    spoken = check_printed(["doctor"], doctor(path, "--json").stdout)
    assert (spoken["whole"], spoken["database"]) == (True, str(path))
    assert {each["check"] for each in spoken["checks"] if not each["good"]} == set()


def test_a_harm_is_named_with_what_it_means_and_what_to_do_and_is_mended(path: Path) -> None:
    do(path, "DELETE FROM routes")
    told = doctor(path)
    assert told.exit_code == 1
    assert "BAD   a_chat_leads_to_its_newest_session: each chat has one route" in told.stdout
    assert "- web:bot:1 does not lead where it must" in told.stdout
    assert "means: what is written there goes into an old conversation" in told.stdout
    assert "do:    `greenroom stop`, then `greenroom doctor --repair`" in told.stdout
    mended = doctor(path, "--repair")
    assert mended.exit_code == 0
    assert mended.stdout.startswith(f"kept as it was: {path}.before-repair-")
    assert "  - 1 chats lead to their newest session again" in mended.stdout
    assert mended.stdout.splitlines()[-1] == f"{path}: whole"


def test_of_a_damaged_file_it_is_said_what_was_lost(large: Path) -> None:  # noqa: F811 - see above
    overwrite(large, pages_of(large, "messages")[3])
    told = doctor(large)
    assert told.exit_code == 1
    assert "BAD   the_file_is_whole" in told.stdout
    mended = doctor(large, "--repair")
    assert mended.exit_code == 1  # A transcript with a hole is not whole, and nothing makes up for it.
    assert "LOST from messages: at most" in mended.stdout
    assert "transcripts_have_no_gap" in mended.stdout
    spoken = check_printed(["doctor"], doctor(large, "--repair", "--json").stdout)
    assert spoken["repaired"]["tables"] == []
    assert spoken["repaired"]["kept"].startswith(f"{large}.before-repair-")


def test_what_is_no_database_of_ours_or_is_not_there_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database at all\n" * 100)
    assert doctor(other).exit_code == 1
    told = doctor(tmp_path / "none.db")
    assert isinstance(told.exception, CannotOpen)
    assert "there is no database here" in str(told.exception)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["notes.txt"]


def test_beside_who_serves_it_it_is_looked_over_and_not_repaired(path: Path) -> None:
    house = House(path)
    house.write(inbound(2))
    told, refused = doctor(path), doctor(path, "--repair")
    house.close()
    assert told.stdout.splitlines()[-1] == f"{path}: whole"
    assert isinstance(refused.exception, Held)
