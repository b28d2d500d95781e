"""The chat server of a storm: a process that is killed like the daemon, and the people who write there."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenroom.actors.ports import NotSentError
from greenroom.platforms.fakes.socket_chat import AGAIN_S, call

PLACEHOLDER = "..."
OFFER = "greenroom_storm-0.dist-info"
"""How an installed package offers a platform: a folder on the Python path that names it."""


@dataclass(slots=True)
class ChatServer:
    """The process behind a socket, with its journal."""

    folder: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def socket(self) -> str:
        """Where it listens."""
        return str(self.folder / "chat.socket")

    @property
    def toml(self) -> str:
        """The table that makes a daemon its client."""
        return f'[platforms.storm]\nsocket = "{self.socket}"\n'

    def offer_platform(self) -> dict[str, str]:
        """Offer its client to the daemon as an installed package would; the environment that this needs."""
        offer = self.folder / "offered" / OFFER
        offer.mkdir(parents=True, exist_ok=True)
        (offer / "METADATA").write_text("Metadata-Version: 2.1\nName: greenroom-storm\nVersion: 0\n")
        client = "greenroom.platforms.fakes.socket_chat:make"
        (offer / "entry_points.txt").write_text(f"[greenroom.platforms]\nstorm = {client}\n")
        return {"PYTHONPATH": os.pathsep.join(filter(None, (str(offer.parent), os.environ.get("PYTHONPATH"))))}

    async def start(self) -> None:
        """Start it, and return when it answers."""
        journal = str(self.folder / "chat.journal")
        self.process = await spawn("greenroom.platforms.fakes.chat_process", self.socket, journal)
        await ask(self.socket, "updates")

    async def kill(self) -> None:
        """SIGKILL."""
        process, self.process = self.process, None
        await kill(process)

    def guest(self, number: int) -> tuple[str, Guest]:
        """One chat: its key, and who writes there."""
        key = f"storm:bot:chat{number}"
        return key, Guest(self.socket, key)


async def spawn(module: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a module of ours as a process that no signal of the terminal reaches."""
    return await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, start_new_session=True)


async def kill(process: asyncio.subprocess.Process | None) -> None:
    """SIGKILL it, if there is one."""
    if process is not None:
        process.kill()
        await process.wait()


async def ask(socket: str, do: str, **what: Any) -> Any:
    """Ask until the server answers: a person tries again."""
    while True:
        try:
            return await call(socket, do, **what)
        except (ConnectionError, NotSentError):
            await asyncio.sleep(AGAIN_S)


@dataclass(slots=True)
class Guest:
    """One chat on that server, as its person sees it."""

    socket: str
    key: str
    visible: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, message_id: str, text: str) -> bool:
        """Write until the server has it; it may have it twice then, as one update."""
        await ask(self.socket, "say", session=self.key, id=message_id, text=text)
        return True

    @property
    def answers(self) -> list[str]:
        """What can be read of the bot; a placeholder that was left alone says nothing."""
        return [each["texts"][-1] for each in self.visible if each["texts"][-1] != PLACEHOLDER]

    async def until(self, condition: Any, timeout_s: float) -> None:
        """Wait until `condition()` holds of what is visible. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                self.visible = await ask(self.socket, "visible", session=self.key)
                if condition():
                    return
                await asyncio.sleep(AGAIN_S)
