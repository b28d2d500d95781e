"""Opening the database: settings that took, modes, strangers, damage, and several processes on real files."""

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from greenroom.storage import sqlite as sqlite_module
from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, Loss
from greenroom.storage.filesystem import judge_filesystem
from greenroom.storage.sqlite import (
    APPLICATION_ID,
    PAGE_BYTES,
    WRITER_PRAGMAS,
    CannotOpen,
    Checked,
    Malformed,
    open_reader,
    open_writer,
    quick_check,
)
from greenroom.storage.trouble import advise_salvage

HOLD_WRITE_LOCK = """
import sys
from greenroom.storage.sqlite import open_writer
connection = open_writer(sys.argv[1])
connection.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (99)")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
connection.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "room" / "bot.db")


@pytest.fixture
def writer(path: str) -> Iterator[apsw.Connection]:
    connection = open_writer(path)
    connection.execute("CREATE TABLE t(a INTEGER) STRICT")
    yield connection
    connection.close(force=True)


def test_every_setting_took(writer: apsw.Connection) -> None:
    found = {name: writer.pragma(name) for name in WRITER_PRAGMAS}
    assert found == WRITER_PRAGMAS
    assert writer.pragma("journal_mode") == "wal"
    assert writer.pragma("synchronous") == 2
    assert writer.pragma("page_size") == PAGE_BYTES == 8192
    assert writer.pragma("wal_autocheckpoint") == 0
    assert writer.pragma("application_id") == APPLICATION_ID
    assert writer.pragma("mmap_size") == 0


def test_the_same_settings_take_on_a_simulated_disk() -> None:
    with Disk(1) as disk:
        connection = open_writer("/bot.db", vfs=disk.vfs_name)
        assert {name: connection.pragma(name) for name in WRITER_PRAGMAS} == WRITER_PRAGMAS
        assert (connection.pragma("journal_mode"), connection.pragma("synchronous")) == ("wal", 2)
        connection.close()


def test_files_are_private_and_so_is_a_new_folder_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        connection = open_writer(str(tmp_path / "room" / "bot.db"))
        connection.execute("CREATE TABLE t(a INTEGER) STRICT")
        reader = open_reader(str(tmp_path / "room" / "bot.db"))
    finally:
        os.umask(before)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in (tmp_path / "room").iterdir()}
    reader.close()
    connection.close()
    assert modes == {"bot.db": 0o600, "bot.db-wal": 0o600, "bot.db-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "room").stat().st_mode) == 0o700


def test_a_database_that_others_could_read_becomes_private_and_its_owner_hears_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bot.db"
    open_writer(str(path)).close()
    path.chmod(0o644)
    writer = open_writer(str(path))
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}
    writer.close()
    assert modes == {"bot.db": 0o600, "bot.db-wal": 0o600, "bot.db-shm": 0o600}
    assert "others could read it (mode 644)" in caplog.text


def test_another_applications_database_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    path.chmod(0o644)
    with pytest.raises(CannotOpen):
        open_writer(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    open_writer(str(tmp_path / "bot.db")).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_double_quotes_are_never_a_string(writer: apsw.Connection) -> None:
    with pytest.raises(apsw.SQLError, match="no such column"):
        writer.execute('INSERT INTO t VALUES ("1")')


def test_readers_see_committed_rows_only_and_cannot_write(writer: apsw.Connection, path: str) -> None:
    reader = open_reader(path)
    writer.execute("INSERT INTO t VALUES (1); BEGIN IMMEDIATE; INSERT INTO t VALUES (2)")
    assert reader.execute("SELECT count(*) FROM t").get == 1
    writer.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM t").get == 2
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("INSERT INTO t VALUES (3)")
    reader.close()


def test_a_reader_needs_a_database(path: str) -> None:
    with pytest.raises(CannotOpen, match="there is no database here"):
        open_reader(path)
    assert not Path(path).exists()


def test_reopening_does_not_create_what_vanished(path: str) -> None:
    with pytest.raises(apsw.CantOpenError):
        open_writer(path, missing="refuse")
    assert not Path(path).exists()


def test_another_applications_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "browser.db"
    stranger = apsw.Connection(str(path))
    stranger.execute("CREATE TABLE history(url TEXT)")
    stranger.close()
    before = path.read_bytes()
    for opening in (open_writer, open_reader):
        with pytest.raises(CannotOpen, match="another application's database"):
            opening(str(path))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["browser.db"]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at\n" * 50, b"x"])
def test_a_file_that_is_no_database_is_malformed_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bot.db"
    path.write_bytes(content)
    with pytest.raises(Malformed) as caught:
        open_writer(str(path))
    assert advise_salvage(str(path)) in str(caught.value)
    assert path.read_bytes() == content


def test_damage_inside_is_found_and_the_message_names_the_salvaging_command(path: str) -> None:
    fill(path)
    file = Path(path)
    content = bytearray(file.read_bytes())
    content[3 * PAGE_BYTES : 4 * PAGE_BYTES] = os.urandom(PAGE_BYTES)
    file.write_bytes(content)
    connection = open_writer(path)
    with pytest.raises(Malformed, match="greenroom doctor --repair --db "):
        quick_check(connection)
    connection.close()


def test_the_check_ends_when_its_time_is_up_and_the_connection_goes_on(path: str) -> None:
    fill(path)
    connection = open_writer(path)
    ticks = iter(range(1_000_000))
    assert quick_check(connection, limit_s=1, clock=lambda: next(ticks)) is Checked.TIME_RAN_OUT
    assert quick_check(connection, clock=lambda: 0.0) is Checked.WHOLE
    connection.execute("INSERT INTO t VALUES (1, 'after')")
    connection.close()


def fill(path: str) -> None:
    connection = open_writer(path)
    connection.execute("CREATE TABLE t(a INTEGER, b TEXT) STRICT; CREATE INDEX i ON t(b)")
    with connection:
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"{n}" * 50) for n in range(5000)])
    connection.close()


def test_another_process_that_writes_makes_us_busy_and_not_broken(writer: apsw.Connection, path: str) -> None:
    writer.set_busy_timeout(0)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_WRITE_LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(apsw.BusyError):
            writer.execute("BEGIN IMMEDIATE")
        other.communicate("\n", timeout=30)
    writer.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1); COMMIT")
    assert sorted(writer.execute("SELECT a FROM t")) == [(1,), (99,)]


def test_a_network_file_system_is_refused_before_anything_is_created(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "read_filesystem", lambda _path: judge_filesystem("nfs4", "/mnt/nas"))
    with pytest.raises(CannotOpen, match=r"/mnt/nas \(nfs4\) is a network file system"):
        open_writer(path)
    assert not Path(path).parent.exists()


def test_a_place_that_cannot_do_wal_is_named_and_not_used_in_another_mode() -> None:
    with Disk(1) as disk, pytest.raises(CannotOpen, match=r"cannot run SQLite's write-ahead log .*'memory'"):
        open_writer(":memory:", vfs=disk.vfs_name)


def test_a_setting_that_did_not_take_is_named(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sqlite_module.WRITER_PRAGMAS, "foreign_keys", 7)  # SQLite answers 1.
    with pytest.raises(CannotOpen, match="SQLite refused foreign_keys = 7 and kept 1"):
        open_writer(path)


def test_a_place_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotOpen, match="cannot be opened for writing"):
        open_writer(str(tmp_path / "file" / "bot.db"))


def test_a_database_in_rollback_mode_that_is_in_use_cannot_become_wal_and_stays_as_it_is(path: str) -> None:
    open_writer(path).close()
    other = apsw.Connection(path)
    other.pragma("journal_mode", "delete")
    other.execute("BEGIN; SELECT * FROM sqlite_schema")
    with pytest.raises(apsw.BusyError):
        open_writer(path, busy_timeout_ms=0)
    assert other.pragma("journal_mode") == "delete"
    other.close()


def test_a_failure_while_opening_leaves_no_open_file() -> None:
    with Disk(1) as counting:
        open_writer("/bot.db", vfs=counting.vfs_name).close()
    for point in range(1, counting.operations + 1):
        with Disk(1) as disk:
            disk.inject(Fault(FaultKind.IO_ERROR, nth=point))
            with contextlib.suppress(apsw.Error, CannotOpen):
                open_writer("/bot.db", vfs=disk.vfs_name).close()
            assert disk._opened == {}
            with disk.reboot(Loss.UNSYNCED) as found:
                open_writer("/bot.db", vfs=found.vfs_name).close()
