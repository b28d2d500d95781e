"""What is kept elsewhere and put back: `greenroom backup`, `restore`, as people type it."""

import json
import signal
import stat
from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import House, count, inbound
from tests.supervisor.cli.shell import Shell, Typed


def make(path: Path, messages: int = 1) -> None:
    house = House(path)
    for number in range(messages):
        house.write(inbound(number))
    house.close()


def test_a_backup_is_taken_while_the_daemon_serves_and_put_back_when_it_does_not(shell: Shell, typed: Typed) -> None:
    daemon = shell.up()
    daemon.say("home", "keep this")
    daemon.see("home", "echo: keep this")
    told = typed("backup copy.db").out
    assert "copy.db: " in told
    assert "whole and checked" in told
    assert stat.S_IMODE((shell.home / "copy.db").stat().st_mode) == 0o600
    daemon.say("home", "too late", "m2")
    daemon.see("home", "echo: too late")
    told = typed("restore copy.db", code=1).err
    assert f"already in use by pid {daemon.process.pid}" in told
    assert "`greenroom stop` ends it" in told
    assert daemon.end(signal.SIGTERM) == 0
    typed("restore copy.db")
    shown = json.loads(typed("show web:local:home --json").out)
    assert [each["text"] for each in shown["messages"]] == ["keep this", "echo: keep this"]


def test_a_backup_is_taken_without_a_daemon_and_told_as_json(typed: Typed) -> None:
    make(typed.home / "room.db", messages=3)
    shown = json.loads(typed("backup copy.db --json").out)
    assert set(shown) == {"file", "database", "bytes", "made_at", "took_s"}
    assert shown["file"] == str(typed.home / "copy.db")
    assert count(typed.home / "copy.db", "inbox") == 3


def test_a_file_that_is_there_is_replaced_only_with_force(typed: Typed) -> None:
    make(typed.home / "room.db")
    (typed.home / "copy.db").write_text("precious")
    told = typed("backup copy.db", code=1).err
    assert "copy.db is there already, and was not touched; name another file, or say --force to replace it" in told
    assert (typed.home / "copy.db").read_text() == "precious"
    assert "whole and checked" in typed("backup copy.db --force").out
    assert count(typed.home / "copy.db", "inbox") == 1


REFUSED = {
    "room.db --force": "room.db is the database itself, or belongs to it; name another file",
    "room.db-wal --force": "belongs to it",
    "nowhere/copy.db": "nowhere; make it first, or name another place",
    ".": "is a folder; name a file in it",
    "copy.db --db none.db": "none.db: there is no database here",
    "copy.db --db greenroom.toml": "greenroom.toml: the database is damaged",
    "copy.db --db strange.db": "strange.db: this is another application's database, not greenroom's",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_done_is_refused_with_what_to_do(typed: Typed, line: str) -> None:
    make(typed.home / "room.db")
    other = apsw.Connection(str(typed.home / "strange.db"))
    other.execute("CREATE TABLE a (b)")
    other.close()
    told = typed(f"backup {line}", code=1).err
    assert REFUSED[line] in told
    assert len(told.splitlines()) == 1
    assert not (typed.home / "copy.db").exists()
    assert not list(typed.home.glob(".*.new*"))


def test_a_missing_file_name_is_wrong_use(typed: Typed) -> None:
    assert "Missing argument" in typed("backup", code=2).err


def test_a_backup_is_put_back_and_the_operator_is_told_what_that_means(typed: Typed) -> None:
    make(typed.home / "room.db")
    typed("backup copy.db")
    make(typed.home / "room.db", messages=3)
    told = typed("restore copy.db").out
    assert "room.db: restored from" in told
    assert "it holds 1 session, 0 messages" in told
    assert "kept      what was there, as" in told
    assert "missing   what was said since the backup" in told
    assert "taken up  by the next start: 0 runs, 1 message not yet handed to one, 0 deliveries owed" in told
    assert "greenroom up" in told
    assert count(typed.home / "room.db", "inbox") == 1
    assert "it ended in order (restored from" in typed("status", code=3).out


def test_a_restore_is_told_as_json(typed: Typed) -> None:
    make(typed.home / "room.db")
    typed("backup copy.db")
    shown = json.loads(typed("restore copy.db --json").out)
    assert set(shown) == {"database", "backup", "made_at", "kept", "fenced", "epoch", "taken_up"}
    assert shown["taken_up"] == {"runs": 0, "messages": 1, "deliveries": 0}
    assert count(Path(shown["kept"]), "inbox") == 1


def test_a_database_that_could_not_be_read_is_told_of(typed: Typed) -> None:
    make(typed.home / "room.db")
    typed("backup copy.db")
    (typed.home / "room.db").write_bytes(b"broken" * 1000)
    assert "make sure that no greenroom of it is left" in typed("restore copy.db").err
    assert count(typed.home / "room.db", "inbox") == 1


NOT_RESTORED = {
    "none.db": "none.db: there is no such file; name a file that `greenroom backup` made",
    ".": "is a folder; name a file",
    "room.db": "room.db is the database itself; name a backup of it",
    "greenroom.toml": "greenroom.toml: too short for a database",
    "strange.db": "another application's database",
    "copy.db --db strange.db": "strange.db: this is another application's database",
}


@pytest.mark.parametrize("line", NOT_RESTORED)
def test_what_cannot_be_restored_is_refused_with_what_to_do(typed: Typed, line: str) -> None:
    make(typed.home / "room.db")
    typed("backup copy.db")
    other = apsw.Connection(str(typed.home / "strange.db"))
    other.execute("CREATE TABLE a (b)")
    other.close()
    told = typed(f"restore {line}", code=1).err
    assert NOT_RESTORED[line] in told
    assert len(told.splitlines()) == 1
    assert not list(typed.home.glob("*replaced*"))
