"""One writer for a database: a lock of the kernel's, and beside it a note saying who holds it.

The lock alone decides; it falls with its process, however that ends. The note is for people and the CLI, and is
believed only while the lock is held and its process is the one that wrote it.
"""

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import filelock

from greenroom.actors.atomic import replace_file
from greenroom.actors.births import read_birth
from greenroom.storage.sqlite import FILE_MODE, FOLDER_MODE, refused_politely

PATIENCE_S = 0.5  # Someone who only asks `read_holder` takes the lock for microseconds; that is not a second writer.


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a database. `started_at` is UTC seconds; `address` is where it serves, if it does."""

    pid: int  # number of the process
    started_at: float  # when it began
    command: str  # what was typed
    address: str | None = None  # where it serves; null if it does not
    born: str | None = None  # the kernel's own birth mark of the process, so that a reused pid is not believed

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.started_at, UTC).isoformat(sep=" ", timespec="seconds")
        return f"pid {self.pid}, started {at}, {self.command}"


class Held(Exception):
    """Another process writes to this database. `holder` is None in the instant before it has introduced itself."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        who = str(holder) if holder else "a process that is just starting"
        super().__init__(f"{path}: already in use by {who}; stop that one first, or name another database")
        self.holder = holder


class WriterLock:
    """Holds a database for this process from creation to `release()`.

    Raises Held if someone else does, CannotOpen where nothing can be written. A missing folder is created (0700).
    Also two in one process exclude each other. The lock file is left behind on purpose: removing it would
    let two processes each lock a file of that name.
    """

    def __init__(self, path: Path, *, address: str | None = None, now: Callable[[], float] = time.time) -> None:
        path = path.resolve()  # One database, one lock, by whatever link it is reached.
        self._note = _note_path(path)
        with refused_politely(path):
            path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            self._lock = _acquire(path)
            pid = os.getpid()
            self.holder = Holder(pid, now(), shlex.join(sys.orig_argv), address, read_birth(pid))
            try:
                self._write_note()
            except OSError:
                self._lock.release()
                raise

    def serve_at(self, address: str | None) -> None:
        """Tell the others where this process can be reached, once that is known."""
        self.holder = replace(self.holder, address=address)
        self._write_note()

    def release(self) -> None:
        if _read_note(self._note) == self.holder:  # Else it is of somebody who took over, by whatever accident.
            self._note.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def _write_note(self) -> None:
        replace_file(self._note, json.dumps(asdict(self.holder)).encode() + b"\n")


def read_holder(path: Path) -> Holder | None:
    """Who writes to this database now; None if nobody does (or it has not introduced itself yet).

    Writes nothing: it also answers on a full disk and on a read-only one.
    """
    path = path.resolve()
    try:
        probe = os.open(_lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)  # Shared: two who only ask do not see each other.
    except BlockingIOError:
        return _read_note(_note_path(path))
    finally:
        os.close(probe)  # Lets go of the lock.
    return None


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".holder.json")


def _acquire(path: Path) -> filelock.BaseFileLock:
    lock = _file_lock(path)
    # The lock takes "cannot be made here" for "held by somebody", as it would pass; so the file is made first.
    os.close(os.open(_lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    try:
        lock.acquire(timeout=PATIENCE_S)
    except filelock.Timeout:
        raise Held(path, _read_note(_note_path(path))) from None
    return lock


def _file_lock(path: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(_lock_path(path), mode=FILE_MODE, thread_local=False)


def _read_note(note: Path) -> Holder | None:
    """The holder as it introduced itself, unless the note is missing, unreadable, or of a process that is gone."""
    try:
        holder = Holder(**json.loads(note.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return holder if read_birth(holder.pid) == holder.born else None
