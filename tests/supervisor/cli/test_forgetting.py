"""`greenroom forget`: a conversation is gone from every file, beside a running greenroom and without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.storage.store_house import House, inbound, opened
from tests.supervisor.cli.printed_types import check_printed
from tests.supervisor.cli.shell import Shell
from typer.testing import CliRunner

from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.outcome import CommandFailed

WORD = "kumquat"


def make(path: Path) -> None:
    house = House(path)
    house.write(inbound(), inbound(chat="2"))
    house.write(opened(house.store.epoch))
    house.close()


def failure(*args: str) -> CommandFailed:
    told = CliRunner().invoke(app, list(args))
    assert isinstance(told.exception, CommandFailed), told.output
    return told.exception


def spoken(*args: str) -> Any:
    told = CliRunner().invoke(app, [*args, "--json"])
    assert told.exception is None, told.exception
    return check_printed(args, told.stdout)


def holds(folder: Path, words: str) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and words.encode() in file.read_bytes())


def test_it_asks_before_it_forgets_and_says_what_it_cannot_reach(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path)
    asked = failure("forget", "web:bot:1", "--db", str(path))
    assert asked.code == 2
    assert "web:bot:1: 1 session (1) with these rows: 1 of inbox, 1 of runs will be forgotten for good" in str(asked)
    copy = tmp_path / "bot.db.before-repair-20261122-042646"
    copy.write_bytes(b"")
    told = CliRunner().invoke(app, ["forget", "web:bot:1", "--yes", "--db", str(path)])
    assert told.exit_code == 0, told.exception
    assert f"  - a copy of the database: {copy}\n" in told.stdout
    assert told.stdout.startswith("forgotten: web:bot:1: 1 session (1)")
    assert "not forgotten:\n  - backups and exports that were made before\n" in told.stdout
    assert "no session 'web:bot:1'" in str(failure("forget", "web:bot:1", "--yes", "--db", str(path)))
    rest = spoken("sessions", "--db", str(path))
    assert [each["key"] for each in rest] == ["web:bot:2"]


def test_where_who_serves_the_database_takes_no_orders_it_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path)
    house = House(path)
    told = str(failure("forget", "1", "--yes", "--db", str(path)))
    house.close()
    assert "stop it and `greenroom forget 1`, or let it call `room.forget`" in told


def test_beside_a_running_greenroom_the_run_is_stopped_and_no_byte_of_the_chat_is_left_and_it_goes_on_anew(
    shell: Shell,
) -> None:
    daemon = shell.up()
    daemon.say("a", f"{WORD} one")
    daemon.see("a", f"echo: {WORD} one")
    daemon.say("a", f"hold the {WORD}", "m2")
    daemon.see("a", "holding")
    daemon.say("b", "apricot")
    daemon.see("b", "echo: apricot")
    assert "room.db-wal" in holds(shell.home, WORD)
    path = shell.home / "room.db"
    told = spoken("forget", "web:local:a", "--chat", "--yes", "--db", str(path))
    assert (told["key"], told["sessions"], told["other_sessions"]) == ("web:local:a", [1], 0)
    assert told["scrubbed"] == {"file": True, "journal": True, "index": True}
    assert told["rows"]["messages"] >= 3
    assert holds(shell.home, WORD) == []
    assert "room.db" in holds(shell.home, "apricot")
    daemon.say("a", "hello again", "m3")
    daemon.see("a", "echo: hello again")
    shown = spoken("show", "web:local:a", "--db", str(path))
    assert (shown["session"]["id"], len(shown["messages"])) == (3, 2)
