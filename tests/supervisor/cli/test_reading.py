"""Commands that read, and every wrong use of them, each as a real process."""

import re
import signal
from pathlib import Path

import apsw
import pytest
from tests.supervisor.cli.shell import Shell
from typer.testing import CliRunner

from greenroom.supervisor.cli.main import app

COMMANDS = [
    *["up", "chat", "stop", "status", "sessions", "show", "explain", "search", "config check"],
    *["release", "cancel", "suspend", "resume", "retry", "send"],
    *["pair", "pair approve", "pair revoke"],
    *["backup", "restore", "export", "import"],
]


def test_the_version_is_told(shell: Shell) -> None:
    assert re.fullmatch(r"greenroom \d+\.\d+\.\d+\n", shell.run("--version").stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_how_it_is_used_with_an_example(command: str) -> None:
    told = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "160"})
    assert told.exit_code == 0
    assert re.search(r"Examples?: ", told.stdout) or "Example:" in told.stdout


WRONG_USE = {
    "": "Usage",
    "shwo": "No such command 'shwo'. Did you mean 'show'?",
    "show": "Missing argument",
    "sessions --only foo": "'foo' is none of open, waiting, owing, aside",
    "sessions --limit 0": "--limit",
    "sessions --limit many": "--limit",
    "sessions --jsn": "No such option",
    "show 1 --last -1": "--last",
    "stop --timeout -3": "--timeout",
}


@pytest.mark.parametrize("line", WRONG_USE)
def test_wrong_use_is_answered_with_code_2(line: str) -> None:
    told = CliRunner().invoke(app, line.split(), env={"COLUMNS": "200", "TERM": "dumb"})
    assert told.exit_code == 2
    assert WRONG_USE[line] in told.output


@pytest.mark.parametrize("command", ["sessions", "show 1", "explain 1", "search word"])
def test_where_there_is_no_database_reading_says_so_and_makes_none(shell: Shell, command: str) -> None:
    told = shell.run(*command.split(), "--db", "none.db", code=1).stderr
    assert "none.db: there is no database here" in told
    assert not list(Path(shell.home).glob("none*"))


def test_status_and_stop_say_that_nothing_runs_with_code_3(shell: Shell) -> None:
    assert "nothing runs, and there is no database at" in shell.run("status", code=3).stderr
    assert "nothing runs on" in shell.run("stop", code=3).stderr


def test_a_wrong_configuration_is_refused_with_every_mistake_and_code_2(shell: Shell) -> None:
    (shell.home / "greenroom.toml").write_text("[web]\nprot = 1\n[wep]\n")
    for command in ("up", "sessions", "config check"):
        told = shell.run(*command.split(), code=2).stderr
        assert "greenroom.toml:2: web.prot: unknown key; did you mean port?" in told
        assert "greenroom.toml:3: wep: unknown key; did you mean web?" in told


def test_the_configuration_in_force_is_printed_with_its_origins(shell: Shell) -> None:
    shown = shell.json("config", "check")
    assert shown["config"]["agent"]["target"] == {"value": "bot:answer", "origin": f"{shell.home}/greenroom.toml:8"}
    assert shown["config"]["policy"]["attempts_max"]["origin"] == "default"
    assert shown["config"]["store"]["path"]["value"] == f"{shell.home}/room.db"
    told = shell.run("config", "check").stdout
    assert re.search(r"^agent.target +bot:answer +\S+/greenroom.toml:8$", told, re.MULTILINE)
    assert re.search(r"^store.path +\S+/room.db +", told, re.MULTILINE), "where it is, also if nobody set it"
    assert "policy.attempts_max" not in told
    assert "at their default: `greenroom config check --all` shows them" in told
    assert re.search("^policy.attempts_max +3 +default$", shell.run("config", "check", "--all").stdout, re.MULTILINE)


BAD_FILES = {
    "words.db": b"no database, but long enough to have had a header " * 99,
    "empty.db": b"",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_no_database_of_ours_is_refused_and_left_as_it_is(shell: Shell, name: str) -> None:
    (shell.home / name).write_bytes(BAD_FILES[name])
    assert name in shell.run("sessions", "--db", name, code=1).stderr
    assert (shell.home / name).read_bytes() == BAD_FILES[name]


def test_a_whole_conversation_can_be_read_beside_the_daemon_and_after_it(shell: Shell) -> None:
    daemon = shell.up()
    daemon.say("oslo", "hello \u2603 there")
    daemon.see("oslo", "echo: hello")
    daemon.say("bergen", "boom")
    daemon.see("bergen", "boom")
    for alive in (True, False):
        if not alive:
            assert daemon.end(signal.SIGTERM) == 0
        _read_everything(shell, alive=alive)


def test_a_summariser_that_cannot_be_loaded_is_a_mistake_of_the_configuration(shell: Shell) -> None:
    config = shell.home / "greenroom.toml"
    config.write_text(config.read_text() + "summariser = 'bot:shorten'\n")
    refused = shell.run("config", "check", code=2).stderr
    assert "greenroom.toml:9: agent.summariser: module 'bot' has no 'shorten'" in refused
    (shell.home / "bot.py").write_text("async def answer(turn): ...\nasync def shorten(messages): ...\n")
    assert shell.json("config", "check")["config"]["agent"]["summariser"]["value"] == "bot:shorten"


def _read_everything(shell: Shell, *, alive: bool) -> None:
    status = shell.json("status", code=0 if alive else 3)
    assert (status["running"], status["sessions"], status["runs_open"]) == (alive, 2, 0)
    assert (status["holder"] is not None) is alive
    rows = shell.json("sessions")
    assert [(row["key"], row["state"]) for row in rows] == [("web:local:bergen", "idle"), ("web:local:oslo", "idle")]
    page = shell.json("show", "web:local:os")
    assert [row["role"] for row in page["messages"]] == ["user", "assistant"]
    assert page["messages"][1]["text"] == "echo: hello \u2603 there"
    assert [(row["kind"], row["state"]) for row in page["deliveries"]] == [("answer", "delivered")]
    assert shell.json("explain", "1") == {"session": page["session"], "decisions": []}
    told = shell.run("show", "2").stdout
    assert "\x1b" not in told
    assert "transcript" in told
    assert "web:local:oslo" in shell.run("sessions").stdout
    assert "no resume decision was ever needed" in shell.run("explain", "1").stdout


def test_words_are_found_where_they_were_said(shell: Shell) -> None:
    daemon = shell.up()
    daemon.say("oslo", "a rare zebra")
    daemon.see("oslo", "echo: a rare zebra")
    assert daemon.end(signal.SIGTERM) == 0
    found = shell.json("search", "zebra")
    assert {(row["key"], row["role"]) for row in found} <= {
        ("web:local:oslo", "user"),
        ("web:local:oslo", "assistant"),
    }
    assert "no message holds 'unicorn'" in shell.run("search", "unicorn").stderr


WRONG_NAMES = {
    "web:local:osol": "no session 'web:local:osol'; did you mean web:local:oslo?",
    "99": "no session '99'; `greenroom sessions` lists them",
    "web:local:": "begins the names of several sessions: web:local:bergen, web:local:oslo; write more of it",
    "\x1b[2J": r"no session '\x1b[2J'",
}


def test_an_unknown_session_is_told_with_what_may_have_been_meant(shell: Shell) -> None:
    daemon = shell.up()
    for chat in ("oslo", "bergen"):
        daemon.say(chat, "hello")
    daemon.end(signal.SIGKILL)
    for name, told in WRONG_NAMES.items():
        for command in ("show", "explain"):
            assert told in shell.run(command, name, code=1).stderr


def test_a_newer_database_is_refused_by_reading_and_by_serving(shell: Shell) -> None:
    shell.up().end(signal.SIGTERM)
    db = apsw.Connection(str(shell.home / "room.db"))
    db.execute("PRAGMA user_version = 99")
    db.close()
    for command in ("sessions", "up"):
        assert "written by a newer greenroom (schema 99" in shell.run(command, code=1).stderr
