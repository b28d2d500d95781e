"""Pairings on disk: a code works once, while it is good, however often and by whom it is tried."""

from collections.abc import Iterator

import apsw
import pytest
from msgspec.structs import replace

from greenroom.actors.model import SessionKey
from greenroom.actors.pairing import GUESSES_MAX, Pairing
from greenroom.actors.pairing_facts import ChatPaired, ChatUnpaired, CodeMissed, CodeOffered
from greenroom.storage.migrate import migrate
from greenroom.storage.pairings import read_pairings
from greenroom.storage.rows import Contradiction
from greenroom.storage.statements import write_fact

EVE = SessionKey("telegram", "me", "eve")
OFFERED = Pairing(EVE, 100.0, 200.0, "0a", "hash", "Eve")
IN = ChatPaired(EVE, "hash", 150.0)
PAIRING_LIFE = (CodeOffered(OFFERED), CodeMissed(EVE, 1), IN, ChatUnpaired(EVE))


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    write_fact(connection, CodeOffered(OFFERED))
    yield connection
    connection.close()


def test_what_is_written_is_read(db: apsw.Connection) -> None:
    write_fact(db, CodeMissed(EVE, 2))
    assert read_pairings(db) == (replace(OFFERED, guesses=2),)
    write_fact(db, IN)
    assert read_pairings(db) == (replace(OFFERED, guesses=2, salt="", code_hash="", approved_at=150.0),)
    write_fact(db, ChatUnpaired(EVE))
    assert read_pairings(db) == ()


def refused(db: apsw.Connection, fact: ChatPaired) -> bool:
    try:
        write_fact(db, fact)
    except Contradiction:
        return True
    return False


def test_a_code_works_once(db: apsw.Connection) -> None:
    assert not refused(db, IN)
    assert not refused(db, IN)  # The same fact, written again.
    assert refused(db, replace(IN, at=151.0))
    write_fact(db, ChatUnpaired(EVE))
    assert refused(db, IN)


@pytest.mark.parametrize("at", [99.0, 200.0, 9_999.0])
def test_a_code_that_is_over_does_not_work(db: apsw.Connection, at: float) -> None:
    assert refused(db, replace(IN, at=at))


def test_too_many_guesses_end_a_code(db: apsw.Connection) -> None:
    write_fact(db, CodeMissed(EVE, GUESSES_MAX))
    write_fact(db, CodeMissed(EVE, 1))
    assert refused(db, IN)


def test_another_code_replaces_the_first_and_another_hash_is_none(db: apsw.Connection) -> None:
    assert refused(db, replace(IN, code_hash="other"))
    assert refused(db, replace(IN, chat=SessionKey("telegram", "me", "bob")))
    write_fact(db, CodeOffered(replace(OFFERED, offered_at=140.0, expires_at=240.0, salt="0b", code_hash="other")))
    assert refused(db, IN)
    assert not refused(db, replace(IN, code_hash="other"))


def test_who_is_in_stays_in_whatever_is_offered_late(db: apsw.Connection) -> None:
    write_fact(db, IN)
    (before,) = read_pairings(db)
    write_fact(db, CodeOffered(replace(OFFERED, offered_at=140.0)))
    assert read_pairings(db) == (before,)


def test_codes_that_are_over_are_forgotten_and_others_kept(db: apsw.Connection) -> None:
    bob, other = SessionKey("telegram", "me", "bob"), SessionKey("matrix", "me", "amy")
    write_fact(db, IN)
    for chat in (bob, other):
        write_fact(db, CodeOffered(replace(OFFERED, chat=chat)))
    write_fact(db, CodeOffered(replace(OFFERED, chat=SessionKey("telegram", "me", "new"), offered_at=200.0)))
    assert {each.chat.chat for each in read_pairings(db)} == {"eve", "amy", "new"}
