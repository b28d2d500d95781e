"""The store on a real disk, with real threads and, where it matters, real processes."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from greenroom.actors.facts import DecisionStored, Fact, InboundStored, MessageAppended, RunOpened
from greenroom.actors.model import (
    Epoch,
    Generation,
    Inbound,
    InboxId,
    Message,
    OpenRun,
    Receipt,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Snapshot,
    Tail,
)
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.runtime import MailboxFull
from greenroom.actors.store import Committed, ReadAnswer, ReadFailed, RefusalKind, Refused, SnapshotOf
from greenroom.storage.boots import BootEnding
from greenroom.storage.lock import Held
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.store import ACCEPTS_MAX, SqliteStore
from greenroom.storage.trouble import Trouble, TroubleKind
from greenroom.storage.writer import Place

WAIT_S = 20.0
KEY = SessionKey("web", "bot", "1")


class Waiter:
    """Collects answers from storage threads."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, answer: Any) -> None:
        with self._changed:
            self.answers.append(answer)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.answers) >= count, WAIT_S), self.answers
            return list(self.answers)

    def wait_until(self, seen: Callable[[list[Any]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: seen(self.answers), WAIT_S), self.answers


class House:
    """One process's life with a store, in this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runtime = PoolRuntime(threads=1)
        self.troubles, self.fenced, self.failures = Waiter(), Waiter(), Waiter()
        self.runtime.on_failure(self.failures)
        try:
            self.store = SqliteStore.open(
                Place(str(path)),
                self.runtime,
                version="1.2",
                on_trouble=self.troubles,
                on_fenced=lambda: self.fenced("fenced"),
            )
        except (CannotOpen, Held):
            self.runtime.close(WAIT_S)
            raise

    def offer(self, *facts: Fact) -> Waiter:
        answer = Waiter()
        self.store.write(facts, answer)
        return answer

    def write(self, *facts: Fact) -> Any:
        return self.offer(*facts).wait(1)[0]

    def read(self, query: Any) -> ReadAnswer:
        answer = Waiter()
        self.store.read(query, answer)
        found: ReadAnswer = answer.wait(1)[0]
        return found

    def close(self) -> bool:
        clean = self.store.close("the test is over")
        self.runtime.close(WAIT_S)
        return clean


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "room" / "bot.db"


@pytest.fixture
def house(path: Path) -> Iterator[House]:
    lived = House(path)
    yield lived
    lived.close()


def inbound(number: int = 1, chat: str = "1") -> InboundStored:
    return InboundStored(Inbound(SessionKey("web", "bot", chat), f"{chat}.{number}", "hello"), 1.0)


def opened(epoch: Epoch, session: int = 1, generation: int = 1) -> RunOpened:
    number = Generation(generation)
    return RunOpened(SessionId(session), OpenRun(number, epoch, number, RunCause.INBOUND, 1, 2.0, 2.0), Tail())


def said(epoch: Epoch, seq: int, text: str = "words") -> MessageAppended:
    return MessageAppended(SessionId(1), epoch, Message(Seq(seq), Generation(1), f"k{seq}", Role.USER, text, 2.0))


def hold(gate: threading.Event) -> Callable[[object], None]:
    """A listener that keeps the storage thread busy until the gate opens."""

    def then(_answer: object) -> None:
        assert gate.wait(WAIT_S)

    return then


def count(path: Path, table: str) -> int:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute(f"SELECT count(*) FROM {table}").get
    db.close()
    assert isinstance(found, int)
    return found


def test_what_was_committed_is_read_by_who_wrote_it(house: House) -> None:
    receipt = Receipt(InboxId(1), SessionId(1), KEY)
    assert house.write(inbound()) == Committed((receipt,))
    snapshot = house.read(SnapshotOf(SessionId(1)))
    assert isinstance(snapshot, Snapshot)
    assert [each.id for each in snapshot.waiting] == [1]


def test_an_inbound_is_accepted_once_and_recognised_when_it_comes_again(house: House) -> None:
    answers = Waiter()
    for _ in range(2):
        house.store.accept(inbound().inbound, 1.0, answers)
    first, second = answers.wait(2)
    assert first.receipts[0].repeated is False
    assert second.receipts == (Receipt(InboxId(1), SessionId(1), KEY, repeated=True),)


def test_answers_come_in_the_order_of_the_offers(house: House) -> None:
    order: list[int] = []
    done = Waiter()
    for number in range(500):

        def then(answer: object, number: int = number) -> None:
            order.append(number)
            done(answer)

        house.store.write((inbound(number),), then)
    done.wait(500)
    assert order == list(range(500))


def test_one_request_that_contradicts_what_is_stored_fails_alone(house: House) -> None:
    epoch = house.store.epoch
    house.write(inbound(), opened(epoch))
    gate = threading.Event()
    house.store.write((), hold(gate))  # What follows waits together, and forms one group.
    offers = [
        house.offer(said(epoch, 1)),
        house.offer(said(epoch, 2), said(epoch, 1, "something else")),
        house.offer(said(Epoch(99), 3)),
        house.offer(said(epoch, 3, "a lone surrogate \ud800")),
        house.offer(said(epoch, 2, "the neighbour")),
    ]
    gate.set()
    good, conflict, stale, unwritable, neighbour = (offer.wait(1)[0] for offer in offers)
    assert good == neighbour == Committed()
    assert isinstance(conflict, Refused)
    assert isinstance(stale, Refused)
    assert isinstance(unwritable, Refused)
    assert (conflict.kind, stale.kind, unwritable.kind) == (
        RefusalKind.CONFLICT,
        RefusalKind.STALE_WRITER,
        RefusalKind.CONFLICT,
    )
    assert count(house.path, "messages") == 2


def test_a_request_is_written_whole_or_not_at_all(house: House) -> None:
    answer = house.write(inbound(1), inbound(2), said(house.store.epoch, 1))
    assert isinstance(answer, Refused)
    assert count(house.path, "inbox") == 0


def test_a_listener_that_raises_leaves_its_neighbours_their_answers(house: House) -> None:
    def broken(_answer: object) -> None:
        raise RuntimeError("not my day")

    house.store.write((inbound(1),), broken)
    assert house.write(inbound(2)) == Committed((Receipt(InboxId(2), SessionId(1), KEY),))
    house.store.read(SnapshotOf(SessionId(1)), broken)
    assert isinstance(house.read(SnapshotOf(SessionId(1))), Snapshot)


def test_a_question_that_cannot_be_answered_says_so(house: House) -> None:
    answer = house.read("what is the meaning of it all?")
    assert isinstance(answer, ReadFailed)
    assert house.read(SnapshotOf(SessionId(9))) is None


def test_the_door_is_closed_to_inbound_that_finds_no_room_and_to_nothing_else(house: House) -> None:
    gate, answers = threading.Event(), Waiter()
    house.store.write((), hold(gate))
    for number in range(ACCEPTS_MAX):
        house.store.accept(inbound(number).inbound, 1.0, answers)
    with pytest.raises(MailboxFull, match="accepts_max"):
        house.store.accept(inbound(ACCEPTS_MAX).inbound, 1.0, answers)
    late = house.offer(inbound(1, chat="2"))
    gate.set()
    answers.wait(ACCEPTS_MAX)
    assert isinstance(late.wait(1)[0], Committed)
    house.store.accept(inbound(ACCEPTS_MAX).inbound, 1.0, answers)
    answers.wait(ACCEPTS_MAX + 1)


def test_each_opening_is_an_epoch_and_remembers_how_the_last_one_ended(path: Path) -> None:
    first = House(path)
    assert first.store.epoch == 1
    assert first.close()
    second = House(path)
    second.store.abandon()
    second.runtime.close(WAIT_S)
    third = House(path)
    assert third.store.epoch == 3
    assert third.store.uid == first.store.uid
    assert len(third.store.uid) == 8
    boots = third.store.boots
    third.close()
    assert [(boot.epoch, boot.ending, boot.reason, boot.version) for boot in boots] == [
        (3, None, None, "1.2"),
        (2, BootEnding.UNCLEAN, None, "1.2"),
        (1, BootEnding.CLEAN, "the test is over", "1.2"),
    ]


def test_what_waits_when_the_store_is_closed_is_written_first_and_what_comes_later_is_refused(path: Path) -> None:
    house = House(path)
    offers = [house.offer(inbound(number)) for number in range(100)]
    assert house.close()
    assert all(isinstance(offer.wait(1)[0], Committed) for offer in offers)
    late = house.write(inbound(100))
    assert isinstance(late, Refused)
    assert late.kind is RefusalKind.CLOSED
    assert isinstance(house.read(SnapshotOf(SessionId(1))), ReadFailed)
    assert count(path, "inbox") == 100


def test_a_closed_store_leaves_one_file_its_index_and_its_lock(path: Path) -> None:
    before = set(threading.enumerate())
    house = House(path)
    house.write(inbound())
    house.close()
    assert {file.name for file in path.parent.iterdir()} == {"bot.db", "bot.db.search", "bot.db.lock"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert set(threading.enumerate()) <= before


def test_a_second_owner_is_refused_while_the_first_lives(house: House) -> None:
    with pytest.raises(Held, match=f"pid {os.getpid()}"):
        House(house.path)


def test_a_file_that_is_no_database_starts_nothing_and_names_the_salvage(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database at all, whatever its name says" * 200)
    with pytest.raises(CannotOpen, match="doctor --salvage"):
        House(path)
    with pytest.raises(CannotOpen):
        House(path)  # The lock was given back.


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
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))
    for answer in (house.write(said(epoch, 200)), house.write(inbound(2))):
        assert isinstance(answer, Refused)
        assert "doctor --salvage" in answer.detail
    assert [trouble.kind for trouble in house.troubles.answers] == [TroubleKind.CORRUPT]


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


def test_a_decision_is_stored_with_its_inputs(house: House) -> None:
    house.write(inbound())
    decision = DecisionStored(SessionId(1), house.store.epoch, Generation(0), "STALE", "skip", '{"fresh_s": 1}', 3.0)
    assert house.write(decision) == Committed()
    assert count(house.path, "decisions") == 1
