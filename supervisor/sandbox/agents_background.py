"""What the scripted agent does with background processes: `process:wait` and the like, in the words of its messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zlib import crc32

from greenroom.actors.keeper import CannotSpawnError
from greenroom.supervisor.sandbox.happening import AGENT

if TYPE_CHECKING:
    from greenroom.actors.ports import Process, Turn
    from greenroom.supervisor.sandbox.world import World

PROCESS_STEPS = tuple(f"process:{how}" for how in ("forget", "wait", "kill", "log", "watch"))

SCRIPTS = (
    "true",
    "sleep 5",
    "sleep 40; echo READY",
    "for n in 1 2 3; do echo READY; sleep 3; done",
    "for n in $(seq 5); do echo READY; echo READY; sleep 3; done",
    "trap '' TERM; sleep 300; exit 3",
    "sleep 2000",
    "false",
)
"""What is started, chosen by the step's name, so that each attempt at a step does the same."""


async def use_process(world: World, turn: Turn, step: str, how: str) -> None:
    """Start a process, and look after it, or not."""
    number = crc32(step.encode())
    command = f"echo {step}; {SCRIPTS[number % len(SCRIPTS)]}"
    try:
        process = await turn.spawn(
            command if number % 11 else ["nonesuch", step],
            notify_on_complete=how != "watch",
            watch_patterns=["READY"] if how == "watch" or number % 3 == 0 else [],
        )
    except CannotSpawnError:
        return
    world.note(AGENT, f"process {process.id} is started for {turn.session}: {command}")
    await _look_after(process, how)
    if how in {"wait", "kill", "log"}:
        world.consumed.add((str(turn.session), process.id, command))


async def _look_after(process: Process, how: str) -> None:
    match how:
        case "wait":
            if not (await process.wait(timeout_s=100.0)).is_over:
                await process.kill()
        case "kill":
            await process.kill()
            await process.kill()
        case "log":
            await process.log(last=100)
        case "watch":
            await asyncio.sleep(5)
        case _:
            await process.poll()
