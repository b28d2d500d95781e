"""Children whose greenroom was killed: found by their mark when the next one begins, and ended with their groups.

Mostly there are none: a child ends when its input does, and on Linux the kernel ends it with the thread that started
it. What it started itself may live on, though.
"""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

from greenroom.actors.births import is_alive, read_birth
from greenroom.platforms.processes.groups import machine_id, read_marks, signal_group

BEGINS = "child"
"""How a child's mark begins; those of background processes do not."""


def make_mark() -> str:
    """Name a new child: whose it is, on which boot of which machine, and which of them."""
    pid = os.getpid()
    return f"{BEGINS}/{_here()}/{pid}/{read_birth(pid) or ''}/{uuid.uuid4().hex}"


def find_orphans() -> set[int]:
    """The groups of all children whose greenroom has surely ended. Without a /proc none is found."""
    here = _here()
    found: set[int] = set()
    for group, mark in read_marks():
        match mark.split("/"):
            case [begins, where, pid, born, _] if (begins, where) == (BEGINS, here) and pid.isdecimal() and born:
                if not is_alive(int(pid), born):
                    found.add(group)
            case _:
                pass
    return found


def end_orphans() -> None:
    """End them. To be called before children are started anew; takes some milliseconds."""
    for group in find_orphans():
        signal_group(group, signal.SIGKILL)


def _here() -> str:
    """Where numbers of processes mean what they mean to us: containers on one machine have their own."""
    try:
        numbers = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        numbers = ""
    return f"{machine_id() or ''}.{numbers}"
