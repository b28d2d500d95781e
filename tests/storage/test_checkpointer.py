"""The WAL is emptied beside the writer, kept under its cap, and never at the cost of a committed row."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from greenroom.storage.checkpointer import Checkpoint, Checkpointer, Limits, WalWatch, decide_checkpoint, run_checkpoint
from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, Loss, PowerCut
from greenroom.storage.sqlite import open_reader, open_writer
from greenroom.storage.trouble import Trouble, TroubleKind

LIMITS = Limits(every_pages=10, cap_pages=40)
PATIENCE_S = 30


@pytest.mark.parametrize(
    "wal_pages,seen_pages,due",
    [
        (0, 0, Checkpoint.NOT_NOW),
        (9, 0, Checkpoint.NOT_NOW),
        (10, 0, Checkpoint.BESIDE),
        (19, 10, Checkpoint.NOT_NOW),
        (20, 10, Checkpoint.BESIDE),
        (40, 30, Checkpoint.BY_WRITER),
        (41, 40, Checkpoint.NOT_NOW),
        (50, 40, Checkpoint.BY_WRITER),
        (3, 40, Checkpoint.NOT_NOW),
        (12, 40, Checkpoint.BESIDE),
    ],
)
def test_the_decision(wal_pages: int, seen_pages: int, due: Checkpoint) -> None:
    assert decide_checkpoint(wal_pages, seen_pages=seen_pages, limits=LIMITS) is due


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "bot.db")


@pytest.fixture
def writer(path: str) -> Iterator[apsw.Connection]:
    connection = open_writer(path)
    connection.execute("CREATE TABLE t(a TEXT) STRICT")
    yield connection
    connection.close(force=True)


@pytest.fixture
def troubles() -> list[Trouble]:
    return []


@pytest.fixture
def checkpointer(path: str, troubles: list[Trouble]) -> Iterator[Checkpointer]:
    before = set(threading.enumerate())  # A house that another test has abandoned may still be falling.
    checkpointer = Checkpointer(path, report=troubles.append)
    checkpointer.start()
    yield checkpointer
    assert checkpointer.stop(timeout_s=PATIENCE_S)
    assert not [each for each in threading.enumerate() if each.name == "greenroom-checkpointer" and each not in before]


def write_group(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO t VALUES (?)", ("x" * 20_000,))


def test_without_anyone_the_wal_would_grow_and_with_the_watch_it_stays_under_its_cap(writer: apsw.Connection) -> None:
    watch = WalWatch(writer, limits=Limits(every_pages=1_000_000, cap_pages=1_000_000))
    for _ in range(100):
        write_group(writer)
        watch.after_group()
    assert watch.wal_pages > 300
    run_checkpoint(writer)
    watch = WalWatch(writer, limits=LIMITS)
    sizes = []
    for _ in range(100):
        write_group(writer)
        watch.after_group()
        sizes.append(watch.wal_pages)
    assert max(sizes) < LIMITS.cap_pages


def test_beside_a_writer_the_thread_moves_pages_and_the_cap_holds(
    writer: apsw.Connection, path: str, checkpointer: Checkpointer, troubles: list[Trouble]
) -> None:
    watch = WalWatch(writer, beside=checkpointer, limits=LIMITS)
    done = []
    for _ in range(300):
        write_group(writer)
        done.append(watch.after_group())
    assert Checkpoint.BESIDE in done
    assert checkpointer.stop(timeout_s=PATIENCE_S)
    while watch.wal_pages >= LIMITS.cap_pages:  # It was over its cap at most while the thread was at it.
        write_group(writer)
        assert watch.after_group() in {Checkpoint.BY_WRITER, Checkpoint.NOT_NOW}
    assert writer.execute("SELECT count(*) FROM t").get >= 300
    assert troubles == []
    assert Path(path).stat().st_size > 100 * 20_000


def test_a_checkpoint_that_another_is_busy_with_is_asked_for_again_after_the_next_group(
    writer: apsw.Connection, path: str
) -> None:
    reader, other = open_reader(path), open_writer(path)
    reader.execute("BEGIN; SELECT count(*) FROM t")
    watch = WalWatch(writer, limits=LIMITS)
    for _ in range(5):
        write_group(writer)
    seen: list[Checkpoint] = []

    def while_the_other_waits_for_the_reader(_: int) -> bool:
        seen.append(watch.after_group())
        return False

    other.set_busy_handler(while_the_other_waits_for_the_reader)
    with contextlib.suppress(apsw.BusyError):
        other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
    assert seen == [Checkpoint.NOT_NOW]
    assert watch.after_group() is Checkpoint.BESIDE
    reader.close(force=True)
    other.close(force=True)


def test_a_reader_that_pins_the_wal_is_not_waited_for(writer: apsw.Connection, path: str) -> None:
    reader = open_reader(path)
    reader.execute("BEGIN; SELECT count(*) FROM t")
    watch = WalWatch(writer, limits=LIMITS)
    done = []
    for _ in range(60):
        write_group(writer)
        done.append(watch.after_group())
    assert done.count(Checkpoint.BY_WRITER) < len(done) / 2  # Not at every group, although it can move nothing.
    assert reader.execute("SELECT count(*) FROM t").get == 0
    reader.close()
    run_checkpoint(writer)
    write_group(writer)
    assert watch.wal_pages < LIMITS.cap_pages


def test_stopping_before_any_work_and_twice_is_fine(path: str, troubles: list[Trouble]) -> None:
    never_started = Checkpointer(path, report=troubles.append)
    assert never_started.stop(timeout_s=PATIENCE_S)
    checkpointer = Checkpointer(path, report=troubles.append)
    checkpointer.start()
    assert checkpointer.stop(timeout_s=PATIENCE_S)
    assert checkpointer.stop(timeout_s=PATIENCE_S)


def test_a_failed_checkpoint_is_reported_and_the_thread_goes_on(tmp_path: Path) -> None:
    path, reported, troubles = tmp_path / "bot.db", threading.Semaphore(0), []

    def report(trouble: Trouble) -> None:
        troubles.append(trouble)
        reported.release()

    checkpointer = Checkpointer(str(path), report=report)
    checkpointer.start()
    for _ in range(2):
        checkpointer.wake()
        assert reported.acquire(timeout=PATIENCE_S)
    assert [trouble.kind for trouble in troubles] == [TroubleKind.CANNOT_OPEN] * 2
    assert not path.exists()  # It never creates a database.
    assert checkpointer.stop(timeout_s=PATIENCE_S)


def run_checkpointed(disk: Disk, fault: Fault | None) -> int:
    """Five groups, then one checkpoint that the fault strikes; returns the operations the checkpoint took."""
    connection = open_writer("/bot.db", vfs=disk.vfs_name)
    connection.execute("CREATE TABLE t(a TEXT) STRICT")
    watch = WalWatch(connection, limits=LIMITS)
    for _ in range(5):
        write_group(connection)
    before = disk.operations
    if fault is not None:
        disk.inject(fault)
    with contextlib.suppress(PowerCut, apsw.Error):
        watch.after_group()
    operations = disk.operations - before
    disk.die(connection)
    return operations


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.IO_ERROR, FaultKind.FULL])
def test_a_checkpoint_cut_or_failed_at_any_operation_loses_nothing(kind: FaultKind, loss: Loss) -> None:
    with Disk(0) as disk:
        operations = run_checkpointed(disk, None)
    assert operations > 10
    for point in range(1, operations + 1):
        with Disk(point) as disk:
            run_checkpointed(disk, Fault(kind, nth=point))
            with disk.reboot(loss) as found:
                again = open_writer("/bot.db", vfs=found.vfs_name)
                assert again.execute("SELECT count(*) FROM t").get == 5
                again.close()
