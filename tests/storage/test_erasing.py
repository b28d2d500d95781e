"""Forgetting for good: no row, and no byte in any file beside the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace
from tests.storage.store_house import WAIT_S, House, Waiter, inbound, opened, said
from tests.storage.test_statements import DELIVERY, KEY, LIFE, E, G, S

from greenroom.actors.facts import (
    DeliveryMoved,
    DeliveryOpened,
    InboundStored,
    MessageAppended,
    RunClosed,
    RunOpened,
    SessionsForgotten,
    SessionSucceeded,
    SessionSuspended,
)
from greenroom.actors.model import (
    DeliveryState,
    Ending,
    FreshCause,
    Generation,
    Inbound,
    Message,
    OpenRun,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
)
from greenroom.actors.store import Committed, Kin, KinOf, RefusalKind, Refused
from greenroom.storage.boots import take_ownership
from greenroom.storage.erasing import erase_unserved, read_held, read_kin
from greenroom.storage.invariants import INVARIANTS
from greenroom.storage.migrate import migrate
from greenroom.storage.requests import Scrubbed
from greenroom.storage.rows import Contradiction
from greenroom.storage.search import search
from greenroom.storage.statements import write_fact

SECRET = "kumquat-marmalade"
OTHER = SessionKey("web", "bot", "2")
ENDED = Ending.ANSWERED
MINE = (SessionId(1), SessionId(3))
TABLES = (
    "inbox",
    "messages",
    "runs",
    "tool_calls",
    "questions",
    "processes",
    "deliveries",
    "decisions",
    "dead_letters",
)


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA foreign_keys = 1; PRAGMA recursive_triggers = 1")
    migrate(connection)
    take_ownership(connection, uid_if_new="0badcafe", at=0.0, pid=1, version="0")
    for fact in LIFE[:-1]:
        write_fact(connection, fact)
    yield connection
    connection.close()


def left(db: apsw.Connection, session: int) -> dict[str, int]:
    counts = {t: db.execute(f"SELECT count(*) FROM {t} WHERE session_id = ?", (session,)).get for t in TABLES}
    return {table: int(str(count)) for table, count in counts.items() if count}


def test_all_rows_of_a_session_go_and_those_of_its_successor_stay(db: apsw.Connection) -> None:
    assert set(left(db, 1)) == set(TABLES) - {"dead_letters"}
    held = read_held(db, (S,))
    assert held.rows == left(db, 1)
    write_fact(db, SessionsForgotten(KEY, (S,), 20.0))
    assert left(db, 1) == {}
    assert db.execute("SELECT id, predecessor FROM sessions").fetchall() == [(2, None)]
    assert db.execute("SELECT session_id FROM routes").fetchall() == [(2,)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_whole_chat_goes_with_its_route_and_begins_anew_under_a_new_number(db: apsw.Connection) -> None:
    write_fact(db, InboundStored(Inbound(OTHER, "v1", "hello"), 18.0))
    kin = read_kin(db, S, whole_chat=True)
    assert kin == Kin(KEY, (S, SessionId(2)))
    assert read_kin(db, S, whole_chat=False) == Kin(KEY, (S,))
    assert read_kin(db, SessionId(99), whole_chat=True) is None
    write_fact(db, SessionsForgotten(KEY, kin.ids, 20.0))
    assert db.execute("SELECT key FROM sessions").fetchall() == [(str(OTHER),)]
    write_fact(db, InboundStored(Inbound(KEY, "w1", "hello again"), 21.0))
    assert db.execute("SELECT session_id FROM routes WHERE key = ?", (str(KEY),)).get == 4


def test_where_only_the_last_conversation_is_forgotten_the_chat_begins_a_new_one_and_takes_up_no_old_one(
    db: apsw.Connection,
) -> None:
    write_fact(db, SessionSucceeded(SessionId(2), FreshCause.ASKED, 18.0))
    write_fact(db, SessionsForgotten(KEY, (SessionId(2),), 19.0))  # In the middle: the last one follows the first.
    assert db.execute("SELECT id, predecessor FROM sessions ORDER BY id").fetchall() == [(1, None), (3, 1)]
    for _ in range(2):
        write_fact(db, SessionsForgotten(KEY, (SessionId(3),), 20.0))
        assert db.execute("SELECT id, predecessor FROM sessions ORDER BY id").fetchall() == [(1, None), (4, 1)]
        assert db.execute("SELECT key, session_id FROM routes").fetchall() == [(str(KEY), 4)]
    for invariant in INVARIANTS:
        assert db.execute(invariant.sql).fetchall() == [], invariant.name


def test_what_works_is_not_forgotten_until_it_has_ended_or_is_set_aside(db: apsw.Connection) -> None:
    two, again = SessionId(2), SessionsForgotten(KEY, (SessionId(2),), 20.0)
    write_fact(db, RunOpened(two, OpenRun(G, E, G, RunCause.INBOUND, 1, 3.0, 3.0), Tail()))
    with pytest.raises(Contradiction, match="session 2 of web:bot:1 cannot be forgotten now: an agent works in it"):
        write_fact(db, again)
    write_fact(db, SessionSuspended(two, 21.0))
    write_fact(db, again)
    assert db.execute("SELECT 1 FROM sessions WHERE id = 2").get is None
    db.execute("UPDATE processes SET state = 'running'")
    with pytest.raises(Contradiction, match="a background process of it runs"):
        write_fact(db, replace(again, ids=(S,)))


def test_who_comes_too_late_for_a_forgotten_session_writes_nothing(db: apsw.Connection) -> None:
    write_fact(db, SessionsForgotten(KEY, (S,), 20.0))
    write_fact(db, DeliveryMoved(replace(DELIVERY, state=DeliveryState.DELIVERED), 21.0))
    said = Message(Seq(9), G, "k", Role.USER, "late", 2.0)
    for late in (MessageAppended(S, E, said), DeliveryOpened(E, G, replace(DELIVERY, key="late"))):
        with pytest.raises(apsw.ConstraintError, match="FOREIGN KEY"):
            write_fact(db, late)
    assert left(db, 1) == {}


def with_words(path: Path) -> House:
    """A life in which one secret is everywhere, beside another chat's; and some of it was rewritten since."""
    house = House(path)
    epoch = house.store.epoch
    house.write(inbound(), InboundStored(Inbound(OTHER, "2.1", "other words"), 1.0))
    house.write(opened(epoch))
    words = f"{SECRET} is what I said; " * 40
    for n in range(1, 200):
        house.write(
            InboundStored(Inbound(KEY, f"1.{n + 1}", f"{n} {SECRET}"), 2.0),
            MessageAppended(S, epoch, Message(Seq(n), G, f"k{n}", Role.USER, f"{n} {words}", 2.0)),
        )
    owed = replace(DELIVERY, text=f"{words} answered", state=DeliveryState.PENDING)
    house.write(DeliveryOpened(epoch, G, owed))
    house.write(RunClosed(S, G, ENDED, 3.0), SessionSucceeded(S, FreshCause.ASKED, 4.0))
    return house


def holds(folder: Path, words: str) -> list[str]:
    """The files in which these words are, in whole or in the form in which an index keeps them."""
    parts = [words.encode(), *(part.encode() for part in words.split("-"))]
    return sorted(file.name for file in folder.iterdir() if any(part in file.read_bytes() for part in parts))


def test_no_byte_is_left_in_any_file_where_nobody_serves_the_database(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    house = with_words(path)
    assert house.store._aides.indexer is not None
    assert house.store._aides.indexer.wait_for(199, timeout_s=WAIT_S)
    assert house.read(KinOf(S, whole_chat=True)) == Kin(KEY, MINE)
    house.close()
    assert holds(tmp_path, SECRET) == ["bot.db", "bot.db.search"]
    scrubbed = erase_unserved(path, KEY, MINE, now=5.0)
    assert scrubbed == Scrubbed(file=True, journal=True, index=True)
    assert holds(tmp_path, SECRET) == []
    assert holds(tmp_path, "other") == ["bot.db"]


def test_no_byte_is_left_in_any_file_beside_the_process_that_serves_it(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    house = with_words(path)
    try:
        assert isinstance(house.write(SessionsForgotten(KEY, MINE, 5.0)), Committed)
        scrubbed = Waiter()
        house.store.scrub(scrubbed)
        assert scrubbed.wait(1) == [Scrubbed(file=True, journal=True, index=True)]
        assert house.store._aides.indexer is not None
        assert holds(tmp_path, SECRET) == []
        assert holds(tmp_path, "other") == ["bot.db"]
        anew = SessionId(4)
        house.write(InboundStored(Inbound(KEY, "new", "papaya"), 6.0))
        house.write(opened(house.store.epoch, session=anew))
        fresh = Message(Seq(1), Generation(1), "k1", Role.USER, "papaya", 6.0)
        house.write(MessageAppended(anew, house.store.epoch, fresh))
        assert house.store._aides.indexer.wait_for(1, timeout_s=WAIT_S)
        assert [found.text for found in search(str(path), "papaya", 5)] == ["papaya"]
        assert search(str(path), "marmalade", 5) == ()
        assert house.read(KinOf(SessionId(1))) is None
    finally:
        house.close()


def test_what_lay_where_it_was_written_is_zeros_before_the_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    house = House(path)
    house.write(inbound())
    house.write(opened(house.store.epoch))
    house.write(*(said(house.store.epoch, n, f"{SECRET} " * 900) for n in range(1, 20)), RunClosed(S, G, ENDED, 3.0))
    house.write(SessionsForgotten(KEY, (S,), 5.0))
    house.close()
    assert SECRET.encode() not in path.read_bytes()


def test_a_session_that_works_is_refused_where_it_is_served_and_not_where_nobody_can_work(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    house = House(path)
    house.write(inbound())
    house.write(opened(house.store.epoch))
    refused = house.write(SessionsForgotten(KEY, (S,), 5.0))
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.CONFLICT
    house.close()
    erase_unserved(path, KEY, (S,), now=6.0)
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("SELECT count(*) FROM sessions").get == 0
    db.close()
