"""A backup is put back so that nobody goes on with what was there, and no number means two things."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import House, count, inbound, opened, said

from greenroom.actors.model import Generation, SessionId
from greenroom.actors.store import OwnerNow
from greenroom.storage import restoring
from greenroom.storage.backup import MADE_AT, back_up
from greenroom.storage.lock import Held
from greenroom.storage.migrate import NewerSchema
from greenroom.storage.restoring import LEAP, Heir, Restored, put_back
from greenroom.storage.sqlite import CannotOpen, Malformed, open_writer

HEIR = Heir(uid="new-uid", pid=7, version="9.9", now=1_800_000_000.0)
ASIDE = "bot.db.replaced-20270115-080000"


def nobody(_done: int, _whole: int) -> None:
    """Nobody watches."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def live(path: Path, *messages: int, chat: str = "1") -> None:
    """One life of a process, in which somebody says something."""
    with living(path) as house:
        for number in messages:
            house.write(inbound(number, chat))


@contextlib.contextmanager
def living(path: Path) -> Iterator[House]:
    house = House(path)
    try:
        yield house
    finally:
        house.close()


def keep(path: Path) -> Path:
    copy = path.with_name("copy.db")
    back_up(path, copy, overwrite=True, now=5.0, told=nobody)
    return copy


def restore(path: Path, backup: Path) -> Restored:
    return put_back(path, backup, HEIR, told=nobody)


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute(sql).fetchall()
    db.close()
    return found


def updates(path: Path) -> list[object]:
    return [row[0] for row in ask(path, "SELECT update_id FROM inbox ORDER BY id")]


def test_the_backup_is_in_place_and_what_was_there_is_beside_it(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    live(path, 2)
    (path.parent / "bot.db.search").touch()
    done = restore(path, copy)
    assert (updates(path), updates(path.parent / ASIDE)) == (["1.1"], ["1.1", "1.2"])
    assert (done.aside, done.made_at, done.fenced, done.status.inbound_waiting) == (path.parent / ASIDE, 5.0, True, 1)
    assert [name for name in names(path.parent) if not name.endswith(("-wal", "-shm"))] == [
        "bot.db",
        "bot.db.lock",
        ASIDE,
        "copy.db",
    ]
    assert ask(path, "SELECT epoch, ending, reason FROM boots ORDER BY epoch DESC LIMIT 1") == [
        (3, "clean", f"restored from {copy}")
    ]


def test_a_second_one_in_the_same_second_keeps_both_that_were_there(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    assert [restore(path, copy).aside, restore(path, copy).aside] == [
        path.parent / ASIDE,
        path.parent / f"{ASIDE}-2",
    ]


def test_what_was_replaced_can_be_put_back_in_turn(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    live(path, 2)
    aside = restore(path, copy).aside
    assert aside is not None
    done = restore(path, aside)
    assert (updates(path), done.made_at, done.status.epoch) == (["1.1", "1.2"], None, 4)


@pytest.mark.parametrize("later_in", ["the database", "the backup"])
def test_the_epoch_is_beyond_that_of_both(path: Path, later_in: str) -> None:
    live(path, 1)
    copy = keep(path)
    for _ in range(4):
        live(path)
    if later_in == "the backup":
        newer = keep(path)
        older = path.with_name("elsewhere.db")
        live(older)
        assert restore(older, newer).status.epoch == 6
    else:
        assert restore(path, copy).status.epoch == 6


def test_no_name_and_no_number_is_given_out_again(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    for chat in ("2", "3"):
        live(path, 1, chat=chat)
    restore(path, copy)
    assert ask(path, "SELECT value FROM meta WHERE key = 'uid'") == [("new-uid",)]
    assert ask(path, f"SELECT * FROM meta WHERE key = '{MADE_AT}'") == []
    live(path, 1, chat="4")
    assert ask(path, "SELECT max(sessions.id), max(inbox.id) FROM sessions, inbox") == [(4, 4)]


def test_a_process_that_still_has_it_open_writes_nowhere_and_is_told_that_it_is_over(path: Path) -> None:
    with living(path) as frozen:
        frozen.write(inbound(1))
        copy = keep(path)
        frozen.write(inbound(2))
        path.with_name("bot.db.lock").unlink()  # As an operator does who takes it for a left-over.
        restore(path, copy)
        assert not path.with_name("bot.db-wal").exists(), "the new one would write into the old one's open journal"
        frozen.offer(inbound(3))
        frozen.fenced.wait(1)
    assert (updates(path), updates(path.parent / ASIDE)) == (["1.1"], ["1.1", "1.2"])
    for database in (path, path.parent / ASIDE):
        assert ask(database, "PRAGMA integrity_check") == [("ok",)]


def test_a_process_that_only_asks_whose_the_store_is_hears_it_too(path: Path) -> None:
    with living(path) as frozen:
        frozen.write(inbound(1))
        copy = keep(path)
        path.with_name("bot.db.lock").unlink()
        restore(path, copy)
        assert frozen.read(OwnerNow()) != frozen.store.epoch
        frozen.fenced.wait(1)


def test_a_new_owner_and_one_that_was_overtaken_do_not_share_a_journal(path: Path) -> None:
    with living(path) as frozen:
        frozen.write(inbound(1))
        copy = keep(path)
        path.with_name("bot.db.lock").unlink()
        restore(path, copy)
        with living(path) as heir:
            heir.write(inbound(7))
            frozen.offer(inbound(3))
            frozen.fenced.wait(1)
            heir.write(inbound(8))
    assert updates(path) == ["1.1", "1.7", "1.8"]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_what_a_killed_process_left_in_its_journal_is_kept_aside_and_does_not_come_in(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    house = House(path)
    house.write(inbound(2))
    (left := path.with_name("left.db")).write_bytes(path.read_bytes())
    left.with_name("left.db-wal").write_bytes(path.with_name("bot.db-wal").read_bytes())
    house.close()
    done = restore(left, copy)
    assert done.aside is not None
    assert (updates(left), updates(done.aside)) == (["1.1"], ["1.1", "1.2"])


def test_where_nothing_was_nothing_is_kept(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    new = path.parent / "elsewhere" / "bot.db"
    done = restore(new, copy)
    assert (done.aside, done.fenced, updates(new), done.status.epoch) == (None, True, ["1.1"], 2)
    with living(new) as house:
        assert house.store.epoch == 3


def test_a_damaged_one_goes_aside_with_its_journal_and_its_numbers_are_leapt_over(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    path.write_bytes(b"no database any more" * 1000)
    path.with_name("bot.db-wal").write_bytes(b"nor a journal")
    done = restore(path, copy)
    assert (done.fenced, done.status.epoch, updates(path)) == (False, 1 + LEAP + 1, ["1.1"])
    assert (path.parent / ASIDE).read_bytes().startswith(b"no database")
    assert (path.parent / f"{ASIDE}-wal").read_bytes() == b"nor a journal"
    live(path, 1, chat="2")
    assert ask(path, "SELECT max(id) FROM sessions") == [(LEAP + 1,)]


def test_open_work_is_as_it_was_and_is_told_of(path: Path) -> None:
    with living(path) as house:
        house.write(inbound(1), opened(house.store.epoch))
        house.write(said(house.store.epoch, 1))
        copy = keep(path)
    done = restore(path, copy)
    assert (done.status.runs_open, done.status.messages) == (1, 1)
    assert ask(path, "SELECT session_id, generation FROM runs WHERE open = 1") == [(SessionId(1), Generation(1))]
    assert ask(path, "SELECT epoch, ending FROM boots") == [(1, "unclean"), (2, "clean")]


def test_whoever_serves_the_database_is_not_disturbed(path: Path) -> None:
    with living(path) as house:
        house.write(inbound(1))
        copy = keep(path)
        with pytest.raises(Held):
            restore(path, copy)
        house.write(inbound(2))
    assert updates(path) == ["1.1", "1.2"]
    assert not (path.parent / ASIDE).exists()


BAD = {
    "missing": "there is no such file; name a file that `greenroom backup` made",
    "folder": "is a folder; name a file",
    "itself": "is the database itself; name a backup of it",
    "link": "is the database itself",
    "empty": "too short for a database: no whole backup",
    "text": "the database is damaged",
    "strange": "another application's database",
    "unused": "nothing was ever stored in it; name another backup",
    "newer": "of a newer greenroom (schema 99; this one knows up to",
    "damaged": "this backup is damaged (",
}


def spoil(folder: Path, copy: Path, how: str) -> Path:
    """A backup that cannot be put back."""
    bad = folder / "bad.db"
    match how:
        case "missing":
            return folder / "none.db"
        case "folder":
            return folder
        case "itself":
            return folder / "bot.db"
        case "link":
            bad.hardlink_to(folder / "bot.db")
        case "empty":
            bad.touch()
        case "text":
            bad.write_bytes(b"words" * 1000)
        case "strange" | "unused":
            db = open_writer(str(bad)) if how == "unused" else apsw.Connection(str(bad))
            db.execute("CREATE TABLE a (b)")
            db.close()
        case "newer":
            bad.write_bytes(copy.read_bytes())
            db = apsw.Connection(str(bad))
            db.pragma("user_version", 99)
            db.close()
        case _:
            page = int(str(ask(copy, "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'")[0][0]))
            content = bytearray(copy.read_bytes())
            content[(page - 1) * 8192 : page * 8192] = b"\xff" * 8192
            bad.write_bytes(content)
    return bad


@pytest.mark.parametrize("how", BAD)
def test_what_is_no_backup_is_refused_and_nothing_is_changed(path: Path, how: str) -> None:
    with living(path) as house:
        house.write(inbound(1), opened(house.store.epoch))
        house.write(*(said(house.store.epoch, seq, "words " * 500) for seq in range(1, 51)))
    bad = spoil(path.parent, keep(path), how)
    with pytest.raises((CannotOpen, Malformed, NewerSchema), match=re.escape(BAD[how])):
        restore(path, bad)
    with living(path) as house:
        assert house.store.epoch == 2
    assert not [name for name in names(path.parent) if "replaced" in name or name.endswith(".new")]


def test_another_applications_file_in_the_databases_place_is_left_alone(path: Path) -> None:
    live(path, 1)
    copy = keep(path)
    strange = path.with_name("strange.db")
    db = apsw.Connection(str(strange))
    db.execute("CREATE TABLE a (b)")
    db.close()
    before = strange.read_bytes()
    with pytest.raises(CannotOpen, match="another application's database"):
        restore(strange, copy)
    assert strange.read_bytes() == before


def test_a_disk_that_fails_in_the_middle_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live(path, 1)
    copy = keep(path)
    live(path, 2)

    def fail(*_: object, **__: object) -> None:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(restoring, "end_boot", fail)
    with pytest.raises(CannotOpen, match=r"nothing was restored: .*bot.db: the disk is full"):
        restore(path, copy)
    assert updates(path) == ["1.1", "1.2"]
    assert not [name for name in names(path.parent) if "replaced" in name or ".new" in name]
    live(path, 3)
    assert count(path, "inbox") == 3


def test_somebody_who_reads_what_is_to_be_replaced_is_named_as_the_obstacle(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(path, 1)
    copy = keep(path)
    monkeypatch.setattr(restoring, "PATIENCE_MS", 10)
    with living(path) as house:
        house.write(inbound(2))
        path.with_name("bot.db.lock").unlink()
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM inbox").fetchall()
        with pytest.raises(CannotOpen, match=r"nothing was restored: .*another process holds the database"):
            restore(path, copy)
        reader.close(force=True)
    assert updates(path) == ["1.1", "1.2"]


KILLED = """
import os, shutil, sys
from pathlib import Path
from greenroom.storage.restoring import Heir, put_back

MOVES = {"os.link", "os.rename", "os.remove"}

def killed_at(move, path):
    seen = 0
    def hook(event, _):
        nonlocal seen
        seen += event in MOVES
        if seen == move and event in MOVES:
            os._exit(9)
    sys.addaudithook(hook)
    put_back(path / "bot.db", path / "copy.db", Heir("new-uid", 7, "9.9", 1_800_000_000.0), told=lambda *_: None)
    os._exit(0)

first = Path(sys.argv[1])
for move in range(1, 100):
    folder = first.with_name(f"killed-{move}")
    shutil.copytree(first, folder)
    pid = os.fork()
    if not pid:
        killed_at(move, folder)
    if os.waitpid(pid, 0)[1] == 0:
        break
"""


def test_killed_before_any_of_its_moves_it_leaves_the_old_one_or_the_new_one_and_the_old_one_aside(path: Path) -> None:
    live(path, 1)
    keep(path)
    live(path, 2)
    subprocess.run([sys.executable, "-c", KILLED, str(path.parent)], check=True, timeout=60)
    folders = sorted(path.parent.parent.glob("killed-*"), key=lambda folder: int(folder.name.partition("-")[2]))
    found = [updates(folder / "bot.db") for folder in folders]
    assert len(found) > 5
    kept = found.index(["1.1"])  # From that move on the backup is in place.
    assert found == [["1.1", "1.2"]] * kept + [["1.1"]] * (len(found) - kept)
    for folder in folders:
        held = updates(folder / "bot.db")
        assert held == ["1.1", "1.2"] or updates(folder / ASIDE) == ["1.1", "1.2"]
        live(folder / "bot.db", 9)
        assert ask(folder / "bot.db", "PRAGMA integrity_check") == [("ok",)]
