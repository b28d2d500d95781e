"""A machine in memory on which background processes run in virtual time, and outlive whoever started them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from greenroom.actors.process import Leader, Leftover
from greenroom.actors.spawner import Child
from greenroom.platforms.fakes.programs import Program, read_program

PIDS = range(100, 120)
"""Numbers that processes get, over and over: few, so that many are used again."""

ROUNDING_S = 1e-6


class FakeProcess:
    """A process of the machine. One without a mark is a stranger's."""

    def __init__(self, pid: int, born: str, program: Program, began_at: float, mark: str | None) -> None:
        self.pid = pid
        self.born = born
        self.program = program
        self.began_at = began_at
        self.mark = mark
        self.ended_by: signal.Signals | None = None
        self._ended_at = began_at + program.lasts_s
        self.changed: Callable[[], None] = lambda: None

    def lives(self, now: float) -> bool:
        """Whether it still runs."""
        return now < self._ended_at - ROUNDING_S

    def end(self, number: signal.Signals, now: float) -> None:
        """Signal it."""
        if self.lives(now) and not (number is signal.SIGTERM and self.program.stubborn):
            self.ended_by, self._ended_at = number, now
            self.changed()

    @property
    def ends_at(self) -> float:
        """When it ends, as far as is known now."""
        return self._ended_at

    @property
    def exit_code(self) -> int:
        """How it ended."""
        return -self.ended_by if self.ended_by is not None else self.program.exit_code


class FakeMachine:
    """Tells the time by `now`, which goes on while nobody lives who could be told."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with nothing running."""
        self.now = now
        self.boots = 1
        self.processes: list[FakeProcess] = []
        self.harmed: list[FakeProcess] = []
        """Strangers that somebody ended."""
        self._births = count(1)
        self._numbers = count()

    def start(self, program: Program, mark: str | None) -> FakeProcess:
        """Start a process under the next number that nobody has."""
        now = self.now()
        taken = {each.pid for each in self.living()}
        pid = next(pid for n in self._numbers if (pid := PIDS[n % len(PIDS)]) not in taken)
        process = FakeProcess(pid, str(next(self._births)), program, now, mark)
        self.processes.append(process)
        return process

    def living(self) -> list[FakeProcess]:
        """Who runs now."""
        now = self.now()
        return [each for each in self.processes if each.lives(now)]

    def signal(self, process: FakeProcess, number: signal.Signals) -> None:
        """Signal a process; strangers that are ended are remembered."""
        now = self.now()
        if process.mark is None and process.lives(now):
            self.harmed.append(process)
        process.end(number, now)

    def settle_strangers(self, lasting_s: float) -> None:
        """Let a stranger have each number that one of ours had."""
        taken = {each.pid for each in self.living()}
        for pid in sorted({each.pid for each in self.processes if each.mark is not None} - taken):
            stranger = FakeProcess(pid, str(next(self._births)), Program((), lasting_s), self.now(), None)
            self.processes.append(stranger)

    def power_fails(self) -> None:
        """All processes are gone, and their numbers begin again."""
        self.boots += 1
        self.processes.clear()
        self._numbers = count()


class FakeSpawner:
    """`actors.spawner.Spawner` on such a machine."""

    def __init__(self, machine: FakeMachine) -> None:
        """Start processes there."""
        self._machine = machine

    async def start(self, command: Sequence[str], *, cwd: str | None, env: Mapping[str, str], mark: str) -> Child:
        """See `Spawner.start`."""
        await asyncio.sleep(0)
        if any("=" in name for name in env):
            raise ValueError("illegal environment variable name")
        program = read_program(tuple(command))
        if cwd is not None and not cwd.startswith("/"):
            raise FileNotFoundError(f"[Errno 2] No such file or directory: {cwd!r}")
        return FakeChild(self._machine, self._machine.start(program, mark))

    async def end_leftovers(self, leftovers: Sequence[tuple[str, Leftover]], grace_s: float) -> None:
        """See `Spawner.end_leftovers`."""
        for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 0.0)):
            left = [each for each in self._machine.living() if self._is_one_of(each, leftovers)]
            for process in left:
                self._machine.signal(process, number)
            if any(each.lives(self._machine.now()) for each in left):
                await asyncio.sleep(wait_s)

    def _is_one_of(self, process: FakeProcess, leftovers: Sequence[tuple[str, Leftover]]) -> bool:
        leader = Leader(process.pid, process.born, str(self._machine.boots))
        return any(process.mark == mark or each.leader == leader for mark, each in leftovers)


class FakeChild:
    """`actors.spawner.Child` on such a machine."""

    def __init__(self, machine: FakeMachine, process: FakeProcess) -> None:
        self._machine = machine
        self._process = process
        self._lines = list(process.program.lines)
        self._changed = asyncio.Event()
        process.changed = self._changed.set
        self.leader = Leader(process.pid, process.born, str(machine.boots))

    @property
    def exited(self) -> bool:
        """See `Child.exited`."""
        return not self._process.lives(self._machine.now())

    async def read(self) -> bytes:
        """See `Child.read`."""
        process = self._process
        while True:
            now = self._machine.now() + ROUNDING_S
            if self._lines and process.began_at + self._lines[0][0] <= min(now, process.ends_at + ROUNDING_S):
                return f"{self._lines.pop(0)[1]}\n".encode()
            if self.exited:
                return b""
            await self._wait_until(min([process.ends_at, *(process.began_at + at for at, _ in self._lines[:1])]))

    async def wait(self) -> int:
        """See `Child.wait`."""
        while not self.exited:
            await self._wait_until(self._process.ends_at)
        return self._process.exit_code

    async def _wait_until(self, at: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(ROUNDING_S, at - self._machine.now()))

    def end(self) -> None:
        """See `Child.end`."""
        self._machine.signal(self._process, signal.SIGTERM)

    def kill(self) -> None:
        """See `Child.kill`."""
        self._machine.signal(self._process, signal.SIGKILL)
