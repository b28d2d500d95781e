"""Noticing that the database was deleted, moved or replaced while it is open.

SQLite writes on into a deleted file and reports success. So the writer asks, before it acknowledges a group, whether
the path still names the files it has open: two `stat` calls.
"""

import ctypes
import os
from dataclasses import dataclass

import apsw

Inode = tuple[int, int]  # device, number


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The files a connection has open: (path, inode) of the database and its WAL; none on a simulated disk."""

    files: tuple[tuple[str, Inode | None], ...]


def read_whereabouts(connection: apsw.Connection) -> Whereabouts:
    """Remember the files of a connection; call it right after opening, before anyone can swap them."""
    if not connection.open_vfs.startswith("unix"):
        return Whereabouts(())
    return Whereabouts(tuple((path, _read_inode(path)) for path in (connection.filename, connection.filename_wal)))


def has_vanished(connection: apsw.Connection, then: Whereabouts) -> bool:
    """Whether the database or its WAL is no longer what the path names.

    On a simulated disk SQLite asks the VFS, which answers for both files.
    """
    if then.files:
        return any(_read_inode(path) != inode for path, inode in then.files)
    answer = ctypes.c_int(0)
    connection.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, ctypes.addressof(answer))
    return bool(answer.value)


def is_replaced(then: Whereabouts) -> bool:
    """Whether another file than the database has its name now. A missing one is not another; a copy is."""
    path, inode = then.files[0] if then.files else ("", None)
    found = _read_inode(path) if path else None
    return found is not None and found != inode


def _read_inode(path: str) -> Inode | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - on the way of every commit.
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
