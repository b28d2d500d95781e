"""A program that an agent speaks with over its standard input and output, for as long as that agent needs it.

It leads a group and a session of its own, and is its whole group: what it started ends with it. It ends when it is
asked to, when its output has ended, and when greenroom ends, however that happens: its input is at its end then, on
Linux the kernel ends it with the thread that started it, and `orphans.end_orphans` finds what still lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from greenroom.actors.spawner import MARK
from greenroom.platforms.processes.groups import end_remains, signal_group
from greenroom.platforms.processes.murmur import Murmur
from greenroom.platforms.processes.orphans import make_mark
from greenroom.platforms.processes.pipes import Output, open_input, open_output

LINE_MAX = 4 * 1024 * 1024
"""Bytes of the longest line that is read from a child."""

END_S = 2.0
"""How long a child that was asked to end may take before it is ended."""

DRAIN_S = 1.0
"""How long an output without news is still held open when the child has ended: something may hold its other end."""

LOCALE = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ")
INHERITED = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER", *LOCALE)
"""What a child has of greenroom's environment. The rest, with the secrets that may be in it, is not its business."""

LEASH = Path(__file__).with_name("leash.py")


class CannotStartError(Exception):
    """The program cannot be started. The message says why, and is fit for a log: it names what was configured."""


class Program(Struct, frozen=True):
    """What is to be run, and how.

    `env` is added to what is `INHERITED`. With a `home` it has that folder as HOME, made if need be, only its owner's.
    """

    name: str  # what it is called in logs
    command: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = {}
    home: Path | None = None
    line_max: int = LINE_MAX
    end_s: float = END_S


@dataclass(frozen=True, slots=True)
class _Pipes:
    """Our ends of what a child hears, says, and murmurs."""

    told: asyncio.StreamWriter
    said: Output
    murmured: Output

    def close(self) -> None:
        if not self.told.transport.is_closing():
            self.told.transport.abort()
        self.said.transport.close()
        self.murmured.transport.close()


class ChildProgram:
    """A program that was started. Used on one asyncio loop."""

    def __init__(self, process: asyncio.subprocess.Process, program: Program, mark: str, pipes: _Pipes) -> None:
        """Look after a process that was started just now; see `start_child`."""
        self.stdin = pipes.told
        """What it is told. Writing to one that has ended raises ConnectionError, or is lost."""
        self._process = process
        self._program = program
        self._mark = mark
        self._pipes, self._said = pipes, pipes.said
        self._murmur = Murmur(f"{program.name} ({process.pid})")
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(
            self._murmur.listen(pipes.murmured.words), name=f"what {program.name} murmurs"
        )
        self._burial = asyncio.create_task(self._bury(), name=f"the end of {program.name}")

    @property
    def stdout(self) -> asyncio.StreamReader:
        """What it says, until it has ended or closed it; to read a longer line than allowed raises ValueError."""
        return self._said.words

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is known that it has ended."""
        return self._process.returncode is not None

    @property
    def last_words(self) -> str:
        """The end of what it wrote to its standard error. For logs: nobody knows what is in it."""
        return self._murmur.last_words

    async def wait(self) -> int:
        """Wait for its end, with its group's: its exit code, or less than 0 for the signal that ended it."""
        return await asyncio.shield(self._ended)

    async def end(self) -> None:
        """Let its input end and ask it to end; after `end_s`, or if this is cancelled, it is ended with its group."""
        self.stdin.close()
        try:
            self._signal(signal.SIGTERM)
            await asyncio.wait((self._ended,), timeout=self._program.end_s)
        finally:
            self.kill()
        await self.wait()
        self._said.transport.close()  # Nobody waits for more of it.

    def kill(self) -> None:
        """End it with its group, now. Harmless when it is over."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.ended:  # As long as nobody has buried it, its number is its own.
            signal_group(self.pid, number)

    async def _bury(self) -> None:
        """Wait until it has ended, or says no more; then see to it that nothing of it is left."""
        try:
            await self._until_over()
            self.kill()
            code = await self._process.wait()
            end_remains(self.pid, self._mark)
            await asyncio.wait((self._listening,), timeout=DRAIN_S)
            self._ended.set_result(code)
            await self._drain()
        finally:  # Also where all tasks are cancelled because the loop ends: then nobody waits, and it is ended now.
            self.kill()
            self._pipes.close()
            await self._process.wait()
            self._ended.cancel()

    async def _until_over(self) -> None:
        exit_ = asyncio.ensure_future(self._process.wait())
        silence = asyncio.ensure_future(self._said.closed.wait())
        try:
            await asyncio.wait((exit_, silence), return_when=asyncio.FIRST_COMPLETED)
            if not exit_.done():
                await asyncio.wait((exit_,), timeout=self._program.end_s)  # It may be about to end by itself.
                self._signal(signal.SIGTERM)
                await asyncio.wait((exit_,), timeout=self._program.end_s)
        finally:
            exit_.cancel()
            silence.cancel()

    async def _drain(self) -> None:
        """Hold its output open until all is read, unless somebody out of reach holds it, too."""
        while not self._said.transport.is_closing():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._said.closed.wait(), DRAIN_S)
            if self._said.transport.is_reading():
                self._said.transport.close()


async def start_child(program: Program) -> ChildProgram:
    """Start a program as the leader of a group of its own; whoever is cancelled meanwhile leaves nothing of it.

    Raises CannotStartError.
    """
    starting = asyncio.ensure_future(_start(program))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(CannotStartError):
            await (await starting).end()
        raise


async def _start(program: Program) -> ChildProgram:
    mark = make_mark()
    env = _environment(program, mark)
    command = _leashed((_find(program, env), *program.command[1:]))
    told, given_in = await open_input()
    said, given_out = await open_output(program.line_max)
    murmured, given_err = await open_output()
    pipes = _Pipes(told, said, murmured)
    with given_in, given_out, given_err:
        try:
            if program.home is not None:
                program.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=program.cwd,
                env=env,
                stdin=given_in,
                stdout=given_out,
                stderr=given_err,
                start_new_session=True,
            )
        except BaseException as error:
            pipes.close()
            if isinstance(error, OSError | ValueError):
                raise CannotStartError(f"{program.name} cannot be started: {error}") from error
            raise
    return ChildProgram(process, program, mark, pipes)


def _environment(program: Program, mark: str) -> dict[str, str]:
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    if program.home is not None:
        env["HOME"] = str(program.home)
    return {**env, **program.env, MARK: mark}


def _find(program: Program, env: Mapping[str, str]) -> str:
    """The program's file, so that one that is not there is told of before anything is started."""
    name = program.command[0]
    if program.cwd is not None and not program.cwd.is_dir():
        raise CannotStartError(f"{program.name} cannot be started: there is no folder {program.cwd}")
    wanted = str((program.cwd or Path()) / name) if os.sep in name else name
    found = shutil.which(wanted, path=env.get("PATH"))
    if found is None:
        raise CannotStartError(f"{program.name} cannot be started: there is no program {name}")
    return str(Path(found).absolute())


def _leashed(command: tuple[str, ...]) -> tuple[str, ...]:
    if not sys.platform.startswith("linux") or not sys.executable:
        return command
    return (sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command)
