"""The chat server of a storm: a process that is killed like the daemon, and the people who write there."""

from __future__ import annotations

import asyncio
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from greenroom.actors.ports import NotSentError
from greenroom.platforms.fakes.socket_chat import AGAIN_S, call

PLACEHOLDER = "..."
OFFER = "greenroom_storm-0.dist-info"
"""How an installed package offers a platform: a folder on the Python path that names it."""


class ServerProcess(ABC):
    """A chat server as a process, with what it remembers in a folder. With `toml` and `guest` it is a `Server`."""

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is started."""
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None

    def offer_platform(self) -> dict[str, str]:
        """See `Server.offer_platform`: most platforms are built in."""
        return {}

    async def start(self) -> None:
        """Start it, where no signal of the terminal reaches it, and return when it answers."""
        command = [sys.executable, "-m", *self.module()]
        self._process = await asyncio.create_subprocess_exec(*command, start_new_session=True)
        await self.until_it_answers()

    async def kill(self) -> None:
        """SIGKILL, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()

    @abstractmethod
    def module(self) -> Sequence[str]:
        """Name the module of ours that it is, and its arguments."""

    @abstractmethod
    async def until_it_answers(self) -> None:
        """Return when it answers."""


class Onlooker(ABC):
    """One chat, as its person sees it. With `say` it is a `Writer`."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self.visible: list[dict[str, Any]] = []

    @property
    def answers(self) -> list[str]:
        """What can be read of the bot; a placeholder that was left alone says nothing."""
        return [text for text in map(self.read, self.visible) if text != PLACEHOLDER]

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Look until `condition()` holds of what is visible. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                self.visible = await self.look()
                if condition():
                    return
                await asyncio.sleep(AGAIN_S)

    def read(self, message: dict[str, Any]) -> str:
        """Read the words of something visible."""
        text: str = message["text"]
        return text

    @abstractmethod
    async def look(self) -> list[dict[str, Any]]:
        """Ask what is visible until the server answers."""


class ChatServer(ServerProcess):
    """The process behind a socket, with its journal."""

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

    def module(self) -> Sequence[str]:
        """See `ServerProcess.module`."""
        return "greenroom.platforms.fakes.chat_process", self.socket, str(self.folder / "chat.journal")

    async def until_it_answers(self) -> None:
        """See `ServerProcess.until_it_answers`."""
        await ask(self.socket, "updates")

    def guest(self, number: int) -> tuple[str, Guest]:
        """One chat: its key, and who writes there."""
        key = f"storm:bot:chat{number}"
        return key, Guest(self.socket, key)


async def ask(socket: str, do: str, **what: Any) -> Any:
    """Ask until the server answers: a person tries again."""
    while True:
        try:
            return await call(socket, do, **what)
        except (ConnectionError, NotSentError):
            await asyncio.sleep(AGAIN_S)


class Guest(Onlooker):
    """One chat on that server."""

    def __init__(self, socket: str, key: str) -> None:
        """`key` is the session's."""
        super().__init__()
        self._socket, self._key = socket, key

    async def say(self, message_id: str, text: str) -> bool:
        """Write until the server has it; it may have it twice then, as one update."""
        await ask(self._socket, "say", session=self._key, id=message_id, text=text)
        return True

    def read(self, message: dict[str, Any]) -> str:
        """Read how it stands now."""
        text: str = message["texts"][-1]
        return text

    async def look(self) -> list[dict[str, Any]]:
        """See `Onlooker.look`."""
        seen: list[dict[str, Any]] = await ask(self._socket, "visible", session=self._key)
        return seen
