"""A backup is of one moment, whole, whoever writes meanwhile."""

import threading
from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import House, count, inbound, opened, said

from greenroom.storage import backup
from greenroom.storage.backup import back_up, copy_database, read_made_at
from greenroom.storage.boots import read_epoch
from greenroom.storage.placing import NotPlaced
from greenroom.storage.sqlite import CannotOpen, Malformed, open_reader, open_writer


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def nobody(_done: int, _whole: int) -> None:
    """Nobody watches."""


def test_it_holds_what_was_committed_and_when(house: House, tmp_path: Path) -> None:
    house.write(inbound(1))
    made = back_up(house.path, tmp_path / "copy.db", overwrite=False, now=77.5, told=nobody)
    house.write(inbound(2))
    copy = open_reader(str(made.file))
    assert [row[0] for row in copy.execute("SELECT update_id FROM inbox")] == ["1.1"]
    assert (read_made_at(copy), read_epoch(copy)) == (77.5, made.epoch) == (77.5, house.store.epoch)
    copy.close()
    assert made.bytes == made.file.stat().st_size
    original = open_reader(str(house.path))
    assert read_made_at(original) is None
    original.close()


def test_it_is_one_file_that_opens_where_nothing_can_be_written(house: House, tmp_path: Path) -> None:
    house.write(inbound(1))
    safe = tmp_path / "safe"
    safe.mkdir()
    back_up(house.path, safe / "copy.db", overwrite=False, now=1.0, told=nobody)
    assert names(safe) == ["copy.db"]
    db = apsw.Connection(f"file:{safe}/copy.db?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    assert db.pragma("journal_mode") == "delete"
    assert db.execute("SELECT count(*) FROM inbox").get == 1
    db.close()


def test_commits_between_its_pieces_neither_come_in_nor_make_it_begin_anew(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece of it waits for a commit of the running writer, and the other way round: nobody waits for its end."""
    monkeypatch.setattr(backup, "STEP_PAGES", 4)
    house.write(inbound(0), opened(house.store.epoch))
    house.write(*(said(house.store.epoch, seq, "words " * 500) for seq in range(1, 101)))
    pieces: list[int] = []

    def write_between(done: int, _whole: int) -> None:
        pieces.append(done)
        house.write(inbound(len(pieces)))

    back_up(house.path, tmp_path / "copy.db", overwrite=False, now=1.0, told=write_between)
    assert len(pieces) > 5
    assert pieces == sorted(pieces)
    assert (count(tmp_path / "copy.db", "inbox"), count(tmp_path / "copy.db", "messages")) == (1, 100)
    assert count(house.path, "inbox") == 1 + len(pieces)


def test_it_is_whole_while_other_threads_write_as_fast_as_they_can(house: House, tmp_path: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            house.write(inbound(number))

    writing = threading.Thread(target=write, name="test-writer")
    writing.start()
    try:
        for number in range(5):
            made = back_up(house.path, tmp_path / f"{number}.db", overwrite=False, now=1.0, told=nobody)
            copy = open_reader(str(made.file))
            rows = copy.execute("SELECT count(*), max(id) FROM inbox").fetchall()
            assert rows[0][0] == (rows[0][1] or 0)
            assert copy.pragma("integrity_check") == "ok"
            copy.close()
    finally:
        ended.set()
        writing.join()


def test_what_belongs_to_the_database_is_never_written_over(house: House, tmp_path: Path) -> None:
    house.write(inbound(1))
    (tmp_path / "link.db").hardlink_to(house.path)
    (tmp_path / "soft.db").symlink_to(house.path)
    beside = [Path(f"{house.path}{end}") for end in ("", "-wal", "-shm", ".lock", ".search", ".orders", ".holder.json")]
    for file in (*beside, tmp_path / "link.db", tmp_path / "soft.db"):
        with pytest.raises(NotPlaced, match="is the database itself, or belongs to it"):
            back_up(house.path, file, overwrite=True, now=1.0, told=nobody)
    assert count(house.path, "inbox") == 1


@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_no_copy_is_put_where_a_journal_lies_that_is_not_its_own(house: House, tmp_path: Path, end: str) -> None:
    house.write(inbound(1))
    beside = tmp_path / f"old.db{end}"
    beside.write_bytes(Path(f"{house.path}-wal").read_bytes())
    with pytest.raises(NotPlaced, match=rf"old\.db{end} is there: a database of that name is open, or its process was"):
        back_up(house.path, tmp_path / "old.db", overwrite=True, now=1.0, told=nobody)
    assert not (tmp_path / "old.db").exists()
    assert beside.exists()


def test_a_damaged_database_is_told_of_and_leaves_no_backup(house: House, tmp_path: Path) -> None:
    house.write(inbound(0), opened(house.store.epoch))
    house.write(*(said(house.store.epoch, seq, "words " * 500) for seq in range(1, 101)))
    house.close()
    db = open_reader(str(house.path))
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'messages'").get
    db.close()
    with house.path.open("r+b") as file:
        file.seek((page - 1) * 8192)
        file.write(b"\xff" * 4096)
    with pytest.raises(
        Malformed, match=r"(?s)bot.db: the database is damaged \(as a copy of it shows: .*restore a backup"
    ):
        back_up(house.path, tmp_path / "copy.db", overwrite=False, now=1.0, told=nobody)
    assert names(tmp_path) == ["room"]


@pytest.mark.parametrize("content,why", [(b"", "another application's"), (b"no database" * 99, "damaged")])
def test_what_is_no_database_of_ours_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a.db").write_bytes(content)
    with pytest.raises(CannotOpen, match=why):
        back_up(tmp_path / "a.db", tmp_path / "copy.db", overwrite=False, now=1.0, told=nobody)
    assert names(tmp_path) == ["a.db"]


def test_a_database_in_which_nothing_was_stored_yet_gives_no_backup(tmp_path: Path) -> None:
    open_writer(str(tmp_path / "a.db")).close()
    with pytest.raises(CannotOpen, match="nothing was ever stored in it"):
        back_up(tmp_path / "a.db", tmp_path / "copy.db", overwrite=False, now=1.0, told=nobody)
    assert not (tmp_path / "copy.db").exists()


def test_the_reading_ends_also_when_the_copy_cannot_be_written(house: House, tmp_path: Path) -> None:
    house.write(inbound(1))
    source = open_reader(str(house.path))
    with pytest.raises((apsw.Error, OSError)):
        copy_database(source, tmp_path / "no" / "such.db", nobody)
    assert not source.in_transaction
    source.close()
