"""The real daemon as a child in a process group of its own: started, killed, frozen and asked, again and again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

GREENROOM = (sys.executable, "-c", "from greenroom.supervisor.cli.main import main; main()")
READY = "serving at"
READY_S = 60.0
COMMAND_S = 60.0


class NotReadyError(Exception):
    """The daemon does not come up; the message has its last words."""


def free_port() -> int:
    """Find a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Daemon:
    """`greenroom up` on one database and one port. `extra` is more TOML; `env` more environment.

    All it says is kept, and written to `log`.
    """

    folder: Path
    port: int
    extra: str = ""
    env: dict[str, str] = field(default_factory=dict)
    name: str = "greenroom"
    boots: int = 0
    said: list[str] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    _reading: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "greenroom.db"

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Where its words are kept."""
        return self.folder / f"{self.name}.log"

    @property
    def config(self) -> Path:
        """The configuration file, written on first use."""
        path = self.folder / f"{self.name}.toml"
        if not path.exists():
            path.write_text(f'[store]\npath = "{self.database}"\n[web]\nport = {self.port}\n{self.extra}')
        return path

    @property
    def pid(self) -> int:
        """The living process."""
        return self._living().pid

    @property
    def is_serving(self) -> bool:
        """Whether it has come up and was not ended since."""
        return self.process is not None and self._ready.is_set()

    async def start(self) -> None:
        """Start it and return when it serves. Raises NotReadyError."""
        await self.launch()
        await self.serves()

    async def launch(self) -> None:
        """Start it, and return at once."""
        self.process = await self._spawn("up", "--config", str(self.config), stderr=asyncio.subprocess.STDOUT)
        self._ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read(self.process, self._ready))

    async def serves(self) -> None:
        """Return when it serves. Raises NotReadyError."""
        waiting, reading = asyncio.create_task(self._ready.wait()), self._reading
        assert reading is not None  # noqa: S101 - launched before
        await asyncio.wait({waiting, reading}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._ready.is_set():
            raise NotReadyError("the daemon does not serve; its last words:\n" + "\n".join(self.said[-30:]))
        self.boots += 1

    async def kill(self) -> None:
        """SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """SIGSTOP, and return when its last thread has stopped: it lives, and does nothing."""
        process = self._living()
        process.send_signal(signal.SIGSTOP)
        if sys.platform != "darwin":  # There Python knows of `waitid` since 3.13 only.
            with suppress(ChildProcessError):  # It is dead.
                os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was."""
        self._living().send_signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Wait until it has ended by itself; the exit code."""
        code = await self._living().wait()
        if self._reading is not None:
            await self._reading
        self.process = self._reading = None
        return code

    async def run(self, *arguments: str, timeout_s: float = COMMAND_S) -> tuple[int, str]:
        """Run another command on the same database: exit code and stdout, or stderr. Raises TimeoutError."""
        process = await self._spawn(*arguments, "--db", str(self.database), stderr=asyncio.subprocess.PIPE)
        try:
            out, err = await asyncio.wait_for(process.communicate(), timeout_s)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode() or err.decode()

    async def _spawn(self, *arguments: str, stderr: int) -> asyncio.subprocess.Process:
        here = str(self.folder)
        env = {**os.environ, "XDG_DATA_HOME": here, "XDG_CONFIG_HOME": here, "PYTHONUNBUFFERED": "1", **self.env}
        return await asyncio.create_subprocess_exec(
            *GREENROOM, *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=stderr, env=env,
            cwd=here, start_new_session=True,
        )  # fmt: skip

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with self.log.open("a", encoding="utf-8") as log:
            async for line in process.stdout:
                self.said.append(line.decode(errors="replace").rstrip())
                log.write(self.said[-1] + "\n")
                if READY in self.said[-1]:
                    ready.set()

    async def _end(self, number: signal.Signals) -> int:
        with suppress(ProcessLookupError):
            self._living().send_signal(number)
        return await self.ended()

    def _living(self) -> asyncio.subprocess.Process:
        if self.process is None:
            raise RuntimeError("the daemon does not run; start it first")
        return self.process


@asynccontextmanager
async def living(daemon: Daemon) -> AsyncIterator[Daemon]:
    """Start a daemon, and leave no process behind."""
    try:
        await daemon.start()
        yield daemon
    finally:
        if daemon.process is not None:
            await daemon.kill()
