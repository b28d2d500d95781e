"""Replacing a small file (a config, a marker) so that a reader or a crash finds the old or the new one, never half."""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

# Renaming cannot work here and never will: another mount, or a single file bind-mounted into a container.
_CANNOT_RENAME = frozenset({errno.EXDEV, errno.EBUSY})

NAME_KEPT = 50
"""Characters of a file's name in that of its successor: names have a limit, and it is longer."""


def replace_file(path: Path, content: bytes, *, mode_if_new: int = 0o600) -> None:
    """Put `content` at `path` durably. A symlink stays one (what it points to is replaced); the mode is kept.

    Where renaming is impossible the file is overwritten in place, which a crash can catch half done.
    Any OSError goes to the caller, and then no temporary file is left and the old content stands.
    """
    target = path.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mode = mode_if_new
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        _rename_or_overwrite(new, target)
        sync_folder(target.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):  # Renamed: gone, as it should be.
            new.unlink()


def replace_in(folder: int, name: str, content: bytes, *, mode_if_new: int = 0o600) -> None:
    """Put `content` at `name` in an open folder, durably. A link that is there is replaced, and never followed.

    The mode is kept. Any OSError goes to the caller, and then the old content stands.
    """
    try:
        mode = stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        mode = mode_if_new
    new = f".{name[:NAME_KEPT]}.{os.getpid()}-{folder}.new"  # Nobody else's at the same time.
    with contextlib.suppress(FileNotFoundError):  # A crash left it there.
        os.unlink(new, dir_fd=folder)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):  # Renamed: gone, as it should be.
            os.unlink(new, dir_fd=folder)


def sync_folder(folder: Path) -> None:
    """Make a created, renamed or removed name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename_or_overwrite(new: Path, target: Path) -> None:
    try:
        os.replace(new, target)  # noqa: PTH105 - the call whose errors are told apart below.
    except OSError as error:
        if error.errno not in _CANNOT_RENAME:
            raise
        with new.open("rb") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
