"""Background processes on this machine, each the leader of a group and a session of its own.

A process is its whole group: what is left of it when its leader has ended is ended, too. Where there is no /proc, those
of an earlier life are not found again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.process import Leader, Leftover
from greenroom.actors.spawner import MARK, Child
from greenroom.platforms.processes.groups import find_groups, machine_id, signal_group

CHUNK = 65_536
"""Bytes of output that are taken at once."""

DRAIN_S = 1.0
"""How long output is still waited for when the process has ended: something that left its group may hold the pipe."""

LOOK_S = 0.05
"""How often it is looked whether those that were asked to end have ended."""

KILLED_S = 2.0
"""How long the kernel may take to end what was killed."""


class LocalSpawner:
    """`actors.spawner.Spawner` with asyncio's subprocesses."""

    async def start(self, command: Sequence[str], *, cwd: str | None, env: Mapping[str, str], mark: str) -> Child:
        """See `Spawner.start`."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env={**os.environ, **env, MARK: mark},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return LocalChild(process, mark)

    async def end_leftovers(self, leftovers: Sequence[tuple[str, Leftover]], grace_s: float) -> None:
        """See `Spawner.end_leftovers`."""
        if await _signalled(leftovers, signal.SIGTERM, grace_s):
            await _signalled(leftovers, signal.SIGKILL, KILLED_S)


class LocalChild:
    """`actors.spawner.Child`."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        """Listen to a process that was started just now."""
        self._process = process
        self._mark = mark
        self.leader = Leader(process.pid, read_birth(process.pid), machine_id())
        self._reading: asyncio.Task[bytes] | None = None
        self._silent = asyncio.get_running_loop().create_task(self._bury(), name=f"the end of {process.pid}")

    @property
    def exited(self) -> bool:
        """See `Child.exited`."""
        return self._process.returncode is not None

    async def read(self) -> bytes:
        """See `Child.read`."""
        stdout = self._process.stdout
        if stdout is None:
            return b""
        reading = self._reading = asyncio.ensure_future(stdout.read(CHUNK))
        try:
            await asyncio.wait((reading, self._silent), return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()

    async def wait(self) -> int:
        """See `Child.wait`."""
        return await self._process.wait()

    def end(self) -> None:
        """See `Child.end`."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """See `Child.kill`."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.exited:  # As long as nobody has buried it, its number is its own.
            signal_group(self._process.pid, number)

    async def _bury(self) -> None:
        """Wait for its end, end what it left behind, and let what was said come in."""
        await self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 0)  # Mostly nothing is left, and nothing need be looked for.
            for group in find_groups({self._mark}):
                signal_group(group, signal.SIGKILL)
        await asyncio.sleep(DRAIN_S)


async def _signalled(leftovers: Sequence[tuple[str, Leftover]], number: signal.Signals, within_s: float) -> bool:
    """Signal the groups and wait for their end; True if something still lives then."""
    groups = _living(leftovers)
    for group in groups:
        signal_group(group, number)
    ends_at = asyncio.get_running_loop().time() + within_s
    while groups and asyncio.get_running_loop().time() < ends_at:
        await asyncio.sleep(LOOK_S)
        groups = _living(leftovers)
    return bool(groups)


def _living(leftovers: Sequence[tuple[str, Leftover]]) -> set[int]:
    """The groups that are surely theirs: of a leader that was not followed by another, or of who carries the mark."""
    leaders = {it.leader for _, it in leftovers if it.leader is not None}
    here = machine_id()
    found = {each.pid for each in leaders if each.machine == here and is_alive(each.pid, each.born)}
    return found | find_groups({mark for mark, _ in leftovers})
