"""Process groups as the kernel shows them: who carries a mark, and how a group is signalled without harming others."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
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
    return {group for group, mark in read_marks() if mark in marks}


def read_marks() -> Iterator[tuple[int, str]]:
    """Each living process that carries a mark: its group, and the mark. Without a /proc there are none."""
    begins = f"{MARK}=".encode()
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has just ended, or is another user's.
            environment = (folder / "environ").read_bytes().split(b"\0")
            marks = [each.removeprefix(begins) for each in environment if each.startswith(begins)]
            pid = int(folder.name)
            if marks and is_alive(pid, read_birth(pid)):
                yield os.getpgid(pid), marks[0].decode(errors="replace")


def end_remains(leader: int, mark: str) -> None:
    """End what a leader that has ended, and was buried just now, left behind in its group, or under its mark."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, 0)  # Mostly nothing is left, and nothing need be looked for.
        groups = find_groups({mark})
        if not _is_taken(
            leader
        ):  # Nobody has its number, so the group is what it led, whatever mark its members carry.
            groups.add(leader)
        for group in groups:
            signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: signal.Signals) -> None:
    """Signal a group; one that is gone needs none, and ours gets none."""
    if group != os.getpgrp():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _is_taken(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
