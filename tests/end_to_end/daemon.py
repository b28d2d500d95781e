"""The real daemon as a child process, and a person's web client that outlives it. Used by the end-to-end tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.supervisor.cli.shell import GREENROOM

READY = "serving at"
READY_S = 60.0

RECONNECT_S = 0.05
"""How soon a client tries again; a pause between attempts, never a way to wait for an outcome."""


def free_port() -> int:
    """Find a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Daemon:
    """`greenroom up` on one database and one port, again and again."""

    folder: Path
    port: int
    extra: str = ""
    boots: int = 0
    said: list[str] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    reading: asyncio.Task[None] | None = None

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "greenroom.db"

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """The configuration file, written on first use."""
        path = self.folder / "greenroom.toml"
        if not path.exists():
            path.write_text(f'[store]\npath = "{self.database}"\n[web]\nport = {self.port}\n{self.extra}')
        return path

    async def start(self) -> None:
        """Start it and return when it serves."""
        env = {**os.environ, "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        self.process = await asyncio.create_subprocess_exec(
            GREENROOM, "up", "--config", str(self.config),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=env,
        )  # fmt: skip
        ready = asyncio.Event()
        self.reading = asyncio.create_task(self._read(self.process, ready))
        waiting = asyncio.create_task(ready.wait())
        done, _ = await asyncio.wait({waiting, self.reading}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert ready.is_set(), f"not ready ({len(done)} done): {self.said[-30:]}"
        self.boots += 1

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.said.append(line.decode(errors="replace").rstrip())
            if READY in self.said[-1]:
                ready.set()

    async def kill(self) -> None:
        """SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process, reading = self.process, self.reading
        assert process is not None
        assert reading is not None
        with suppress(ProcessLookupError):
            process.send_signal(number)
        code = await process.wait()
        await reading
        self.process = self.reading = None
        return code

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run another greenroom command on the same database: exit code and stdout."""
        process = await asyncio.create_subprocess_exec(
            GREENROOM, *arguments, "--db", str(self.database),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode() or err.decode()


@asynccontextmanager
async def living(daemon: Daemon) -> AsyncIterator[Daemon]:
    """Start a daemon, and leave no process behind."""
    await daemon.start()
    try:
        yield daemon
    finally:
        if daemon.process is not None:
            await daemon.kill()


@asynccontextmanager
async def watched(person: Person) -> AsyncIterator[Person]:
    """Keep a person's page open."""
    watching = asyncio.create_task(person.watch())
    try:
        yield person
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@dataclass(slots=True)
class Person:
    """One chat as its person sees it: what is visible, by message id, in the order in which it first appeared."""

    address: str
    chat: str
    visible: dict[str, dict[str, Any]] = field(default_factory=dict)
    notices: list[str | None] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def watch(self) -> None:
        """Keep the page open for ever, through every restart of the server."""
        timeout = httpx.Timeout(5.0, read=20.0)
        async with httpx.AsyncClient(timeout=timeout) as client:
            while True:
                with suppress(httpx.HTTPError):
                    await self._listen(client)
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", f"{self.address}/chats/{self.chat}/events") as response:
            event = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event in {"snapshot", "upsert", "notice"}:
                    await self._see(event, json.loads(line.removeprefix("data: ")))

    async def _see(self, event: str, data: dict[str, Any]) -> None:
        async with self.changed:
            for message in data["messages"] if event == "snapshot" else [data] if event == "upsert" else []:
                self.visible[message["id"]] = message
            notice = data.get("notice" if event == "snapshot" else "text")
            if event != "upsert" and notice != (self.notices or [None])[-1]:
                self.notices.append(notice)
            self.changed.notify_all()

    async def say(self, client: httpx.AsyncClient, message_id: str, text: str) -> bool:
        """Post a message until it is acknowledged; says whether it was there before."""
        while True:
            with suppress(httpx.HTTPError):
                response = await self.offer(client, message_id, text)
                if response.status_code in {200, 202}:
                    repeated: bool = response.json()["repeated"]
                    return repeated
                assert response.status_code == 503, response.text  # busy: not acknowledged, to be sent again
            await asyncio.sleep(RECONNECT_S)

    @property
    def answers(self) -> list[str]:
        """What the bot said and will not change any more."""
        return [each["text"] for each in self.visible.values() if not each["mine"] and each["final"]]

    async def offer(self, client: httpx.AsyncClient, message_id: str, text: str) -> httpx.Response:
        """Post a message once, whatever becomes of it."""
        url = f"{self.address}/chats/{self.chat}/messages"
        return await client.post(url, json={"id": message_id, "text": text})

    async def until(self, condition: Any, timeout_s: float) -> None:
        """Wait until `condition()` holds of what is visible."""
        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(condition)
