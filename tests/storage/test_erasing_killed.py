"""Forgetting that was cut short between its transaction and the scrub is made up for by the next start."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import WAIT_S, House, opened
from tests.storage.test_erasing import MINE, OTHER, SECRET, holds, with_words
from tests.storage.test_statements import KEY

from greenroom.actors.facts import InboundStored, MessageAppended, SessionsForgotten
from greenroom.actors.model import Generation, Inbound, Message, Role, Seq, SessionId
from greenroom.storage.doctor import examine
from greenroom.storage.erasing import erase_unserved, is_scrub_owed
from greenroom.storage.search import Outdated, read_mentions, search
from greenroom.storage.sqlite import open_reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed database whose process died in the middle of forgetting: it came no further than the transaction."""
    path = tmp_path / "bot.db"
    house = with_words(path)
    assert house.store._aides.indexer is not None
    assert house.store._aides.indexer.wait_for(199, timeout_s=WAIT_S)
    house.close()
    house = House(path)
    house.write(SessionsForgotten(KEY, MINE, 5.0))
    house.close()
    return path


def owed(path: Path) -> bool:
    db = open_reader(str(path))
    try:
        return is_scrub_owed(db)
    finally:
        db.close()


def test_the_next_start_scrubs_the_files_and_makes_the_index_again(path: Path) -> None:
    assert (owed(path), holds(path.parent, SECRET)) == (True, ["bot.db", "bot.db.search"])
    house = House(path)
    anew = SessionId(4)
    house.write(InboundStored(Inbound(KEY, "new", "papaya"), 6.0))
    house.write(opened(house.store.epoch, session=anew))
    fresh = Message(Seq(1), Generation(1), "k1", Role.USER, "papaya", 6.0)
    house.write(MessageAppended(anew, house.store.epoch, fresh))
    assert house.store._aides.indexer is not None
    assert house.store._aides.indexer.wait_for(1, timeout_s=WAIT_S)
    assert [found.text for found in house.store.search("papaya")] == ["papaya"]
    assert house.store.search("marmalade") == ()
    house.close()
    assert (owed(path), holds(path.parent, SECRET)) == (False, [])
    assert holds(path.parent, "other") == ["bot.db"]


def test_until_then_nobody_searches_in_the_old_index(path: Path) -> None:
    with pytest.raises(Outdated, match="from before something was forgotten"):
        search(str(path), "marmalade", 5)
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert read_mentions(db, OTHER, "marmalade", 5) == ()
    db.close()
    (finding,) = (each for each in examine(path, served=False) if each.check == "the_search_knows_all")
    assert finding.found == ("the index is of another store, or from before something was forgotten",)


def test_a_second_forgetting_where_nobody_serves_it_makes_up_for_the_first(path: Path) -> None:
    db = open_reader(str(path))
    (other,) = db.execute("SELECT id FROM sessions WHERE key = ?", (str(OTHER),)).fetchall()
    db.close()
    erase_unserved(path, OTHER, (SessionId(int(str(other[0]))),), now=6.0)
    assert (owed(path), holds(path.parent, SECRET)) == (False, [])
