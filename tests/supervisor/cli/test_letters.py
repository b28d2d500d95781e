"""`greenroom dead`: dead letters listed, sent again by who serves the database or by the next start, and forgotten."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.storage.store_house import House, inbound, opened
from tests.supervisor.cli.printed_types import check_printed
from tests.supervisor.cli.shell import GREENROOM, WAIT_S, Shell
from typer.testing import CliRunner

from greenroom.actors.facts import DeliveryMoved, DeliveryOpened, RunClosed
from greenroom.actors.model import (
    Delivery,
    DeliveryClass,
    DeliveryKind,
    DeliveryState,
    Ending,
    Generation,
    SessionId,
    SessionKey,
)
from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.ordering import ask_connections, give_order
from greenroom.supervisor.cli.outcome import CommandFailed

S, G = SessionId(1), Generation(1)
KEY = SessionKey("web", "local", "1")
DEAD = {"d1": DeliveryState.DEAD, "d2": DeliveryState.DEAD}


def make(path: Path, states: dict[str, DeliveryState], key: SessionKey = KEY) -> None:
    house = House(path)
    first = inbound()
    first = replace(first, inbound=replace(first.inbound, key=key))
    house.write(first, opened(house.store.epoch), RunClosed(S, G, Ending.ANSWERED, 3.0))
    for name, state in states.items():
        text = None if state is DeliveryState.OPEN else f"the words of {name}"
        owed = Delivery(name, S, key, DeliveryKind.LINE, text, state if text is None else DeliveryState.PENDING)
        moved = DeliveryMoved(replace(owed, state=state), 4.0, "Forbidden: bot was blocked by the user")
        house.write(DeliveryOpened(house.store.epoch, G, owed), moved)
    house.close()


def run(path: Path, *args: str) -> str:
    told = CliRunner().invoke(app, ["dead", *args, "--db", str(path)])
    assert told.exception is None, told.exception
    return told.stdout


def failure(path: Path, *args: str) -> CommandFailed:
    told = CliRunner().invoke(app, ["dead", *args, "--db", str(path)])
    assert isinstance(told.exception, CommandFailed), told.output
    return told.exception


def states(path: Path) -> dict[str, str]:
    told = CliRunner().invoke(app, ["show", "1", "--json", "--db", str(path)])
    return {each["delivery"]: each["state"] for each in check_printed(["show"], told.stdout)["deliveries"]}


def test_dead_letters_and_unknown_outcomes_are_listed_with_what_names_them_and_why(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    states = (DeliveryState.DEAD, DeliveryState.UNKNOWN, DeliveryState.DELIVERED, DeliveryState.RETRY)
    make(path, {f"d{n}": state for n, state in enumerate(states, 1)})
    listed = run(path, "list")
    assert "d3" not in listed
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        ["d4", "retry", "web:local:1"],
        ["d2", "unknown", "web:local:1"],
        ["d1", "dead", "web:local:1"],
    ]
    assert "bot was blocked" in listed
    (waiting, unknown, dead) = check_printed(["dead", "list"], run(path, "list", "--json"))
    assert (unknown["state"], dead["delivery"], dead["session"], dead["text"]) == (
        "unknown",
        "d1",
        1,
        "the words of d1",
    )
    assert (waiting["state"], waiting["delivery"], dead["retry_at"]) == ("retry", "d4", None)
    run(path, "purge", "d1")
    run(path, "purge", "d2", "d4", "--yes")
    told = CliRunner().invoke(app, ["dead", "list", "--db", str(path)])
    assert "there are no dead letters, and nothing waits to be tried again" in told.stderr


def test_where_nothing_runs_a_letter_is_sent_by_the_next_start_once_it_was_agreed_that_it_may_be_read_twice(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bot.db"
    make(path, DEAD)
    asked = failure(path, "retry", "d1")
    assert asked.code == 2
    assert "its person reads it twice" in str(asked)
    assert "say --yes" in str(asked)
    assert states(path) == {"d1": "dead", "d2": "dead"}
    told = run(path, "retry", "d1", "--yes")
    assert "d1 to web:local:1, which was dead: the next start sends it: greenroom up" in told
    assert states(path) == {"d1": "unknown", "d2": "dead"}
    again = check_printed(["dead", "retry"], run(path, "retry", "d2", "--yes", "--json"))
    assert again == {
        "resent": [{"delivery": "d2", "key": "web:local:1", "was": "dead", "once": False}],
        "running": False,
    }


def test_what_is_owed_is_given_up_only_by_name_and_when_that_was_agreed(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path, DEAD | {"d3": DeliveryState.RETRY})
    assert "will never be sent: d3 to web:local:1 (retry)" in str(failure(path, "purge", "d3"))
    assert "forgets 2 dead letters" in str(failure(path, "purge", "--all"))
    assert "its letter is forgotten" in run(path, "purge", "--all", "--yes")
    assert states(path) == {"d1": "dead", "d2": "dead", "d3": "retry"}
    assert "given up, it will not be sent" in run(path, "purge", "d3", "--yes")
    assert states(path)["d3"] == "dead"
    assert check_printed(["dead", "purge"], run(path, "purge", "--all", "--json")) == {"purged": []}


@pytest.mark.parametrize(
    "args, code, words",
    [
        (("retry", "nothing"), 1, "there is no delivery 'nothing'; `greenroom dead list`"),
        (("purge", "d1", "nothing"), 1, "nothing was changed"),
        (("purge",), 2, "name the deliveries, or say --all"),
        (("purge", "d1", "--all"), 2, "name the deliveries, or say --all"),
        (("retry", "d8", "--yes"), 1, "d8 is delivered: its person can read it"),
        (("purge", "d9", "--yes"), 1, "d9 has no words yet"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    tmp_path: Path, args: tuple[str, ...], code: int, words: str
) -> None:
    path = tmp_path / "bot.db"
    make(path, DEAD | {"d8": DeliveryState.DELIVERED, "d9": DeliveryState.OPEN})
    before = states(path)
    told = failure(path, *args)
    assert words in str(told)
    assert told.code == code
    assert states(path) == before


def test_a_running_greenroom_sends_a_dead_letter_at_once_and_gives_another_up(shell: Shell) -> None:
    path = shell.home / "room.db"
    make(path, DEAD)
    daemon = shell.up()
    told = run(path, "retry", "d1")
    assert "it is being sent. Its message is edited, or a placeholder first: the words are shown once" in told
    daemon.see("1", "the words of d1")
    assert "its letter is forgotten" in run(path, "purge", "d2")
    assert check_printed(["dead", "list"], run(path, "list", "--json")) == []
    with pytest.raises(CommandFailed, match="there is no delivery 'nothing'"):
        give_order(path, order="drop", delivery="nothing")
    assert [each.delivery for each in ask_connections(path) or []] == [DeliveryClass.EDIT_ANCHOR]


def test_where_who_serves_the_database_takes_no_orders_it_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path, DEAD)
    house = House(path)
    told = str(failure(path, "retry", "d1", "--yes"))
    house.close()
    assert "stop it and `greenroom dead retry d1`, or let it call `room.resend`" in told


def test_at_a_terminal_it_is_asked_and_a_no_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    make(path, DEAD)
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    command = [GREENROOM, "dead", "retry", "d1", "--db", str(path)]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=WAIT_S, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1, done.stderr
    assert "its person reads it twice" in done.stderr
    assert "Do it? [y/N]" in done.stderr
    assert "nothing was changed" in done.stderr
    assert states(path)["d1"] == "dead"
