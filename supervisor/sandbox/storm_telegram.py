"""The fake Telegram of a storm, and the people who write there, each alone with the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenroom.supervisor.sandbox.storm_daemon import free_port
from greenroom.supervisor.sandbox.storm_http import AGAIN_S, ask
from greenroom.supervisor.sandbox.storm_server import PLACEHOLDER, kill, spawn

TOKEN = "1:storm"  # noqa: S105 - of a fake
FIRST_PERSON = 100


@dataclass(slots=True)
class TelegramServer:
    """The process behind a port, with the file in which it remembers. See `storm_servers.Server`."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def toml(self) -> str:
        """The table that makes a daemon its client."""
        return f'[platforms.telegram]\ntoken = "{TOKEN}"\napi_url = "{self.address}"\n'

    def offer_platform(self) -> dict[str, str]:
        """It is built in."""
        return {}

    async def start(self) -> None:
        """Start it, and return when it answers."""
        remembered = str(self.folder / "telegram.json")
        self.process = await spawn("greenroom.platforms.fakes.telegram", str(self.port), remembered, TOKEN, "storm_bot")
        await ask(self.address, "visible", chat=FIRST_PERSON)

    async def kill(self) -> None:
        """SIGKILL."""
        process, self.process = self.process, None
        await kill(process)

    def guest(self, number: int) -> tuple[str, TelegramGuest]:
        """One chat: its key, and who writes there."""
        person = FIRST_PERSON + number
        return f"telegram:me:{person}", TelegramGuest(self.address, person)


@dataclass(slots=True)
class TelegramGuest:
    """One private chat, as its person sees it."""

    address: str
    person: int
    visible: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, message_id: str, text: str) -> bool:
        """Write until the server has it; what it has already it tells the bot again."""
        known_as = f"{self.person}/{message_id}"
        await ask(self.address, "say", chat=self.person, user=self.person, text=text, known_as=known_as)
        return True

    @property
    def answers(self) -> list[str]:
        """What can be read of the bot; a placeholder that was left alone says nothing."""
        return [each["text"] for each in self.visible if each["text"] != PLACEHOLDER]

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until `condition()` holds of what is visible. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                self.visible = await ask(self.address, "visible", chat=self.person)
                if condition():
                    return
                await asyncio.sleep(AGAIN_S)
