"""The storage actor in simulated time, on a simulated disk."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest

from greenroom.actors.facts import InboundStored
from greenroom.actors.model import Inbound, SessionId, SessionKey, Snapshot
from greenroom.actors.runtime import Failure
from greenroom.actors.simulation import SimRuntime
from greenroom.actors.store import Committed, ReadFailed, RefusalKind, Refused, SnapshotOf
from greenroom.storage.faulty_disk import Disk, Fault, FaultKind
from greenroom.storage.patience import WAIT_S_MAX
from greenroom.storage.requests import Scrubbed
from greenroom.storage.store import SqliteStore, StoreHooks
from greenroom.storage.trouble import Trouble, TroubleKind
from greenroom.storage.writer import Place, Writer

PATH = "/room/bot.db"


@dataclass
class World:
    disk: Disk
    runtime: SimRuntime
    troubles: list[Trouble | None] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runtime.on_failure(self.failures.append)
        self.store = SqliteStore.open(
            Place(PATH, self.disk.vfs_name), self.runtime, version="0", hooks=StoreHooks(self.troubles.append)
        )

    def offer(self, number: int) -> None:
        inbound = Inbound(SessionKey("web", "bot", "1"), f"u{number}", "hello")
        self.store.write((InboundStored(inbound, 1.0),), self.answers.append)

    def kinds(self) -> list[TroubleKind | None]:
        return [trouble.kind if trouble else None for trouble in self.troubles]


@pytest.fixture
def world() -> Iterator[World]:
    with Disk(1) as disk:
        lived = World(disk, SimRuntime(1))
        yield lived
        disk.heal()
        lived.store.close("over")
        lived.store.abandon()


def test_all_that_waits_shares_one_transaction(world: World) -> None:
    for number in range(300):
        world.offer(number)
    before = world.disk.counts["sync"]
    world.runtime.run()
    assert len(world.answers) == 300
    # The seed cuts the batches; each takes at least half of what is left, on average. One by one it were 300.
    assert world.disk.counts["sync"] - before < 30


def test_in_simulation_questions_are_answered_between_groups(world: World) -> None:
    world.offer(1)
    world.runtime.run()
    world.store.read(SnapshotOf(SessionId(1)), world.answers.append)
    world.runtime.run()
    assert isinstance(world.answers[1], Snapshot)


@pytest.mark.parametrize("kind", [FaultKind.FULL, FaultKind.IO_ERROR, FaultKind.READ_ONLY])
def test_nothing_is_answered_while_the_disk_refuses_and_all_is_when_it_heals(world: World, kind: FaultKind) -> None:
    world.disk.inject(Fault(kind, "write", times=None))
    for number in range(10):
        world.offer(number)
    world.runtime.advance(60.0)
    assert world.answers == []
    assert len(world.troubles) == 1
    world.disk.heal()
    world.runtime.advance(WAIT_S_MAX)
    assert [type(answer) for answer in world.answers] == [Committed] * 10
    assert [answer.receipts[0].inbox_id for answer in world.answers] == list(range(1, 11))
    assert world.troubles[-1] is None
    assert world.failures == []


def test_a_trouble_that_becomes_another_is_told_once_each(world: World) -> None:
    world.disk.inject(Fault(FaultKind.FULL, "write", times=None))
    world.offer(1)
    world.runtime.advance(60.0)
    world.disk.heal()
    world.disk.inject(Fault(FaultKind.IO_ERROR, "write", times=None))
    world.runtime.advance(60.0)
    world.disk.heal()
    world.runtime.advance(60.0)
    assert world.kinds() == [TroubleKind.FULL, TroubleKind.IO_ERROR, None]


def test_a_file_that_vanishes_and_comes_back_whole_holds_every_answered_row_once(world: World) -> None:
    world.offer(1)
    world.runtime.run()
    files = {name: world.disk.names[name] for name in (PATH, PATH + "-wal") if name in world.disk.names}
    for name in files:
        world.disk.vanish(name)
    world.offer(2)
    world.runtime.advance(10.0)
    assert len(world.answers) == 1
    assert world.troubles[0] is not None
    for name, file in files.items():
        world.disk.write_file(name, bytes(file.seen))
    world.runtime.advance(10.0)
    assert [answer.receipts[0].inbox_id for answer in world.answers] == [1, 2]
    assert [answer.receipts[0].repeated for answer in world.answers] == [False, False]


def test_closing_while_the_disk_refuses_is_not_clean_and_refuses_what_waits(world: World) -> None:
    world.disk.inject(Fault(FaultKind.FULL, "write", times=None))
    world.offer(1)
    world.runtime.advance(1.0)
    assert world.store.close("in a hurry") is False
    (answer,) = world.answers
    assert isinstance(answer, Refused)
    assert answer.kind is RefusalKind.CLOSED
    world.store.read(SnapshotOf(SessionId(1)), world.answers.append)
    assert isinstance(world.answers[1], ReadFailed)


def test_who_waits_for_the_files_to_be_scrubbed_hears_of_a_store_that_died_before_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_writer: Writer, _requests: object) -> NoReturn:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(Writer, "commit", fail)
    scrubbed: list[Scrubbed] = []
    for number in range(20):  # Some of them are taken together with what it dies of.
        world.offer(number)
        world.store.scrub(scrubbed.append)
    world.runtime.run()
    assert [failure.stopped for failure in world.failures] == [True]
    assert len(world.answers) == len(scrubbed) == 20
