"""The simulated disk as SQLite sees it: an apsw VFS and its open files."""
# ruff: noqa: N802, ARG002, FBT001 - SQLite names these methods and their arguments.

import ctypes
import weakref
from typing import TYPE_CHECKING, cast

import apsw

from greenroom.storage.faulty_file import SECTOR_BYTES, File, put

if TYPE_CHECKING:
    from greenroom.storage.faulty_disk import Disk

JULIAN_EPOCH_MS = 210_866_760_000_000  # 1970-01-01 in SQLite's milliseconds since noon, 24 November 4714 BC
HAS_MOVED = apsw.SQLITE_FCNTL_HAS_MOVED  # The one thing that SQLite asks, among many that it tells.
_TOLERATED = {  # lock level asked for -> the highest level that others may hold
    apsw.SQLITE_LOCK_SHARED: apsw.SQLITE_LOCK_RESERVED,
    apsw.SQLITE_LOCK_RESERVED: apsw.SQLITE_LOCK_SHARED,
    apsw.SQLITE_LOCK_EXCLUSIVE: apsw.SQLITE_LOCK_NONE,
}


class OpenFile:
    """What SQLite holds: one open handle of one file.

    apsw takes any object with these methods.
    """

    __slots__ = ("_disk", "_file", "_folder_unsynced", "_name")

    def __init__(self, disk: "Disk", name: str, file: File, *, folder_unsynced: bool) -> None:
        self._disk, self._name, self._file, self._folder_unsynced = disk, name, file, folder_unsynced

    def xRead(self, amount: int, offset: int) -> bytes | bytearray:
        if self._disk.count("read"):
            return bytearray(amount)
        return self._file.seen[offset : offset + amount]

    def xWrite(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        if self._disk.count("write"):
            return
        file, new = self._file, bytes(data)
        seen = file.own()
        file.pending.append((offset, seen[offset : offset + len(new)], new, len(seen)))
        put(seen, offset, new)

    def xTruncate(self, newsize: int) -> None:
        if self._disk.count("truncate"):
            return
        seen = self._file.own()
        if newsize > len(seen):
            self._file.pending.append((len(seen), b"", bytes(newsize - len(seen)), len(seen)))
            put(seen, newsize, b"")
            return
        self._file.pending.append((newsize, seen[newsize:], None, len(seen)))
        del seen[newsize:]

    def xSync(self, flags: int) -> None:
        if self._disk.count("sync"):
            return
        self._file.pending.clear()
        if self._folder_unsynced:
            self._folder_unsynced = False
            self._disk.sync_folder(self._name)

    def xFileSize(self) -> int:
        return len(self._file.seen)

    def xLock(self, level: int) -> None:
        self._disk.count("lock")
        locks, me = self._file.locks, id(self)
        others = max((held for handle, held in locks.items() if handle != me), default=apsw.SQLITE_LOCK_NONE)
        if others > _TOLERATED[level]:
            if level == apsw.SQLITE_LOCK_EXCLUSIVE and others == apsw.SQLITE_LOCK_SHARED:
                locks[me] = apsw.SQLITE_LOCK_PENDING  # New readers stay out while the old ones finish.
            raise apsw.BusyError("the file is locked by another connection to this simulated disk")
        locks[me] = level

    def xUnlock(self, level: int) -> None:
        self._file.locks[id(self)] = level

    def xCheckReservedLock(self) -> bool:
        me = id(self)
        return any(held >= apsw.SQLITE_LOCK_RESERVED for handle, held in self._file.locks.items() if handle != me)

    def xFileControl(self, op: int, ptr: int) -> bool:
        if op == HAS_MOVED:
            ctypes.c_int.from_address(ptr).value = self._disk.has_moved(self._name)
            return True
        return False

    def xSectorSize(self) -> int:
        return SECTOR_BYTES

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xClose(self) -> None:
        self._file.locks.pop(id(self), None)
        self._disk.closed(self._name, self._file)

    def excepthook(self, *_: object) -> None:
        """Keep quiet about faults that SQLite has no one to report to: they were asked for."""


class Vfs(apsw.VFS):
    """Kept by its disk, which every open file keeps; SQLite holds no reference of its own.

    It knows the disk weakly, so that the bytes go with the last who uses them, and not with the collector's next round.
    """

    def __init__(self, disk: "Disk", name: str) -> None:
        self._weak = weakref.ref(disk)
        super().__init__(name, None)  # No base: nothing here can touch a real disk.

    @property
    def _disk(self) -> "Disk":
        disk = self._weak()
        if disk is None:
            raise apsw.CantOpenError("this simulated disk has gone")
        return disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        flags[1] = flags[0]
        return cast("apsw.VFSFile", self._disk.open(path, flags[0]))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.delete(filename)
        if syncdir:
            self._disk.sync_folder(filename)

    def xAccess(self, pathname: str, flags: int) -> bool:
        return pathname in self._disk.names

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, numbytes: int) -> bytes:
        return self._disk.rng.randbytes(numbytes)

    def xSleep(self, microseconds: int) -> int:
        return microseconds

    def xCurrentTime(self) -> float:
        return self.xCurrentTimeInt64() / 86_400_000

    def xCurrentTimeInt64(self) -> int:
        return JULIAN_EPOCH_MS + int(self._disk.now() * 1000)

    def xGetLastError(self) -> tuple[int, str | None]:
        return 0, ""

    def excepthook(self, *_: object) -> bool:
        """Keep quiet about faults that SQLite has no one to report to: they were asked for."""
        return True
