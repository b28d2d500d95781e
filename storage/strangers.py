"""Whose a database is: one that is somebody else's, or that somebody else's link leads to, is not written to."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from pathlib import Path

ROOT_UID = 0

JOURNALS = ("-wal", "-shm")
"""What SQLite keeps beside a database that is in use."""


def find_stranger(path: Path, me: int | None = None) -> str | None:
    """Say whose it is and what to do, where it is not ours (of `me`, by default of this process). None: all is well.

    A link that we or root made is our own wish; one of another user may lead anywhere, tomorrow elsewhere.
    """
    mine = os.geteuid() if me is None else me
    try:
        status = path.lstat()
    except OSError:
        return None  # It is not there yet; what cannot be looked at is told by whoever opens it.
    if stat.S_ISLNK(status.st_mode) and status.st_uid not in {mine, ROOT_UID}:
        whose, real = name_of(status.st_uid), shlex.quote(str(path.resolve()))
        return f"{path}: is a link that {whose} made, who may lead it anywhere; name the file itself: {real}"
    real_path = path.resolve()
    for each in (real_path, *(real_path.with_name(real_path.name + journal) for journal in JOURNALS)):
        owner = _owner(each)
        if owner is not None and owner != mine:
            return (
                f"{each}: belongs to {name_of(owner)}, and this is {name_of(mine)}; run greenroom as {name_of(owner)}, "
                f"or give it away: chown {name_of(mine)} {shlex.quote(str(each))}"
            )
    return None


def name_of(uid: int) -> str:
    """Say who a user is, by number where there is no name.

    >>> name_of(4_000_000_000)
    '4000000000'
    """
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None
