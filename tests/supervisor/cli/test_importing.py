"""`greenroom import`, as people type it."""

import json
import signal

import apsw
import pytest
from tests.storage.store_house import House, inbound, opened, said
from tests.supervisor.cli.shell import Shell, Typed


def make_hermes(path: str) -> None:
    db = apsw.Connection(path)
    db.execute("CREATE TABLE sessions (id TEXT, source TEXT, started_at REAL)")
    db.execute("CREATE TABLE messages (id INTEGER, session_id TEXT, role TEXT, content TEXT, timestamp REAL)")
    db.execute("INSERT INTO sessions VALUES ('a', 'cli', 1.0), ('b', 'cli', 2.0)")
    db.execute("INSERT INTO messages VALUES (1, 'a', 'user', 'hi \x1b[2J', 3.0), (2, 'a', 'boss', '', 4.0)")
    db.close()


def test_what_was_taken_and_what_was_left_is_told(typed: Typed) -> None:
    make_hermes(str(typed.home / "state.db"))
    told = typed("import state.db").out
    assert "room.db: took 1 session with 2 messages from state.db (Hermes)" in told
    assert "left       1  rows of the role 'boss'" in told
    assert "left       1  sessions in which nothing was said" in told
    assert "hermes:cli:a" in typed("sessions").out
    assert r"hi \x1b[2J" in typed("show hermes:cli:a").out
    assert "no chat leads to it any more" in typed("retry hermes:cli:a", code=1).err
    assert "room.db: whole" in typed("doctor").out
    typed("doctor --repair")
    assert "no chat leads to it any more" in typed("retry hermes:cli:a", code=1).err
    shown = json.loads(typed("import state.db --json").out)
    assert (shown["source"], shown["sessions"], shown["messages"]) == ("Hermes", 0, 0)
    assert shown["left"]["sessions that are here already"] == 1


def test_an_export_is_taken_by_another_greenroom_and_its_orders_reach_no_chat(typed: Typed) -> None:
    house = House(typed.home / "other.db")
    house.write(inbound(1), opened(house.store.epoch))
    house.write(said(house.store.epoch, 1))
    house.close()
    typed("export --db other.db --out all.jsonl")
    assert "took 1 session with 2 messages from all.jsonl (greenroom)" in typed("import all.jsonl").out
    assert "no chat leads to it any more" in typed("send 1 hello", code=1).err


def test_what_cannot_be_taken_is_refused_with_what_to_do(typed: Typed) -> None:
    assert "none.db: there is no such file" in typed("import none.db", code=1).err
    assert (
        "neither a state.db of Hermes nor what `greenroom export` wrote" in typed("import greenroom.toml", code=1).err
    )
    assert "Missing argument" in typed("import", code=2).err
    (typed.home / "half.jsonl").write_text('{"type": "export", "format": 1}\n')
    assert "half.jsonl, line 2: the file ends early" in typed("import half.jsonl", code=1).err


@pytest.mark.slow
def test_it_is_refused_while_a_daemon_serves_which_then_has_nothing_to_do_with_it(shell: Shell) -> None:
    make_hermes(str(shell.home / "state.db"))
    daemon = shell.up()
    assert "`greenroom stop` ends it" in shell.run("import", "state.db", code=1).stderr
    assert daemon.end(signal.SIGTERM) == 0
    assert "took 1 session" in shell.run("import", "state.db").stdout
    again = shell.up()
    again.say("home", "hello")
    again.see("home", "echo: hello")
    assert again.end(signal.SIGTERM) == 0
    shown = shell.json("show", "hermes:cli:a")
    assert shown["messages"][0]["text"] == "hi \x1b[2J"
    assert (shown["runs"], shown["deliveries"], shown["session"]["state"]) == ([], [], "idle")
