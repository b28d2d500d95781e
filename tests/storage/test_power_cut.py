"""Every I/O operation of a small working day is cut, failed and filled; nothing acknowledged may be lost or doubled.

Exhaustive: each operation of the workload is a crash point. The workload boots on a migrated disk, serves three chats
that talk at the same time, checkpoints on the way, and ends in order.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import apsw
import pytest

from greenroom.actors.facts import (
    DeliveryFilled,
    DeliveryMoved,
    DeliveryOpened,
    Fact,
    InboundRefused,
    InboundTaken,
    MessageAppended,
    RunClosed,
    RunOpened,
)
from greenroom.actors.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Ending,
    Generation,
    Inbound,
    Message,
    OpenRun,
    Receipt,
    Role,
    RunCause,
    Seq,
    SessionKey,
    Tail,
)
from greenroom.actors.runtime import Failure
from greenroom.actors.simulation import SimRuntime
from greenroom.actors.store import Committed, Refused
from greenroom.storage import group
from greenroom.storage.boots import read_ownership
from greenroom.storage.checkpointer import Limits
from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, PowerCut
from greenroom.storage.faulty_file import Loss
from greenroom.storage.sqlite import CannotOpen, Synchronous
from greenroom.storage.store import SqliteStore, StoreHooks
from greenroom.storage.trouble import Trouble
from greenroom.storage.writer import Place, Writer

PATH = "/room/bot.db"
CHATS = ("1", "2", "3")
ROUNDS = 2
STEPS = ("stored", "begun", "answered", "delivered")
PARTS = 8
HEALS_AFTER_S = 3.0
EVERYTHING = {(chat, number, step) for chat in CHATS for number in range(1, ROUNDS + 1) for step in STEPS}


@dataclass
class Day:
    """What the people outside saw of one run of the workload."""

    acknowledged: set[tuple[str, int, str]] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    troubles: list[Trouble | None] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    clean: bool = False


@dataclass
class Chat:
    """A person and their session: each step is offered when the one before is acknowledged."""

    store: SqliteStore
    chat: str
    day: Day

    @property
    def key(self) -> SessionKey:
        return SessionKey("web", "bot", self.chat)

    def speak(self, number: int) -> None:
        inbound = Inbound(self.key, f"{self.chat}-{number}", f"question {number}")
        self.store.accept(inbound, float(number), lambda answer: self._stored(number, answer))

    def _stored(self, number: int, answer: Committed | Refused) -> None:
        if self._acknowledged(number, "stored", answer):
            assert isinstance(answer, Committed)
            self._begin(number, answer.receipts[0])

    def _begin(self, number: int, receipt: Receipt) -> None:
        session, generation, seq = receipt.session_id, Generation(number), Seq(2 * number - 1)
        run = OpenRun(generation, self.store.epoch, generation, RunCause.INBOUND, 1, float(number), float(number))
        said = Message(seq, generation, f"user.{receipt.inbox_id}", Role.USER, f"question {number}", float(number))
        delivery = Delivery(
            f"{session}.{number}.answer", session, self.key, DeliveryKind.ANSWER, None, DeliveryState.OPEN
        )
        facts: tuple[Fact, ...] = (
            RunOpened(session, run, Tail()),
            InboundTaken(session, receipt.inbox_id, generation, seq),
            MessageAppended(session, self.store.epoch, said),
            DeliveryOpened(self.store.epoch, generation, delivery),
        )
        self._write(number, "begun", facts, lambda: self._answer(number, receipt, delivery))

    def _answer(self, number: int, receipt: Receipt, delivery: Delivery) -> None:
        session, generation, seq = receipt.session_id, Generation(number), Seq(2 * number)
        text = f"answer {number}" + " and so on" * 40
        row = Message(
            seq, generation, f"end.{number}", Role.ASSISTANT, text, 9.0, finish="stop", answers_upto=Seq(seq - 1)
        )
        facts: tuple[Fact, ...] = (
            MessageAppended(session, self.store.epoch, row),
            DeliveryFilled(delivery.key, text, 9.0, DeliveryKind.ANSWER),
            RunClosed(session, generation, Ending.ANSWERED, 9.0),
        )
        self._write(number, "answered", facts, lambda: self._deliver(number, delivery))

    def _deliver(self, number: int, delivery: Delivery) -> None:
        sent = Delivery(
            delivery.key, delivery.session_id, self.key, delivery.kind, None, DeliveryState.DELIVERED, ("m1",), 1
        )
        # The counter of refusals has no key: it shows a group that was written twice.
        facts: tuple[Fact, ...] = (DeliveryMoved(sent, 10.0), InboundRefused(self.key, 10.0))
        self._write(number, "delivered", facts, lambda: self.speak(number + 1) if number < ROUNDS else None)

    def _write(self, number: int, step: str, facts: tuple[Fact, ...], then: Callable[[], None]) -> None:
        def written(answer: Committed | Refused) -> None:
            if self._acknowledged(number, step, answer):
                then()

        self.store.write(facts, written)

    def _acknowledged(self, number: int, step: str, answer: Committed | Refused) -> bool:
        if isinstance(answer, Refused):
            self.day.refused.append(answer)
            return False
        assert (self.chat, number, step) not in self.day.acknowledged, "answered twice"
        self.day.acknowledged.add((self.chat, number, step))
        return True


def place(disk: Disk, synchronous: Synchronous = "FULL") -> Place:
    return Place(PATH, disk.vfs_name, synchronous, Limits(every_pages=12, cap_pages=24))


@cache
def migrated() -> Disk:
    disk = Disk(0)
    assert SqliteStore.open(place(disk), SimRuntime(0), version="0").close("made")
    return disk


def live(disk: Disk, seed: int, synchronous: Synchronous = "FULL", *, dies_when_healed: bool = False) -> Day:
    """Run the workload until it is done or the process is dead. A fault that lasts heals after a while."""
    day, runtime = Day(), SimRuntime(seed)
    runtime.on_failure(day.failures.append)

    def on_trouble(trouble: Trouble | None) -> None:
        day.troubles.append(trouble)
        if trouble is not None:
            runtime.timers.arm("heal", HEALS_AFTER_S, disk.heal)
        elif dies_when_healed:
            disk.die()

    with contextlib.suppress(PowerCut):
        try:
            store = SqliteStore.open(place(disk, synchronous), runtime, version="0", hooks=StoreHooks(on_trouble))
        except CannotOpen:
            if disk.dead:
                return day
            disk.heal()  # The operator was told, mended it, and starts again.
            store = SqliteStore.open(place(disk, synchronous), runtime, version="0", hooks=StoreHooks(on_trouble))
        for chat in CHATS:
            Chat(store, chat, day).speak(1)
        while not disk.dead and not day.failures and day.acknowledged != EVERYTHING and runtime.step():
            pass
        if not disk.dead and not day.failures:
            day.clean = store.close("the day is over")
        runtime.crash()
        store.abandon()
    return day


@contextlib.contextmanager
def found_by_the_next_process(disk: Disk, loss: Loss) -> Iterator[apsw.Connection]:
    with disk.reboot(loss, seed=1) as found:
        runtime = SimRuntime(2)
        store = SqliteStore.open(place(found), runtime, version="0")
        assert store.close("looked")
        db = apsw.Connection(PATH, vfs=found.vfs_name)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        yield db
        db.close()


def check_nothing_is_lost_or_half_written(db: apsw.Connection, day: Day) -> None:
    assert db.execute("PRAGMA integrity_check").get == "ok"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert day.acknowledged <= read_steps(db)
    halves = db.execute(
        "SELECT d.key FROM deliveries d WHERE (d.text IS NOT NULL) <> EXISTS (SELECT 1 FROM messages m"
        " WHERE m.session_id = d.session_id AND m.generation = d.generation AND m.role = 'assistant')"
        " OR (d.text IS NULL) <> (SELECT open FROM runs r WHERE r.session_id = d.session_id"
        " AND r.generation = d.generation)"
    ).fetchall()
    assert halves == [], "an answer without its delivery, or a delivery without its answer"
    gaps = db.execute("SELECT session_id FROM messages GROUP BY session_id HAVING count(*) <> max(seq)").fetchall()
    assert gaps == []
    strays = db.execute(
        "SELECT id FROM inbox WHERE (generation IS NOT NULL) <> EXISTS (SELECT 1 FROM messages m"
        " WHERE m.session_id = inbox.session_id AND m.seq = inbox.seq AND m.role = 'user')"
    ).fetchall()
    assert strays == [], "an inbound was taken and did not become a message"
    deliveries = sum(step == "delivered" for _, _, step in read_steps(db))
    assert (db.execute("SELECT count FROM refusals").get or 0) == deliveries, "a group was written twice"


def read_steps(db: apsw.Connection) -> set[tuple[str, int, str]]:
    steps = set()
    for update_id, generation, state in db.execute(
        "SELECT inbox.update_id, inbox.generation, deliveries.state FROM inbox LEFT JOIN deliveries"
        " ON deliveries.session_id = inbox.session_id AND deliveries.generation = inbox.generation"
    ):
        chat, _, number = str(update_id).partition("-")
        reached = 1 if generation is None else {"open": 2, "pending": 3, "delivered": 4}[str(state)]
        steps |= {(chat, int(number), step) for step in STEPS[:reached]}
    return steps


@cache
def operations() -> int:
    with migrated().reboot(Loss.NOTHING, seed=1) as disk:
        day = live(disk, 1)
        assert day.acknowledged == EVERYTHING
        assert day.clean
        return disk.operations


def crash_points(part: int) -> range:
    return range(1 + part, operations() + 1, PARTS)


def test_the_workload_writes_checkpoints_and_ends_in_order() -> None:
    with migrated().reboot(Loss.NOTHING, seed=1) as disk:
        day = live(disk, 1)
        assert day.troubles == []
        assert disk.counts["sync"] > len(STEPS) * ROUNDS
        with found_by_the_next_process(disk, Loss.UNSYNCED) as db:
            check_nothing_is_lost_or_half_written(db, day)
            assert read_steps(db) == EVERYTHING


@pytest.mark.parametrize("part", range(PARTS))
def test_a_power_cut_at_any_operation_loses_nothing_acknowledged(part: int) -> None:
    for nth in crash_points(part):
        with migrated().reboot(Loss.NOTHING, seed=1) as disk:
            disk.inject(Fault(FaultKind.CUT, nth=nth))
            day = live(disk, 1)
            assert disk.dead
            for loss in Loss:
                with found_by_the_next_process(disk, loss) as db:
                    check_nothing_is_lost_or_half_written(db, day)


@pytest.mark.parametrize("kind, times", [(FaultKind.IO_ERROR, 1), (FaultKind.IO_ERROR, None), (FaultKind.FULL, None)])
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_waits_through_a_fault_that_heals_is_stored_exactly_once(
    part: int, kind: FaultKind, times: int | None
) -> None:
    for nth in crash_points(part):
        with migrated().reboot(Loss.NOTHING, seed=1) as disk:
            disk.inject(Fault(kind, nth=nth, times=times))
            day = live(disk, 1)
            assert day.failures == []
            assert day.refused == []
            assert day.acknowledged == EVERYTHING
            assert not day.troubles or day.troubles[-1] is None, "a trouble that is over was not said to be over"
            with found_by_the_next_process(disk, Loss.UNSYNCED) as db:
                check_nothing_is_lost_or_half_written(db, day)


def check_failed_syncs() -> None:
    """From each sync on all syncs fail; when the disk works again and all who waited are answered, the power fails at once."""
    for nth in range(1, syncs() + 1):
        with migrated().reboot(Loss.NOTHING, seed=1) as disk:
            disk.inject(Fault(FaultKind.IO_ERROR, "sync", nth=nth, times=None))
            day = live(disk, 1, dies_when_healed=True)
            with found_by_the_next_process(disk, Loss.UNSYNCED) as db:
                check_nothing_is_lost_or_half_written(db, day)


def check_cuts(synchronous: Synchronous) -> None:
    for nth in range(1, operations() + 1):
        with migrated().reboot(Loss.NOTHING, seed=1) as disk:
            disk.inject(Fault(FaultKind.CUT, nth=nth))
            day = live(disk, 1, synchronous)
            with found_by_the_next_process(disk, Loss.UNSYNCED) as db:
                check_nothing_is_lost_or_half_written(db, day)


@cache
def syncs() -> int:
    with migrated().reboot(Loss.NOTHING, seed=1) as disk:
        live(disk, 1)
        return disk.counts["sync"]


def test_what_is_acknowledged_after_a_failed_sync_is_durable_at_that_moment() -> None:
    check_failed_syncs()


def test_without_a_sync_at_each_commit_the_power_cut_is_noticed() -> None:
    with pytest.raises(AssertionError):
        check_cuts("NORMAL")


def test_answers_that_run_ahead_of_the_commit_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(self: Writer, requests: Sequence[group.Facts]) -> list[group.Answer]:
        with self._guarded() as opened:
            if opened.db.in_transaction:
                opened.db.execute("COMMIT")
            return group.write_group(opened.db, requests, self.epoch).answers

    migrated()
    operations()
    monkeypatch.setattr(Writer, "commit", hasty)
    monkeypatch.setattr(Writer, "after_group", lambda _self: None)
    with pytest.raises(AssertionError):
        check_cuts("FULL")


def test_a_group_repeated_after_a_commit_of_unknown_outcome_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Writer, db: apsw.Connection) -> None:
        found = read_ownership(db)
        assert found is not None
        self._doubtful, self._stamp = None, found.groups

    migrated()
    monkeypatch.setattr(Writer, "_identify", forgetful)
    with pytest.raises(AssertionError, match="written twice"):
        check_failed_syncs()


def test_a_commit_that_can_be_read_but_was_never_synced_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def credulous(self: Writer, db: apsw.Connection) -> None:
        found = read_ownership(db)
        assert found is not None
        if self._doubtful is not None and found.groups != self._doubtful.stamp:
            self._doubtful = None
        self._stamp = found.groups

    migrated()
    monkeypatch.setattr(Writer, "_identify", credulous)
    with pytest.raises(AssertionError):
        check_failed_syncs()
