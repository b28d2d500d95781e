"""Paths below one folder: no `..`, no absolute path and no symbolic link leads out of it.

Each part of a path is opened in the folder before it and never followed if it is a link, so that nothing that changes
meanwhile leads elsewhere. The folder itself may be reached by links: whoever configured it chose them. Blocking.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not blocking: what is no file (a pipe without a writer) is told apart after it is open."""

PARTS_MAX = 64
LEADS_OUT = {errno.ELOOP, errno.ENOTDIR}


class OutsideError(ValueError):
    """A path that is not one below the root. The message is for a model."""

    def __init__(self, path: str, why: str) -> None:
        """Name the path."""
        super().__init__(f"{path[:200]!r} is no path below the root: {why}")


def root_of(configured: Path, folder: Path) -> Path:
    """Find the root that somebody configured; a relative one is below `folder`. Raises NotADirectoryError."""
    root = folder / configured.expanduser()
    if not root.is_dir():
        msg = f"root: there is no folder {root}"
        raise NotADirectoryError(msg)
    return root


def parts_of(path: str) -> tuple[str, ...]:
    """The names on the way from the root; none for the root itself. Pure. Raises OutsideError.

    >>> parts_of("notes/./today.txt"), parts_of(""), parts_of(".")
    (('notes', 'today.txt'), (), ())
    """
    pure = PurePosixPath(path)
    if pure.is_absolute():
        raise OutsideError(path, "it must be relative")
    if ".." in pure.parts:
        raise OutsideError(path, "it must not have '..' in it")
    if "\0" in path or len(pure.parts) > PARTS_MAX:
        raise OutsideError(path, "it is no path")
    return pure.parts


@contextmanager
def opened_folder(root: Path, parts: tuple[str, ...], *, make: bool) -> Iterator[int]:
    """Open a folder below the root; `make` makes those that are not there. Raises OutsideError, OSError."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            folder = _step(folder, part, "/".join(parts), make=make)
        yield folder
    finally:
        os.close(folder)


def _step(folder: int, part: str, path: str, *, make: bool) -> int:
    """Go into a folder, and close the one before. When it raises that is still open."""
    if make:
        with suppress(FileExistsError):  # As it should be; what is no folder is refused below.
            os.mkdir(part, 0o700, dir_fd=folder)
    with _told(path):
        inner = os.open(part, _FOLDER, dir_fd=folder)
    os.close(folder)
    return inner


@contextmanager
def opened_file(root: Path, path: str) -> Iterator[int]:
    """Open a file below the root to be read. Raises OutsideError, also for what is no file; OSError."""
    *way, name = parts_of(path) or (".",)
    with opened_folder(root, tuple(way), make=False) as folder:
        with _told(path):
            file = os.open(name, _FILE, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OutsideError(path, "it is not a file")
            yield file
        finally:
            os.close(file)


def folder_below(root: Path, path: str) -> Path:
    """Find a folder below the root, for a program that begins there. Raises OutsideError, OSError."""
    parts = parts_of(path)
    with opened_folder(root, parts, make=False):
        return root.joinpath(*parts)


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in LEADS_OUT:
            raise OutsideError(path, "on its way is a link, or something that is no folder") from error
        raise
