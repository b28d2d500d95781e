"""`greenroom release`, as the command that it is: offline, politely refused while somebody serves the database."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import House, inbound, opened
from typer.testing import CliRunner

from greenroom.actors.facts import Fact, RestartsCounted, SessionQuarantined, SessionSuspended
from greenroom.actors.model import SessionId
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.outcome import CommandFailed

S = SessionId(1)


def make(path: Path, *aside: Fact) -> None:
    house = House(path)
    house.write(inbound(), opened(house.store.epoch), RestartsCounted(S, "{}"), *aside)
    house.close()


def columns(path: Path) -> object:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute(
        "SELECT quarantined_at, suspended_at, restart_budget, attempt, open, (SELECT max(epoch) FROM boots)"
        " FROM sessions JOIN runs ON runs.session_id = sessions.id"
    ).fetchall()
    db.close()
    return found


@pytest.mark.parametrize("aside", [SessionQuarantined(S, "loops", 1.0), SessionSuspended(S, 1.0)])
def test_a_session_set_aside_is_given_back_and_what_counted_against_it_is_forgotten(
    tmp_path: Path, aside: Fact
) -> None:
    path = tmp_path / "bot.db"
    make(path, aside)
    told = CliRunner().invoke(app, ["release", "web:bot:1", "--db", str(path)])
    assert told.exit_code == 0
    assert "released web:bot:1 (session 1), which was" in told.stdout
    assert columns(path) == [(None, None, None, 0, 1, 1)]
    again = CliRunner().invoke(app, ["release", "1", "--db", str(path), "--json"])
    assert '"released": false' in again.stdout


def test_while_somebody_serves_the_database_it_is_refused_and_says_who_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path, SessionQuarantined(S, "loops", 1.0))
    house = House(path)
    told = CliRunner().invoke(app, ["release", "1", "--db", str(path)])
    house.close()
    assert isinstance(told.exception, CommandFailed)
    assert "greenroom runs on" in str(told.exception)
    assert "`greenroom stop`, then `greenroom release 1`" in str(told.exception)


def test_a_session_that_is_not_there_and_a_database_that_is_not_there_are_named(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["release", "1", "--db", str(tmp_path / "none.db")])
    assert "there is no database here" in str(told.exception)
    assert list(tmp_path.iterdir()) == []
    make(tmp_path / "bot.db")
    told = CliRunner().invoke(app, ["release", "nobody", "--db", str(tmp_path / "bot.db")])
    assert "no session 'nobody'" in str(told.exception)
