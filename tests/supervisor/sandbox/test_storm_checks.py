"""What is checked after a storm: each broken promise is seen, and nothing else."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from greenroom.actors.ports import Agent
from greenroom.platforms.agents.demo import demo_agent
from greenroom.platforms.chats.hosted import HostedChat
from greenroom.supervisor.answers import NeverAnsweredError
from greenroom.supervisor.sandbox.storm_checks import (
    check_chat,
    check_ledger,
    check_store,
    count_resumes,
    is_at_rest,
    read_sent,
    read_taken,
)
from greenroom.supervisor.sandbox.storm_talk import Line
from greenroom.supervisor.supervisor import Supervisor

KEY = "web:local:kitchen"
SAID = (Line("m1", "message #1#", "#1#"), Line("m2", "note #2#", "#2#", notes=True))
SEEN = ("You said: message #1#", "Noted: #2#")
WAIT_S = 60.0


def talk(database: Path, agent: Agent, said: Sequence[Line]) -> list[str]:
    with Supervisor(database, agent=agent) as room:
        room.attach(HostedChat("web", "local"))
        return [
            room.answer(room.accept(chat=KEY, id=line.id, text=line.text, timeout_s=WAIT_S), timeout_s=WAIT_S)
            for line in said
        ]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store as a storm leaves it that broke nothing."""
    assert tuple(talk(tmp_path / "greenroom.db", demo_agent(tmp_path / "ledger.txt"), SAID)) == SEEN
    return tmp_path / "greenroom.db"


def test_a_chat_in_which_each_message_was_answered_once_is_fine() -> None:
    assert list(check_chat(KEY, SAID, SEEN)) == []


@pytest.mark.parametrize(
    "seen, words",
    [
        (SEEN[:1], "not answered: {'#2#': 1}"),
        ((*SEEN, SEEN[0]), "not asked for: {'#1#': 1}"),
        ((*SEEN, "Hello!"), "not asked for: {'Hello!': 1}"),
        (SEEN[::-1], "what is visible differs from what was asked, from number 1 on"),
    ],
)
def test_a_lost_a_doubled_an_unasked_and_a_late_answer_are_each_seen(seen: Sequence[str], words: str) -> None:
    assert words in "\n".join(check_chat(KEY, SAID, seen))


def test_a_ledger_with_each_line_once_is_fine_and_one_with_a_line_twice_is_not(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.txt"
    ledger.write_text("#2#\n")
    assert list(check_ledger(ledger, SAID, SEEN)) == []
    ledger.write_text("#2#\n#2#\n")
    assert list(check_ledger(ledger, SAID, SEEN)) == ["the ledger has #2# 2 times"]


def test_a_line_that_is_not_in_the_ledger_must_have_been_told_to_be_in_doubt(tmp_path: Path) -> None:
    missing = tmp_path / "ledger.txt"
    assert len(list(check_ledger(missing, SAID, SEEN))) == 1
    assert list(check_ledger(missing, SAID, (SEEN[0], "In doubt: I was interrupted while I noted '#2#'."))) == []


def test_what_is_visible_is_what_is_stored(database: Path) -> None:
    assert list(check_store(database, {KEY: (SAID, SEEN)})) == []
    assert count_resumes(database) == {}


def test_an_answer_that_is_not_in_the_transcript_and_one_that_nobody_saw_are_seen(database: Path) -> None:
    told = "\n".join(check_store(database, {KEY: (SAID, SEEN[:1])}))
    assert "the transcript differs, from number 2 on" in told
    assert "the outbox differs, from number 2 on" in told


def test_a_message_that_is_stored_and_was_not_said_is_seen(database: Path) -> None:
    told = "\n".join(check_store(database, {KEY: (SAID[:1], SEEN)}))
    assert "the inbox differs, from number 2 on" in told
    assert "the user's rows differs, from number 2 on" in told


def test_a_session_of_nobody_is_seen(database: Path) -> None:
    assert list(check_store(database, {})) == [f"{KEY}: a session of nobody"]


@pytest.mark.parametrize(
    "undo",
    [
        "UPDATE runs SET open = 1 WHERE generation = 2",
        "UPDATE inbox SET generation = NULL WHERE id = 2",
        "UPDATE deliveries SET state = 'pending' WHERE id = 2",
    ],
)
def test_a_house_is_at_rest_when_nothing_runs_waits_or_is_owed(database: Path, undo: str) -> None:
    db = apsw.Connection(str(database))
    db.execute("UPDATE deliveries SET state = 'delivered'")
    assert is_at_rest(database)
    db.execute(undo)
    assert not is_at_rest(database)
    assert not is_at_rest(database, KEY)
    assert is_at_rest(database, "web:local:hall")
    db.close()


def test_a_chat_is_read_in_the_order_of_what_was_said_in_it(database: Path) -> None:
    assert read_taken(database, KEY) == [line.text for line in SAID]
    assert read_sent(database, KEY) == list(SEEN)


def test_an_order_without_a_reply_and_one_with_two_are_seen(tmp_path: Path) -> None:
    database, said = tmp_path / "greenroom.db", (*SAID[:1], Line("m3", "/status"))
    seen = talk(database, demo_agent(tmp_path / "ledger.txt"), said[:1])
    with Supervisor(database, agent=demo_agent(tmp_path / "ledger.txt")) as room:
        room.attach(HostedChat("web", "local"))
        receipt = room.accept(chat=KEY, id="m3", text="/status", timeout_s=WAIT_S)
        with suppress(NeverAnsweredError):
            room.answer(receipt, timeout_s=WAIT_S)
    seen = read_sent(database, KEY)
    assert list(check_store(database, {KEY: (said, seen)})) == []
    db = apsw.Connection(str(database))
    db.execute("UPDATE deliveries SET key = 'gone' WHERE key LIKE 'command.%'")
    db.close()
    assert f"{KEY}: the order m3 has 0 replies" in list(check_store(database, {KEY: (said, seen)}))


def test_a_press_that_came_too_late_is_told_of_once(database: Path) -> None:
    said = (*SAID, Line("m4", "yes", presses="#4#", late=True))
    wrong = f"{KEY}: 1 buttons were pressed too late, and the person was told 0 times"
    assert wrong in list(check_store(database, {KEY: (said, SEEN)}))
