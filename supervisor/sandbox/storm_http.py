"""A chat server of a storm that has HTTP, and may be dead at any moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from greenroom.supervisor.sandbox.storm_daemon import free_port
from greenroom.supervisor.sandbox.storm_server import ServerProcess

AGAIN_S = 0.1
ASK_S = 5.0


class HttpServer(ServerProcess):
    """The process behind a port, the same in each of its lives."""

    def __init__(self, folder: Path) -> None:
        """Take a port that is free now."""
        super().__init__(folder)
        self.port = free_port()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


async def ask(address: str, do: str, **what: Any) -> Any:
    """Ask, as a person, until the server answers: a person tries again."""
    async with httpx.AsyncClient(timeout=ASK_S) as client:
        while True:
            with suppress(httpx.HTTPError):
                answer = await client.post(f"{address}/persons/{do}", json=what)
                return answer.raise_for_status().json()
            await asyncio.sleep(AGAIN_S)
