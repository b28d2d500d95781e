"""Background processes in a storm, as the machine and the person see them: none is left over, each end is told once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import apsw

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.spawner import MARK
from greenroom.platforms.processes.groups import PROC
from greenroom.supervisor.sandbox.storm_talk import labels_of, over_in

GONE_S = 10.0
"""How long a daemon that serves may take to end what the one before left."""

LOOK_S = 0.1

_PROCESSES = """
    SELECT p.process, p.state, p.consumed, p.unwanted, p.epoch < (SELECT epoch FROM ownership),
           (SELECT r.ending FROM messages m JOIN runs told USING (session_id, generation)
            JOIN runs r ON r.session_id = told.session_id AND r.work = told.work
            WHERE m.session_id = p.session_id AND m.key = 'process.' || p.process ORDER BY r.generation DESC LIMIT 1)
    FROM processes p JOIN sessions s ON s.id = p.session_id WHERE s.key = ? AND p.notify = 1 ORDER BY p.id
"""

Living = frozenset[tuple[int, str | None]]
"""Processes by number and birth: a number alone is given again."""


def living_processes(folder: Path) -> Living:
    """What daemons with this home have started, and what is alive. Without a /proc none is found."""
    home, mark = f"XDG_DATA_HOME={folder}".encode(), f"{MARK}=".encode()
    found = set()
    for each in PROC.glob("[0-9]*"):
        with suppress(OSError):  # It has just ended, or is another user's.
            carried = (each / "environ").read_bytes().split(b"\0")
            born = read_birth(int(each.name))
            if home in carried and any(it.startswith(mark) for it in carried) and is_alive(int(each.name), born):
                found.add((int(each.name), born))
    return frozenset(found)


async def outliving(folder: Path, left: Living, within_s: float = GONE_S) -> Living:
    """Give these a while to be ended; those that still live then."""
    ends_at = asyncio.get_running_loop().time() + within_s
    while (alive := left & living_processes(folder)) and asyncio.get_running_loop().time() < ends_at:  # noqa: ASYNC110 - they are other processes
        await asyncio.sleep(LOOK_S)
    return alive


def check_processes(db: apsw.Connection, key: str, answers: Sequence[str]) -> Iterator[str]:
    """None is said to run after the last daemon; each end is told once, as soon as a daemon knows of it."""
    told = Counter(over for over in map(over_in, labels_of(answers)) if over is not None)
    least, most = Counter[str](), Counter[str]()
    for process, state, consumed, unwanted, earlier, ending in db.execute(_PROCESSES, (key,)):
        least[process] += ending == "answered"  # What its person stopped is in the transcript, and not said.
        most[process] += consumed and not unwanted
        if state in {"starting", "running"}:
            yield f"{key}: process {process} is said to be {state}"
        if earlier and not consumed and not unwanted and state != "failed":
            yield f"{key}: the end of process {process} was never told"
    for process in told | most:
        if not least[process] <= told[process] <= most[process]:
            yield f"{key}: the end of process {process} is told {told[process]} times"
