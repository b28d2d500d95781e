"""The simulated disk: what it keeps, loses and refuses; and that SQLite on it keeps our promises only if we ask for them."""

import contextlib
import random

import apsw
import pytest

from greenroom.storage.faulty_disk import OPS, Disk, Fault, FaultKind, Loss, Op, PowerCut
from greenroom.storage.sqlite import Synchronous, open_writer

DATABASE = "/room/bot.db"
TURNS = 6
SCHEMA = """
CREATE TABLE IF NOT EXISTS message(key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS delivery(key TEXT PRIMARY KEY REFERENCES message) STRICT;
"""


def run_workload(disk: Disk, synchronous: Synchronous = "FULL") -> list[str]:
    """Turns as a storage actor writes them; returns the keys whose COMMIT returned. The process dies at the end."""
    acknowledged: list[str] = []
    connection: apsw.Connection | None = None
    try:
        connection = open_writer(DATABASE, vfs=disk.vfs_name, synchronous=synchronous, wal_autocheckpoint_pages=8)
        connection.execute(SCHEMA)
        sizes = random.Random(0)
        for turn in range(TURNS):
            write_turn(disk, connection, f"{turn}", "x" * sizes.randrange(10, 12_000), acknowledged)
    except (PowerCut, apsw.Error):
        pass
    finally:
        disk.die(*([connection] if connection else []))
    return acknowledged


def write_turn(disk: Disk, connection: apsw.Connection, key: str, body: str, acknowledged: list[str]) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO message VALUES (?, ?)", (key, body))
        connection.execute("INSERT INTO delivery VALUES (?)", (key,))
        connection.execute("COMMIT")
        acknowledged.append(key)
    except apsw.Error:
        if disk.dead:
            raise PowerCut from None
        if connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                connection.execute("ROLLBACK")


def broken_promises(found: Disk, acknowledged: list[str]) -> list[str]:
    """Start a new process on what is left and say what is wrong with it."""
    with found:
        try:
            connection = open_writer(DATABASE, vfs=found.vfs_name)
            broken = [] if connection.execute("PRAGMA integrity_check").get == "ok" else ["integrity"]
            connection.execute(SCHEMA)
            messages = {key for (key,) in connection.execute("SELECT key FROM message")}
            deliveries = {key for (key,) in connection.execute("SELECT key FROM delivery")}
            connection.close()
        except Exception as error:  # Any failure to open is a finding of this check.
            return [f"does not open: {error}"]
    if not messages >= set(acknowledged):
        broken.append("acknowledged row lost")
    if messages != deliveries:
        broken.append("half a transaction")
    return broken


def count_operations() -> int:
    with Disk(1) as disk:
        assert len(run_workload(disk)) == TURNS
        return disk.operations


def try_every_point(kind: FaultKind, loss: Loss, *, synchronous: Synchronous = "FULL") -> dict[int, list[str]]:
    """Let the fault strike at every single operation of the workload; the points with broken promises."""
    broken = {}
    for point in range(1, count_operations() + 1):
        with Disk(point) as disk:
            disk.inject(Fault(kind, nth=point))
            acknowledged = run_workload(disk, synchronous)
            if promises := broken_promises(disk.reboot(loss), acknowledged):
                broken[point] = promises
    return broken


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.IO_ERROR, FaultKind.FULL])
def test_full_keeps_every_promise_whatever_strikes_at_any_operation(kind: FaultKind, loss: Loss) -> None:
    assert try_every_point(kind, loss) == {}


@pytest.mark.parametrize("loss", [Loss.UNSYNCED, Loss.RANDOM])
def test_normal_loses_acknowledged_rows_so_this_test_can_fail(loss: Loss) -> None:
    broken = try_every_point(FaultKind.CUT, loss, synchronous="NORMAL")
    assert {promise for promises in broken.values() for promise in promises} == {"acknowledged row lost"}


def test_normal_loses_nothing_when_only_the_process_dies() -> None:
    assert try_every_point(FaultKind.CUT, Loss.NOTHING, synchronous="NORMAL") == {}


def test_without_sync_the_random_losses_damage_the_file_so_order_and_tearing_are_real() -> None:
    broken = try_every_point(FaultKind.CUT, Loss.RANDOM, synchronous="OFF")
    assert {"integrity", "half a transaction", "acknowledged row lost"} & {p for ps in broken.values() for p in ps}
    assert any(promise.startswith("does not open") for promises in broken.values() for promise in promises)


def test_a_disk_that_lies_about_sync_is_caught() -> None:
    with Disk(1) as disk:
        disk.inject(Fault(FaultKind.LIE, "sync", times=None))
        acknowledged = run_workload(disk)
        assert len(acknowledged) == TURNS
        assert broken_promises(disk.reboot(Loss.UNSYNCED), acknowledged) == ["acknowledged row lost"]


def test_one_seed_gives_one_history() -> None:
    histories = []
    for _ in range(2):
        with Disk(5) as disk:
            disk.inject(Fault(FaultKind.CUT, "sync", nth=9))
            acknowledged = run_workload(disk)
            with disk.reboot(Loss.RANDOM) as found:
                sizes = {name: len(file.seen) for name, file in found.names.items()}
        histories.append((acknowledged, disk.counts, sizes))
    assert histories[0] == histories[1]


@pytest.mark.parametrize("op", OPS)
def test_every_kind_of_operation_can_be_hit_alone(op: Op) -> None:
    with Disk(1) as disk:
        run_workload(disk)
        total = disk.counts[op]
    assert total > 0
    with Disk(1) as disk:
        disk.inject(Fault(FaultKind.CUT, op, nth=total))
        run_workload(disk)
        assert disk.counts[op] == total
        assert disk.dead


def open_table(disk: Disk) -> apsw.Connection:
    connection = open_writer(DATABASE, vfs=disk.vfs_name)
    connection.execute("CREATE TABLE IF NOT EXISTS t(a INTEGER) STRICT")
    return connection


def read_table(disk: Disk) -> list[int]:
    with disk:
        connection = open_table(disk)
        rows = [row for (row,) in connection.execute("SELECT a FROM t ORDER BY a")]
        connection.close()
    return rows


def test_truncation_counts_fails_and_can_be_lost() -> None:
    with Disk(2) as disk:
        connection = open_table(disk)
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(50)])
        disk.inject(Fault(FaultKind.IO_ERROR, "truncate"))
        with pytest.raises(apsw.IOError, match="truncate"):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert len(disk.read_file(DATABASE + "-wal")) == 0
        disk.die(connection)
        assert read_table(disk.reboot(Loss.UNSYNCED)) == list(range(50))


ERRORS = {
    FaultKind.IO_ERROR: apsw.IOError,
    FaultKind.FULL: apsw.FullError,
    FaultKind.BUSY: apsw.BusyError,
    FaultKind.READ_ONLY: apsw.ReadOnlyError,
    FaultKind.CUT: PowerCut,
}


def test_every_fault_has_its_error_except_the_lie_and_the_wait() -> None:
    assert set(ERRORS) == set(FaultKind) - {FaultKind.LIE, FaultKind.SLOW}


@pytest.mark.parametrize("kind", set(ERRORS) - {FaultKind.CUT, FaultKind.BUSY})
def test_a_lasting_fault_ends_when_the_disk_heals(kind: FaultKind) -> None:
    with Disk(1) as disk:
        connection = open_table(disk)
        disk.inject(Fault(kind, "write", times=None))
        for _ in range(3):
            with pytest.raises(ERRORS[kind]):
                connection.execute("INSERT INTO t VALUES (1)")
        disk.heal()
        connection.execute("INSERT INTO t VALUES (2)")
        disk.die(connection)
        assert read_table(disk.reboot(Loss.UNSYNCED)) == [2]


def test_a_span_of_faults_ends_by_itself() -> None:
    with Disk(1) as disk:
        connection = open_table(disk)
        disk.inject(Fault(FaultKind.FULL, "write", nth=1, times=2))
        outcomes = []
        for n in range(4):
            try:
                connection.execute("INSERT INTO t VALUES (?)", (n,))
                outcomes.append("stored")
            except apsw.FullError:
                outcomes.append("full")
        disk.die(connection)
        assert outcomes == ["full", "full", "stored", "stored"]


def test_a_dead_process_can_do_nothing_more() -> None:
    with Disk(1) as disk:
        connection = open_table(disk)
        disk.inject(Fault(FaultKind.CUT, "sync"))
        with pytest.raises(PowerCut):
            connection.execute("INSERT INTO t VALUES (1)")
        assert disk.dead
        with pytest.raises(PowerCut):
            connection.execute("INSERT INTO t VALUES (2)")
        disk.heal()
        with pytest.raises(PowerCut):
            connection.execute("INSERT INTO t VALUES (3)")
        before = {name: bytes(file.seen) for name, file in disk.names.items()}
        disk.die(connection)
        assert {name: bytes(file.seen) for name, file in disk.names.items()} == before


def test_disks_that_began_with_the_same_bytes_do_not_see_each_others_writes() -> None:
    whole = random.Random(0).randbytes(2_000)
    with Disk(1) as first:
        first.write_file("/a", whole)
        with first.reboot(Loss.NOTHING) as second, second.reboot(Loss.NOTHING) as third:
            for disk, offset in ((first, 0), (second, 1_000)):
                disk.open("/a", apsw.SQLITE_OPEN_READWRITE).xWrite(b"new", offset)
            second.open("/a", apsw.SQLITE_OPEN_READWRITE).xTruncate(1_500)
            assert first.read_file("/a") == b"new" + whole[3:]
            assert second.read_file("/a") == whole[:1_000] + b"new" + whole[1_003:1_500]
            assert third.read_file("/a") == whole
            with second.reboot(Loss.UNSYNCED) as after:
                assert after.read_file("/a") == whole


def test_a_killed_process_loses_nothing_that_the_kernel_had() -> None:
    with Disk(1) as disk:
        connection = open_writer(DATABASE, vfs=disk.vfs_name, synchronous="OFF")
        connection.execute("CREATE TABLE t(a INTEGER) STRICT; INSERT INTO t VALUES (7)")
        disk.die(connection)
        assert read_table(disk.reboot(Loss.NOTHING)) == [7]
        assert read_table(disk.reboot(Loss.UNSYNCED)) == []


def test_a_copy_can_be_read_while_the_writer_goes_on() -> None:
    with Disk(1) as disk:
        connection = open_table(disk)
        connection.execute("INSERT INTO t VALUES (1)")
        assert read_table(disk.reboot(Loss.NOTHING)) == [1]
        connection.execute("INSERT INTO t VALUES (2)")
        assert read_table(disk.reboot(Loss.NOTHING)) == [1, 2]
        connection.close()


def test_a_second_connection_is_told_busy() -> None:
    with Disk(1) as disk:
        connection = open_table(disk)
        with pytest.raises(apsw.BusyError):
            open_writer(DATABASE, vfs=disk.vfs_name)
        connection.close()
        open_writer(DATABASE, vfs=disk.vfs_name).close()


def test_rollback_journals_lock_several_connections_as_a_real_disk_does() -> None:
    with Disk(1) as disk:
        one, two = (apsw.Connection(DATABASE, vfs=disk.vfs_name) for _ in range(2))
        one.execute("CREATE TABLE t(a)")
        one.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        assert two.execute("SELECT count(*) FROM t").get == 0
        with pytest.raises(apsw.BusyError):
            two.execute("BEGIN IMMEDIATE")
        two.execute("BEGIN; SELECT * FROM t")
        with pytest.raises(apsw.BusyError):
            one.execute("COMMIT")
        three = apsw.Connection(DATABASE, vfs=disk.vfs_name)
        with pytest.raises(apsw.BusyError):  # No new reader while a writer waits for the old ones.
            three.execute("SELECT count(*) FROM t").fetchall()
        two.execute("COMMIT")
        one.execute("COMMIT")
        assert [connection.execute("SELECT count(*) FROM t").get for connection in (two, three)] == [1, 1]
        for connection in (one, two, three):
            connection.close()


def test_a_rebooted_disk_is_whole_and_without_faults() -> None:
    with Disk(1) as disk:
        disk.inject(Fault(FaultKind.CUT, nth=20))
        run_workload(disk)
        with disk.reboot(Loss.RANDOM) as found:
            assert len(run_workload(found)) == TURNS


def test_disks_have_names_of_their_own_and_leave_none_behind() -> None:
    before = set(apsw.vfs_names())
    with Disk(1) as one, Disk(1) as two:
        assert set(apsw.vfs_names()) - before == {one.vfs_name, two.vfs_name}
        open_table(one).close()
        assert DATABASE not in two.names
    assert set(apsw.vfs_names()) == before


def test_sqlite_reads_the_virtual_clock() -> None:
    with Disk(1, now=lambda: 86_400.25) as disk:
        connection = open_table(disk)
        assert connection.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')").get == "1970-01-02 00:00:00.250"
        connection.close()


@pytest.mark.parametrize("op", [op for op in OPS if op not in {"lock", "open"}] + [None])
def test_what_no_disk_says_and_sqlite_does_not_survive_is_refused(op: Op | None) -> None:
    with Disk(1) as disk, pytest.raises(ValueError, match="plan BUSY for lock or open"):
        disk.inject(Fault(FaultKind.BUSY, op))


def test_a_file_that_another_process_holds_can_be_opened_when_it_lets_go() -> None:
    with Disk(1) as disk:
        disk.inject(Fault(FaultKind.BUSY, "lock", times=None))
        with pytest.raises(apsw.Error):
            open_table(disk)
        disk.heal()
        open_table(disk).close()


def test_a_slow_operation_takes_its_time_and_works() -> None:
    waited: list[float] = []
    with Disk(1) as disk:
        disk.sleep = waited.append
        connection = open_table(disk)
        disk.inject(Fault(FaultKind.SLOW, "sync", times=2, slow_s=3.0))
        for number in range(3):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        assert waited == [3.0, 3.0]
        disk.die(connection)
        assert read_table(disk.reboot(Loss.UNSYNCED)) == [0, 1, 2]


def test_a_process_that_dies_while_it_waits_for_the_disk_has_not_written() -> None:
    with Disk(1) as disk:
        connection = open_table(disk)
        disk.sleep = lambda _: disk.die()
        disk.inject(Fault(FaultKind.SLOW, "write"))
        with pytest.raises((PowerCut, apsw.Error)):
            connection.execute("INSERT INTO t VALUES (1)")
        disk.die(connection)
        assert read_table(disk.reboot(Loss.NOTHING)) == []


def test_each_fault_that_strikes_is_told() -> None:
    struck: list[Fault] = []
    with Disk(1) as disk:
        connection = open_table(disk)
        disk.on_fault = struck.append
        planned = Fault(FaultKind.FULL, "write", nth=2)
        disk.inject(planned)
        with pytest.raises(apsw.FullError):
            connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("INSERT INTO t VALUES (2)")
        assert struck == [planned]
        connection.close()
