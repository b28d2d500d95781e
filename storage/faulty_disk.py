"""A disk in memory for SQLite that fails, fills up and loses power exactly when a seed or a plan says so.

SQLite itself runs on it, through an apsw VFS, so what is tried is the real storage code against the real
database engine; only the platter is pretended. It is part of the product: the sandbox is built on it.

    with Disk(seed=7) as disk:
        connection = open_writer("/bot.db", vfs=disk.vfs_name)
        disk.inject(Fault(FaultKind.CUT, "sync", nth=3))
        ...                                   # the third sync from here kills the "process"
        with disk.reboot(Loss.RANDOM) as found: ...

What a write survives: until its file is synced it is *pending*, and a power cut keeps, drops or tears it sector by
sector. A new or removed file is pending too until its directory is synced (as SQLite does on Unix: with the
first sync of a new journal or WAL). A killed process loses nothing: the kernel has it.

One connection at a time can use WAL here, in `locking_mode=EXCLUSIVE`: apsw gives a Python VFS no way to offer the
shared memory that several need (a second one is told BUSY). Whoever wants to look while the writer is open reads
through it, or reads a copy: `disk.reboot(Loss.NOTHING)`. In rollback-journal mode several connections work, with the
locks of a real disk.

Everything repeats from the seed except the salts in a WAL header (SQLite draws them from a generator that the whole
process shares); they change no operation and no outcome.
"""

import contextlib
import itertools
import math
import posixpath
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self, assert_never, get_args

import apsw

from greenroom.storage.faulty_file import File, Loss
from greenroom.storage.faulty_vfs import OpenFile, Vfs

__all__ = ["OPS", "Disk", "Fault", "FaultKind", "Loss", "Op", "PowerCut"]

Op = Literal["open", "read", "write", "sync", "truncate", "delete", "lock"]
"""What SQLite can ask of a disk, as counted and failed."""

OPS: tuple[Op, ...] = get_args(Op)
COIN = 0.5
_SYNCS_ITS_FOLDER = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_numbers = itertools.count()


class PowerCut(BaseException):
    """The simulated process is dead; every later operation on its disk raises this too.

    Not an Exception: no retry loop may answer it. SQLite sometimes turns it into an `apsw.Error`
    on the way out, so whoever drives a simulation also asks `disk.dead`.
    """


class FaultKind(StrEnum):
    """What an operation is answered with.

    A real disk says BUSY to `lock` and `open` only, and `Disk.inject` refuses it elsewhere. SQLite would believe it of
    other operations too, and wrongly: a write of the last checkpoint that is BUSY counts as "a reader is in the way",
    the journal is removed regardless, and rows that were committed are gone. No disk has that fault.
    """

    IO_ERROR = "the device reports an error"
    FULL = "no space is left"
    BUSY = "another process holds the file"
    READ_ONLY = "the file system was remounted read-only"
    CUT = "the process dies at this point"
    LIE = "the operation claims success and does nothing (a disk that ignores sync)"
    SLOW = "the operation works, after a while"


SAYS_BUSY: frozenset[Op | None] = frozenset({"lock", "open"})
"""The operations that can be refused because another process holds the file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Fail the `nth` operation from now of this kind (None: of any kind), and the `times - 1` after it.

    `times=None` fails all of them until `heal()`. `slow_s` is how long a SLOW one takes.
    """

    kind: FaultKind
    op: Op | None = None
    nth: int = 1
    times: int | None = 1
    slow_s: float = 1.0


@dataclass(slots=True)
class _Armed:
    """A fault with its place on this disk's own count: it strikes from `first` up to, not including, `end`."""

    fault: Fault
    first: int
    end: float


class Disk:
    """Files in memory, a count of every operation, and the faults that are armed.

    Use it as a context manager, or call `unmount()`: it is registered with SQLite under a name of its own
    (`vfs_name`) from the start. `now` gives UTC seconds to SQLite; by default time stands still at 0.
    """

    def __init__(self, seed: int = 0, *, now: Callable[[], float] = float) -> None:
        self.rng = random.Random(seed)
        self.now = now
        self.dead = False
        self.on_cut: Callable[[], None] = _nothing  # Called once, at the moment at which a cut strikes.
        self.on_fault: Callable[[Fault], None] = _nothing  # Called whenever a fault strikes, before it does.
        self.sleep: Callable[[float], None] = _nothing  # Lets the time of a slow operation pass.
        self.operations = 0  # Every crash point of a workload is a number from 1 to this.
        self.counts = dict.fromkeys(OPS, 0)
        self.names: dict[str, File] = {}
        self._platter: dict[str, File] = {}  # The names that survive a power cut.
        self._opened: dict[str, File] = {}
        self._armed: list[_Armed] = []
        self.vfs_name = f"greenroom-disk-{next(_numbers)}"
        self._vfs = Vfs(self, self.vfs_name)  # Kept to the end: connections that are open still use it.
        self._mounted = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()

    def unmount(self) -> None:
        """Withdraw the name from SQLite; idempotent. Open connections stay usable; close them."""
        if self._mounted:
            self._mounted = False
            self._vfs.unregister()

    # What the plan of a test or a scenario says.

    def inject(self, fault: Fault) -> None:
        """Arm a fault, counted from now. Several may be armed; the first that fits strikes.

        Raises ValueError for one that no disk has, and that SQLite by its own rules does not survive.
        """
        if fault.kind is FaultKind.BUSY and fault.op not in SAYS_BUSY:
            msg = (
                f"no disk is busy at {fault.op or 'any operation'}, and SQLite loses rows if told so; "
                "plan BUSY for lock or open, or FULL or IO_ERROR here"
            )
            raise ValueError(msg)
        so_far = self.operations if fault.op is None else self.counts[fault.op]
        first = so_far + fault.nth
        self._armed.append(_Armed(fault, first, math.inf if fault.times is None else first + fault.times))

    def heal(self) -> None:
        """Take all faults away, as when someone deletes files from a full disk. A dead process stays dead."""
        self._armed.clear()

    def die(self, *connections: apsw.Connection) -> None:
        """Kill the process now (it may be dead already) and close its connections, without any effect on the disk."""
        self.dead = True
        for connection in connections:
            with contextlib.suppress(PowerCut, apsw.Error):
                connection.close(force=True)

    def reboot(self, loss: Loss, *, seed: int | None = None) -> "Disk":
        """The disk as the next process finds it: new, mounted, without faults, counting from 0.

        This disk is not changed, so one crash can be tried with every kind of loss, and one migrated disk can be the
        start of many runs, each with its own `seed` (by default the next number of this disk's).
        """
        found = Disk(self.rng.getrandbits(64) if seed is None else seed, now=self.now)
        for name in sorted(self.names.keys() | self._platter.keys()):
            seen, durable = self.names.get(name), self._platter.get(name)
            kernel_wrote = loss is Loss.NOTHING or (loss is Loss.RANDOM and self.rng.random() < COIN)
            file = seen if kernel_wrote else durable
            if file is not None:
                found.write_file(name, file.survives(loss, self.rng))
        return found

    def vanish(self, path: str) -> None:
        """Remove a file behind the back of whoever has it open, as `rm` does."""
        self._platter.pop(path, None)
        del self.names[path]

    def read_file(self, path: str) -> bytes:
        """What the kernel shows of a file now, synced or not. Not counted as an operation."""
        return bytes(self.names[path].seen)

    def write_file(self, path: str, content: bytes | bytearray) -> None:
        """Put a whole, durable file there: for corrupting one, or bringing one. Not counted as an operation.

        A bytearray is the file's own from now on.
        """
        self.names[path] = self._platter[path] = File(content)

    # What the VFS asks.

    def count(self, op: Op) -> bool:
        """Count one operation and strike if a fault is due; True if the operation must only pretend."""
        self.operations += 1
        self.counts[op] += 1
        return self._strike(op) if self._armed or self.dead else False

    def _strike(self, op: Op) -> bool:
        if self.dead:
            raise PowerCut
        for armed in self._armed:
            wanted = armed.fault.op
            number = self.operations if wanted is None else self.counts[op]
            if (wanted is None or wanted is op) and armed.first <= number < armed.end:
                self.on_fault(armed.fault)
                return self._fail(armed.fault, op)
        return False

    def _fail(self, fault: Fault, op: Op) -> bool:
        match fault.kind:
            case FaultKind.IO_ERROR:
                raise apsw.IOError(f"{op}: I/O error (injected)")
            case FaultKind.FULL:
                raise apsw.FullError(f"{op}: disk full (injected)")
            case FaultKind.BUSY:
                raise apsw.BusyError(f"{op}: busy (injected)")
            case FaultKind.READ_ONLY:
                raise apsw.ReadOnlyError(f"{op}: read-only (injected)")
            case FaultKind.CUT:
                self.dead = True
                self.on_cut()
                raise PowerCut
            case FaultKind.LIE:
                return True
            case FaultKind.SLOW:
                self.sleep(fault.slow_s)
                if self.dead:  # The power failed meanwhile.
                    raise PowerCut
                return False
            case _:
                assert_never(fault.kind)

    def open(self, path: str | None, flags: int) -> OpenFile:
        self.count("open")
        if path is None:
            return OpenFile(self, "", File(), folder_unsynced=False)
        may_create = bool(flags & apsw.SQLITE_OPEN_CREATE)
        if path not in self.names:
            if not may_create:
                raise apsw.CantOpenError(f"{path}: no such file on this simulated disk")
            self.names[path] = File()
        file = self._opened[path] = self.names[path]
        # As SQLite does, also for a journal that was there: its first sync may have failed when it was new.
        return OpenFile(self, path, file, folder_unsynced=may_create and bool(flags & _SYNCS_ITS_FOLDER))

    def closed(self, path: str, file: File) -> None:
        if self._opened.get(path) is file:
            del self._opened[path]

    def delete(self, path: str) -> None:
        self.count("delete")
        self.names.pop(path, None)

    def has_moved(self, path: str) -> bool:
        """Whether a database's path, or its WAL's, names another file than the one that is open."""
        opened = ((name, self._opened.get(name)) for name in (path, path + "-wal"))
        return any(file is not None and self.names.get(name) is not file for name, file in opened)

    def sync_folder(self, path: str) -> None:
        folder = posixpath.dirname(path)
        elsewhere = {name: file for name, file in self._platter.items() if posixpath.dirname(name) != folder}
        here = {name: file for name, file in self.names.items() if posixpath.dirname(name) == folder}
        self._platter = elsewhere | here


def _nothing(*_: object) -> None:
    """Nobody wants to know."""
