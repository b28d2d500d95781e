"""The names of the simulated disk: a file that was made or removed is so for good when its folder is synced."""

import apsw
import pytest

from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, Loss

DATABASE = "/room/bot.db"


def test_a_new_file_is_lost_until_its_folder_is_synced() -> None:
    with Disk(1) as disk:
        connection = apsw.Connection(DATABASE, vfs=disk.vfs_name)
        connection.execute("PRAGMA journal_mode = OFF; CREATE TABLE t(a)")  # Without a journal nobody syncs the folder.
        disk.die(connection)
        with disk.reboot(Loss.UNSYNCED) as found:
            assert DATABASE not in found.names
        survived = set()
        for _ in range(64):
            with disk.reboot(Loss.RANDOM) as found:
                survived.add(DATABASE in found.names)
        assert survived == {True, False}


def test_a_removed_file_comes_back_if_its_folder_was_not_synced() -> None:
    with Disk(1) as disk:
        disk.write_file("/room/old", b"old")
        disk.delete("/room/old")
        with disk.reboot(Loss.UNSYNCED) as found:
            assert found.read_file("/room/old") == b"old"
        with disk.reboot(Loss.NOTHING) as found:
            assert "/room/old" not in found.names
        disk.write_file("/hall/kept", b"kept")
        disk.sync_folder("/room/other")
        with disk.reboot(Loss.UNSYNCED) as found:
            assert set(found.names) == {"/hall/kept"}


def test_a_journal_whose_first_sync_failed_is_synced_with_its_folder_when_it_is_opened_again() -> None:
    flags = apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_WAL
    with Disk(1) as disk:
        disk.inject(Fault(FaultKind.IO_ERROR, "sync", nth=1))
        handle = disk.open("/bot.db-wal", flags)
        handle.xWrite(b"frames", 0)
        with pytest.raises(apsw.IOError):
            handle.xSync(0)
        handle.xClose()
        again = disk.open("/bot.db-wal", flags)
        again.xSync(0)
        with disk.reboot(Loss.UNSYNCED) as found:
            assert found.read_file("/bot.db-wal") == b"frames"
