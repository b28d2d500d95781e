"""Background processes on this machine, each the leader of a group and a session of its own.

A process is its whole group: what is left of it when its leader has ended is ended, too. Where there is no /proc, those
of an earlier life are not found again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.process import Leader, Leftover
from greenroom.actors.spawner import MARK, Child
from greenroom.platforms.processes.groups import end_remains, find_groups, machine_id, signal_group
from greenroom.platforms.processes.pipes import Output, open_output

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
        output, pipe = await open_output()
        with pipe:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    cwd=cwd,
                    env={**os.environ, **env, MARK: mark},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=pipe,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError:
                output.transport.close()
                raise
        return LocalChild(process, output, mark)

    async def end_leftovers(self, leftovers: Sequence[tuple[str, Leftover]], grace_s: float) -> None:
        """See `Spawner.end_leftovers`."""
        if await _signalled(leftovers, signal.SIGTERM, grace_s):
            await _signalled(leftovers, signal.SIGKILL, KILLED_S)


class LocalChild:
    """`actors.spawner.Child`."""

    def __init__(self, process: asyncio.subprocess.Process, output: Output, mark: str) -> None:
        """Listen to a process that was started just now."""
        self._process = process
        self._output = output
        self._mark = mark
        self.leader = Leader(process.pid, read_birth(process.pid), machine_id())
        self._burial = asyncio.get_running_loop().create_task(self._bury(), name=f"the end of {process.pid}")

    @property
    def exited(self) -> bool:
        """See `Child.exited`."""
        return self._process.returncode is not None

    async def read(self) -> bytes:
        """See `Child.read`."""
        return await self._output.words.read(CHUNK)

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
        try:
            await self._process.wait()
            end_remains(self._process.pid, self._mark)
            await asyncio.sleep(DRAIN_S)
        finally:
            self._output.transport.close()


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
