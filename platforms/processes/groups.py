"""Process groups as the kernel shows them: who carries a mark, and how a group is signalled without harming others."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Set as AbstractSet
from pathlib import Path

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.spawner import MARK

PROC = Path("/proc")


def machine_id() -> str | None:
    """Name this boot of the machine; None where the system does not."""
    with contextlib.suppress(OSError):
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None


def find_groups(marks: AbstractSet[str]) -> set[int]:
    """The groups of all living processes that carry one of these marks. Without a /proc none is found."""
    wanted = {f"{MARK}={mark}".encode() for mark in marks}
    found: set[int] = set()
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has just ended, or is another user's.
            carries = wanted.intersection((folder / "environ").read_bytes().split(b"\0"))
            pid = int(folder.name)
            if carries and is_alive(pid, read_birth(pid)):
                found.add(os.getpgid(pid))
    return found


def signal_group(group: int, number: signal.Signals) -> None:
    """Signal a group; one that is gone needs none, and ours gets none."""
    if group != os.getpgrp():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
