"""The store when something else goes wrong: locks, vanished and damaged files, full disks, kills."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest
from tests.storage.store_house import WAIT_S, House, count, inbound, opened, said

from greenroom.actors.model import (
    SessionId,
)
from greenroom.actors.store import Committed, OwnerNow, RefusalKind, Refused, SnapshotOf
from greenroom.storage.boots import BootEnding
from greenroom.storage.trouble import Trouble, TroubleKind

HOLD = """
import apsw, sys
db = apsw.Connection(sys.argv[1])
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
print("gone", flush=True)
sys.stdin.readline()
"""


def test_what_comes_while_another_process_holds_the_file_is_stored_when_it_lets_go(house: House) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(house.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        offers = [house.offer(inbound(number)) for number in range(20)]
        trouble = house.troubles.wait(1)[0]
        assert isinstance(trouble, Trouble)
        assert trouble.kind is TroubleKind.BUSY
        assert not any(offer.answers for offer in offers), "nothing is answered while it lasts"
        assert house.read(SnapshotOf(SessionId(1))) is None, "questions are answered meanwhile"
        other.stdin.write("\n")
        other.stdin.flush()
        assert all(isinstance(offer.wait(1)[0], Committed) for offer in offers)
        assert house.troubles.wait(2)[1] is None
        other.stdin.write("\n")
    assert count(house.path, "inbox") == 20


def test_a_file_that_vanishes_is_waited_for_and_nothing_is_lost_when_it_is_put_back(house: House, path: Path) -> None:
    house.write(inbound(1))
    aside = path.with_name("aside")
    aside.mkdir()
    for name in ("bot.db", "bot.db-wal", "bot.db-shm"):
        (path.parent / name).rename(aside / name)
    offer = house.offer(inbound(2))
    assert house.troubles.wait(1)[0].kind is TroubleKind.VANISHED
    assert offer.answers == []
    for name in ("bot.db", "bot.db-wal", "bot.db-shm"):
        if (aside / name).exists():
            (aside / name).rename(path.parent / name)
    assert isinstance(offer.wait(1)[0], Committed)
    assert house.troubles.wait(2)[-1] is None
    assert count(path, "inbox") == 2


def test_another_database_in_the_place_of_ours_is_not_written_to(house: House, path: Path) -> None:
    house.write(inbound(1))
    other = path.with_name("other.db")
    stranger = House(other)
    stranger.close()
    mine = path.with_name("mine.db")
    path.rename(mine)
    other.rename(path)
    offer = house.offer(inbound(2))
    assert house.troubles.wait(1)[0].kind is TroubleKind.VANISHED
    assert house.close() is False
    answer = offer.wait(1)[0]
    assert isinstance(answer, Refused)
    assert answer.kind is RefusalKind.CLOSED
    path.with_name("bot.db-wal").unlink()
    assert count(path, "inbox") == 0


def test_damage_that_shows_while_it_is_written_refuses_all_and_names_the_salvage(house: House, path: Path) -> None:
    epoch = house.store.epoch
    house.write(inbound(), opened(epoch), *(said(epoch, seq, "x" * 4000) for seq in range(1, 200)))
    db = apsw.Connection(str(path))
    db.set_busy_timeout(20_000)  # The indexer may be reading.
    assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").get == (0, 0, 0)
    db.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))
    for answer in (house.write(said(epoch, 200)), house.write(inbound(2))):
        assert isinstance(answer, Refused)
        assert "greenroom doctor --repair --db " in answer.detail
    assert [trouble.kind for trouble in house.troubles.answers] == [TroubleKind.CORRUPT]


def test_who_asks_whose_the_store_is_hears_it_and_an_owner_that_was_overtaken_is_told(house: House, path: Path) -> None:
    assert house.read(OwnerNow()) == house.store.epoch
    db = apsw.Connection(str(path))
    db.execute("UPDATE ownership SET epoch = epoch + 1")
    db.close()
    assert house.read(OwnerNow()) == house.store.epoch + 1
    assert isinstance(house.write(inbound(1)), Refused)
    assert house.fenced.answers == ["fenced"], "told once"


def test_an_owner_that_slept_through_its_end_is_fenced(house: House, path: Path) -> None:
    """The lock is gone with the network drive, say; another process took the store over."""
    house.write(inbound(1))
    db = apsw.Connection(str(path))
    db.execute("UPDATE ownership SET epoch = epoch + 1")
    zombie = house.write(inbound(2))
    assert isinstance(zombie, Refused)
    assert zombie.kind is RefusalKind.STALE_WRITER
    house.fenced.wait(1)
    again = house.write(inbound(3))
    assert isinstance(again, Refused)
    assert house.fenced.answers == ["fenced"]
    with pytest.raises(apsw.ConstraintError, match="stale writer"):
        db.execute(
            "INSERT INTO decisions (session_id, epoch, generation, rule, outcome, inputs, at)"
            " VALUES (1, 1, 0, 'r', 'o', '{}', 1.0)"
        )
    db.close()
    assert count(path, "inbox") == 1
    assert house.close() is False


def test_an_abandoned_store_is_let_go_only_when_its_writer_has_ended(house: House) -> None:
    """Else who opens it next takes the ownership from a commit that is still under way in this very process."""
    busy, let_go = threading.Event(), threading.Event()
    too_early: list[bool] = []

    def then(_answer: object) -> None:
        busy.set()
        too_early.append(let_go.wait(0.2))

    def abandon() -> None:
        house.store.abandon()
        let_go.set()

    house.store.write((inbound(1),), then)
    assert busy.wait(WAIT_S)
    leaving = threading.Thread(target=abandon)
    leaving.start()
    leaving.join(WAIT_S)
    assert too_early == [False]
    assert house.fenced.answers == []


def test_a_writer_that_is_stuck_holds_the_lock_for_a_while_and_then_fences_nobody(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.storage.store.STOP_S", 0.05)
    busy, gate = threading.Event(), threading.Event()

    def then(_answer: object) -> None:
        busy.set()
        assert gate.wait(WAIT_S)

    first = house.offer(inbound(1))
    house.store.write((inbound(2),), then)
    assert busy.wait(WAIT_S)
    late = house.offer(inbound(3))
    house.store.abandon()
    again = House(path)
    gate.set()
    assert isinstance(late.wait(1)[0], Refused)
    assert isinstance(again.write(inbound(3)), Committed)
    assert isinstance(first.wait(1)[0], Committed)
    assert house.fenced.answers == again.fenced.answers == []
    assert again.close()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a tmpfs needs root")
def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    room = tmp_path / "small"
    room.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(room)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let us mount a tmpfs; run the tests as root on one that does")
    try:
        house = House(room / "bot.db")
        ballast = room / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            all(file.write(b"x" * 4096) for _ in range(10_000))
        offers = [house.offer(inbound(number)) for number in range(200)]
        assert house.troubles.wait(1)[0].kind in (TroubleKind.FULL, TroubleKind.IO_ERROR)
        ballast.unlink()
        assert all(isinstance(offer.wait(1)[0], Committed) for offer in offers)
        assert house.troubles.wait(2)[-1] is None
        assert house.close()
        assert count(room / "bot.db", "inbox") == 200
    finally:
        subprocess.run(["umount", "-l", str(room)], check=True)


WRITER = """
import sys, threading
from greenroom.actors.facts import InboundStored
from greenroom.actors.model import Inbound, SessionKey
from greenroom.actors.pool import PoolRuntime
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place
runtime = PoolRuntime(threads=1)
store = SqliteStore.open(Place(sys.argv[1]), runtime, version="0")
boot = store.epoch
def offer(chat, number):
    key = SessionKey("web", "bot", str(chat))
    def then(answer):
        sys.stdout.write(f"{answer.receipts[0].inbox_id} {boot}.{chat}.{number}\\n")
        offer(chat, number + 1)
    store.accept(Inbound(key, f"{boot}.{chat}.{number}", "hello"), 1.0, then)
for chat in range(8):
    offer(chat, 0)
threading.Event().wait()
"""


def test_what_was_acknowledged_before_a_kill_is_there_afterwards(path: Path) -> None:
    acknowledged: list[list[str]] = []
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-u", "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            acknowledged += [process.stdout.readline().split() for _ in range(300)]
            process.send_signal(signal.SIGKILL)
            # The last line may be torn by the kill: it was not said in full.
            acknowledged += [
                line.split() for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")
            ]
    house = House(path)
    assert house.store.epoch == 6
    assert [boot.ending for boot in house.store.boots[1:]] == [BootEnding.UNCLEAN] * 5
    house.close()
    db = apsw.Connection(str(path))
    stored = {str(inbox_id): update for inbox_id, update in db.execute("SELECT id, update_id FROM inbox")}
    assert db.execute("PRAGMA integrity_check").get == "ok"
    db.close()
    assert len(acknowledged) >= 1500
    assert all(stored.get(inbox_id) == update for inbox_id, update in acknowledged)
