"""Putting a large file in its place whole: it is written beside, and appears under its name only when it is finished.

A small one is replaced by `actors/atomic.py`, in one call.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from greenroom.actors.atomic import NAME_KEPT, sync_folder
from greenroom.storage.sqlite import CannotOpen

NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""How file systems say that a file can have one name only."""

JOURNALS = ("-wal", "-journal")
"""What SQLite takes into a database that it finds beside it, also where it is another one's."""


class NotPlaced(CannotOpen):
    """Nothing was put at the path; the message says why, and what to do."""


@contextlib.contextmanager
def placing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Lend a new, empty, private file beside `path`; what is in it at the end of the block takes that name, durably.

    If the block raises, or the process is killed, `path` is what it was. A link is followed, and what it leads to
    replaced.
    Raises NotPlaced before the block where it could not end well, for an OSError in it, and after it if somebody was
    faster.
    """
    target = path.resolve()
    _refuse(target, overwrite=overwrite)
    with _said_politely(target):
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:NAME_KEPT]}.", suffix=".new", dir=target.parent)
        os.close(descriptor)
    new = Path(name)
    try:
        with _said_politely(target):
            yield new
            _sync(new)
            refuse_journals(target)
            _place(new, target, overwrite=overwrite)
            sync_folder(target.parent)
    finally:
        for left in (new, Path(f"{name}-journal"), Path(f"{name}-wal"), Path(f"{name}-shm")):
            left.unlink(missing_ok=True)  # Renamed, or linked: gone, or of no use any more.


def _refuse(target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise NotPlaced(f"{target} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise NotPlaced(f"{target}: there is no folder {target.parent}; make it first, or name another place")
    if target.exists() and not target.is_file():
        raise NotPlaced(f"{target} is no ordinary file; name another place")
    if target.exists() and not overwrite:
        raise _is_there(target)


def refuse_journals(path: Path) -> None:
    """Raise NotPlaced where a journal lies beside `path`, which would be taken into what is put there."""
    for end in JOURNALS:
        if Path(f"{path}{end}").exists():
            raise NotPlaced(
                f"{path}{end} is there: a database of that name is open, or its process was killed, and SQLite would"
                " take that into what is put there; name another file, or move it away"
            )


def _is_there(target: Path) -> NotPlaced:
    return NotPlaced(f"{target} is there already, and was not touched; name another file, or say --force to replace it")


def _place(new: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(new, target)  # Unlike a rename it refuses to replace what somebody put there meanwhile.
        except FileExistsError:
            raise _is_there(target) from None
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _refuse(target, overwrite=False)
        else:
            return
    new.replace(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _said_politely(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        advice = "free some space, or name a place on another disk" if full else "name a writable place"
        raise NotPlaced(f"{target}: cannot be written: {error.strerror or error}; {advice}") from error
