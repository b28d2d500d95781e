"""`greenroom release`, as the command that it is: by itself, by whoever serves the database, or politely refused."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import House, inbound, opened
from tests.supervisor.cli.shell import Shell
from typer.testing import CliRunner

from greenroom.actors.facts import Fact, RestartsCounted, SessionQuarantined, SessionSuspended
from greenroom.actors.model import SessionId
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.ordering import give_order
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


def test_where_who_serves_the_database_takes_no_orders_it_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path, SessionQuarantined(S, "loops", 1.0))
    house = House(path)
    told = CliRunner().invoke(app, ["release", "1", "--db", str(path)])
    house.close()
    assert isinstance(told.exception, CommandFailed)
    assert "takes no orders" in str(told.exception)
    assert "stop it and `greenroom release 1`, or let it call `room.release`" in str(told.exception)


def test_a_running_greenroom_releases_a_session_when_it_is_told_and_decides_at_once(shell: Shell) -> None:
    path = shell.home / "room.db"
    make(path, SessionQuarantined(S, "loops", 1.0))
    shell.up()
    assert [each["rule"] for each in shell.json("explain", "1")["decisions"]] == ["QUARANTINED"]
    assert "its work is decided now" in shell.run("release", "1").stdout
    told = shell.json("release", "1")
    assert (told["released"], told["key"]) == (False, "web:bot:1")
    rules = [each["rule"] for each in shell.json("explain", "1")["decisions"]]
    assert rules[:1] == ["QUARANTINED"]
    assert rules[1:] in (["STALE"], [])  # It may be decided a moment after the release is on disk.
    assert stat.S_IMODE(Path(f"{path}.orders").stat().st_mode) == 0o600


def test_an_order_that_it_does_not_know_is_answered_and_nonsense_is_not(shell: Shell) -> None:
    shell.up()
    path = shell.home / "room.db"
    with pytest.raises(CommandFailed, match="does not know such an order"):
        give_order(path, order="dance")
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(20)
        wire.connect(f"{path}.orders")
        wire.sendall(b"what?\n")
        assert wire.recv(10) == b""


def test_a_session_that_is_not_there_and_a_database_that_is_not_there_are_named(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["release", "1", "--db", str(tmp_path / "none.db")])
    assert "there is no database here" in str(told.exception)
    assert list(tmp_path.iterdir()) == []
    make(tmp_path / "bot.db")
    told = CliRunner().invoke(app, ["release", "nobody", "--db", str(tmp_path / "bot.db")])
    assert "no session 'nobody'" in str(told.exception)
