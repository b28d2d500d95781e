"""What an operator does to one session, as commands: by themselves, by who serves the database, or politely refused."""

from __future__ import annotations

import socket
import stat
import threading
from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import House, inbound, opened
from tests.supervisor.cli.printed_types import check_printed
from tests.supervisor.cli.shell import Shell
from typer.testing import CliRunner

from greenroom.actors.facts import (
    Fact,
    QuestionAnswered,
    QuestionAsked,
    RestartsCounted,
    SessionQuarantined,
    SessionSucceeded,
    SessionSuspended,
)
from greenroom.actors.model import FreshCause, Generation, Question, SessionId
from greenroom.actors.process import SHELL, Leader, Order, ProcessEnding, ProcessId, ProcessState
from greenroom.actors.process_facts import ProcessBegan, ProcessEnded, ProcessPlanned
from greenroom.supervisor.cli import ordering
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.ordering import give_order
from greenroom.supervisor.cli.outcome import CommandFailed
from greenroom.supervisor.daemon.control import control_path
from greenroom.supervisor.supervisor import AsyncRoom, BlockingRoom

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
    assert not check_printed(["release"], again.stdout)["released"]


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


def inboxed(path: Path) -> list[tuple[object, ...]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute("SELECT command, text, update_id FROM inbox WHERE operator = 1 ORDER BY id").fetchall()
    db.close()
    return found


def failure(*args: str) -> CommandFailed:
    told = CliRunner().invoke(app, list(args))
    assert isinstance(told.exception, CommandFailed), told.output
    return told.exception


def test_where_nothing_runs_an_order_is_written_down_for_the_next_start_and_once_under_one_name(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path)
    told = CliRunner().invoke(app, ["suspend", "web:bot", "--db", str(path)])
    assert "`suspend` is written down; the next start carries it out: greenroom up" in told.stdout
    for _ in range(2):
        told = CliRunner().invoke(app, ["send", "1", "/stop, we said", "--id", "n1", "--db", str(path), "--json"])
        assert check_printed(["send"], told.stdout) == {
            "session": 1,
            "key": "web:bot:1",
            "order": "send",
            "carried_out": False,
            "said": None,
        }
    suspended, sent = inboxed(path)
    assert suspended[:2] == ("suspend", "")
    assert sent == ("send", "/stop, we said", "operator.n1")
    again = failure("send", "1", "other words", "--id", "n1", "--db", str(path))
    assert "stored before with another text" in str(again)


@pytest.mark.parametrize(
    "args, code, words",
    [
        (("send", "1", "  \n"), 2, "nothing to send"),
        (("send", "1", "x" * 100_001), 2, "100,001 characters"),
        (("send", "1", "x", "--id", "a\nb"), 2, "--id must be printable"),
        (("retry", "nobody"), 1, "no session 'nobody'"),
        (("resume", "web"), 1, "begins the names of several sessions"),
        (("suspend", "1"), 1, "session 1 is over, web:bot:1 has begun a new conversation; write: greenroom suspend 3"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(
    tmp_path: Path, args: tuple[str, ...], code: int, words: str
) -> None:
    path = tmp_path / "bot.db"
    house = House(path)
    house.write(inbound(), inbound(2, chat="2"), SessionSucceeded(S, FreshCause.ASKED, 9.0))
    house.close()
    refused = failure(*args, "--db", str(path))
    assert (refused.code, words in str(refused)) == (code, True), str(refused)
    assert inboxed(path) == []


def test_the_longest_text_is_that_of_the_policy(tmp_path: Path) -> None:
    make(tmp_path / "bot.db")
    config = tmp_path / "greenroom.toml"
    config.write_text('[store]\npath = "bot.db"\n[policy]\ntext_max = 5\n')
    refused = failure("send", "1", "hello!", "--config", str(config))
    assert refused.code == 2
    assert "the text has 6 characters, the limit is 5 (policy.text_max)" in str(refused)
    assert CliRunner().invoke(app, ["send", "1", "hello", "--config", str(config)]).exit_code == 0


@pytest.mark.parametrize("typed", ["release 1", "cancel 1", "suspend 1", "resume 1", "retry 1", "send 1 hello"])
def test_where_who_serves_the_database_takes_no_orders_it_says_what_to_do(tmp_path: Path, typed: str) -> None:
    path = tmp_path / "bot.db"
    make(path, SessionQuarantined(S, "loops", 1.0))
    house = House(path)
    refused = failure(*typed.split(), "--db", str(path))
    house.close()
    word = typed.split(maxsplit=1)[0]
    assert f"stop it and `greenroom {word} 1`, or let it call `room.{word}`" in str(refused)
    assert callable(getattr(AsyncRoom, word)), "what it advises is there"
    assert callable(getattr(BlockingRoom, word)), "what it advises is there"


@pytest.mark.parametrize(
    "command, look",
    [("release 1", "show 1"), ("cancel web:bot", "show 1"), ("forget web:bot:1 --yes", "show web:bot:1")],
)
@pytest.mark.parametrize("answer, how", [(None, "within 0.05 s"), (b"", "and did not answer;"), (b"?\n", "Expecting")])
def test_an_order_that_was_taken_and_not_answered_may_still_be_carried_out_and_it_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, look: str, answer: bytes | None, how: str
) -> None:
    path = tmp_path / "bot.db"
    make(path, SessionQuarantined(S, "loops", 1.0))
    house = House(path)
    monkeypatch.setattr(ordering, "ANSWER_S", 0.05 if answer is None else 20.0)
    with Mumbling(control_path(path), answer):
        refused = failure(*command.split(), "--db", str(path))
    house.close()
    assert "took the order and did not answer" in str(refused)
    assert how in str(refused)
    assert str(refused).endswith(f"it may still be carried out: look with `greenroom {look}`")
    assert refused.code == 1
    assert "stop it" not in str(refused)


class Mumbling:
    """Takes one order, and gives this for an answer: with None, nothing, for as long as it lasts."""

    def __init__(self, path: Path, answer: bytes | None) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._answer, self._over = answer, threading.Event()
        self._thread = threading.Thread(target=self._take)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listening.close()

    def _take(self) -> None:
        wire, _ = self._listening.accept()
        with wire, wire.makefile("rb") as heard:
            heard.readline()
            if self._answer is None:
                self._over.wait()
            else:
                wire.sendall(self._answer)


def test_a_running_greenroom_carries_out_orders_at_once_and_says_what_its_chat_was_told(shell: Shell) -> None:
    daemon = shell.up()
    daemon.say("me", "hello")
    daemon.see("me", "echo: hello")
    sent = shell.json("send", "web:local:me", "Grüße an alle", "--id", "n1")
    assert (sent["carried_out"], sent["said"]) == (True, "Grüße an alle")
    daemon.see("me", "Grüße an alle")
    assert "was told: Running your last request again." in shell.run("retry", "1").stdout
    assert "there is nothing to resume" in shell.run("resume", "1", code=1).stderr.lower()
    daemon.say("me", "hold on", "m2")
    daemon.see("me", "holding ")
    assert shell.json("cancel", "1")["said"] == "Stopped."
    assert "Nothing is running." in shell.run("cancel", "1", code=1).stderr
    assert "Suspended. What you write is kept" in shell.run("suspend", "web:local:me").stdout
    assert shell.json("sessions")[0]["state"] == "suspended"
    assert "suspended already" in shell.run("suspend", "1", code=1).stderr
    assert shell.json("resume", "1")["said"] == "Not suspended any more; nothing waits."
    shown = shell.json("show", "1")
    assert [row["kind"] for row in shown["messages"]].count("operator") == 1


def test_a_session_is_shown_with_its_questions_and_background_processes(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    house = House(path)
    epoch, one = house.store.epoch, Generation(1)
    ended = ProcessEnding(ProcessState.ENDED, 3, "one\nlast words")
    orders = [Order(ProcessId(f"1.{n}"), (*SHELL, f"make {n}")) for n in (1, 2, 3)]
    house.write(
        inbound(),
        opened(epoch),
        *(ProcessPlanned(S, epoch, one, each, 2.0) for each in orders),
        *(ProcessBegan(S, each.id, Leader(7)) for each in orders),
        ProcessEnded(S, orders[0].id, ended, 5.0),
        ProcessEnded(S, orders[1].id, ProcessEnding(ProcessState.LOST, None), 5.0),
        QuestionAsked(S, epoch, one, one, Question("q1", "Which?", ("a", "b"), delivery="d1"), 6.0),
        QuestionAnswered(S, "q1", "a", 7.0),
    )
    house.close()
    told = CliRunner().invoke(app, ["show", "1", "--db", str(path)]).stdout
    for words in ("background processes", "make 1", "ended, exit code 3", "last words", "lost", "running", "Which?"):
        assert words in told
    shown = check_printed(["show"], CliRunner().invoke(app, ["show", "1", "--db", str(path), "--json"]).stdout)
    assert [(each["process"], each["state"], each["exit_code"]) for each in shown["processes"]] == [
        ("1.1", "ended", 3),
        ("1.2", "lost", None),
        ("1.3", "running", None),
    ]
    assert [(each["prompt"], each["choices"], each["answer"]) for each in shown["questions"]] == [
        ("Which?", ["a", "b"], "a")
    ]
