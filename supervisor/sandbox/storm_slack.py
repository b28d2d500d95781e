"""The fake Slack of a storm, and the people who write there, each in a direct chat of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenroom.platforms.chats.slack.markup import escape, unescape
from greenroom.platforms.fakes.slack_wire import APP_TOKEN, BOT_TOKEN
from greenroom.supervisor.sandbox.storm_daemon import free_port
from greenroom.supervisor.sandbox.storm_http import AGAIN_S, ask
from greenroom.supervisor.sandbox.storm_server import PLACEHOLDER, kill, spawn


@dataclass(slots=True)
class SlackServer:
    """The process behind a port, with its journal. See `storm_servers.Server`."""

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
        tokens = f'bot_token = "{BOT_TOKEN}"\napp_token = "{APP_TOKEN}"\n'
        return f'[platforms.slack]\n{tokens}api_url = "{self.address}/api/"\n'

    def offer_platform(self) -> dict[str, str]:
        """It is built in."""
        return {}

    async def start(self) -> None:
        """Start it, and return when it answers."""
        journal = str(self.folder / "slack.journal")
        self.process = await spawn("greenroom.platforms.fakes.slack_process", str(self.port), journal)
        await ask(self.address, "visible", channel="DNOBODY")

    async def kill(self) -> None:
        """SIGKILL."""
        process, self.process = self.process, None
        await kill(process)

    def guest(self, number: int) -> tuple[str, SlackGuest]:
        """One chat: its key, and who writes there."""
        channel = f"Dchat{number}"
        return f"slack:me:{channel}", SlackGuest(self.address, channel)


@dataclass(slots=True)
class SlackGuest:
    """One direct chat, as its person sees it."""

    address: str
    channel: str
    visible: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, message_id: str, text: str) -> bool:
        """Write until the server has it; what it has already it delivers again."""
        user = self.channel.upper().replace("D", "U", 1)
        await ask(self.address, "say", channel=self.channel, user=user, id=message_id, text=escape(text))
        return True

    @property
    def answers(self) -> list[str]:
        """What can be read of the bot; a placeholder that was left alone says nothing."""
        texts = (unescape(each["text"]) for each in self.visible)
        return [text for text in texts if text != PLACEHOLDER]

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until `condition()` holds of what is visible. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                self.visible = await ask(self.address, "visible", channel=self.channel)
                if condition():
                    return
                await asyncio.sleep(AGAIN_S)
