"""Runs one driver at every point, in processes of its own: a clean image is forked, killed, and forked again.

`python -m greenroom.supervisor.sandbox.foreign.nursery DRIVER TRIES [NAME=VALUE]` prints one JSON object: for each
point, and each try, the lines that the world has in the end, or null if the driver never came there. The image has
imported the framework and started nothing, so a fork of it is a fresh process without the seconds of the import.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from greenroom.supervisor.sandbox.foreign.room import UPDATE, Room

POINTS = ("A", "B", "acknowledged", "C first", "D", "E", "C second", "G", "H", "I")
LIFE_S = 60
"""A life that takes longer has hung, and is ended."""

Live = Callable[[Room], None]


def main(arguments: list[str]) -> None:
    """Try every point, and print what is left of each."""
    name, tries, *rest = arguments
    driver = import_module(f"greenroom.supervisor.sandbox.foreign.{name}")
    live: Live = partial(driver.live, **dict(each.split("=", 1) for each in rest))
    found = {point: [try_point(live, point) for _ in range(int(tries))] for point in POINTS}
    sys.stdout.write(json.dumps(found) + "\n")


def try_point(live: Live, point: str) -> list[dict[str, Any]] | None:
    """Kill a life there, let the next one end, and read the world; None: the first life never came there.

    Raises RuntimeError if a life fails by itself: that is a mistake of the driver, and no row of the table.
    """
    with tempfile.TemporaryDirectory(prefix="greenroom-matrix-") as name:
        folder = Path(name)
        world = Room(folder)
        world.write("said", update=UPDATE, text="m1")
        ended = fork(partial(live, Room(folder, point)))
        if ended == 0:
            return None
        if ended == -signal.SIGKILL:
            ended = fork(partial(live, Room(folder)))
        if ended != 0:
            raise RuntimeError(f"at {point}: a life ended by itself, with {ended}")
        return [each for what in ("effect", "shown") for each in world.read(what)]


def fork(life: Callable[[], None]) -> int:
    """Run it in a process of its own; returns its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        _be(life)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _be(life: Callable[[], None]) -> None:
    code = 1
    signal.alarm(LIFE_S)
    try:
        life()
        code = 0
    except BaseException:  # Invariant: a child never returns into its parent's code, whatever its framework raises.
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
