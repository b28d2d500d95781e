"""A journal whose database is gone is not taken into what is put in its place."""

from pathlib import Path

import pytest
from tests.storage.store_house import House, inbound
from tests.storage.test_restoring import ASIDE, ask, keep, live, restore, updates

from greenroom.storage.restoring import LEAP


def lost(path: Path, *, journal: str) -> bytes:
    """A killed process left its journal, and somebody removed the database; what stands in the journal."""
    house = House(path)
    for number in range(2, 30):
        house.write(inbound(number))
    left = path.with_name("bot.db-wal").read_bytes()
    house.close()
    path.unlink()
    Path(f"{path}{journal}").write_bytes(left)
    path.with_name("bot.db-shm").write_bytes(b"old")
    return left


@pytest.mark.parametrize("journal", ["-wal", "-journal"])
def test_the_journal_of_a_database_that_is_gone_is_kept_aside_and_does_not_come_in(path: Path, journal: str) -> None:
    live(path, 1)
    copy = keep(path)
    left = lost(path, journal=journal)
    done = restore(path, copy)
    assert (updates(path), done.status.epoch, done.fenced) == (["1.1"], 1 + LEAP + 1, False)
    assert done.aside == path.parent / f"{ASIDE}{journal}"
    assert done.aside.read_bytes() == left
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    lost(path, journal=journal)
    assert restore(path, copy).aside == path.parent / f"{ASIDE}-2{journal}"


def test_no_new_database_takes_in_the_journal_of_one_that_is_gone(path: Path) -> None:
    live(path, 1)
    lost(path, journal="-wal")
    live(path, 7)
    assert updates(path) == ["1.7"]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
