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
