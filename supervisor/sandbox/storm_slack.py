"""The fake Slack of a storm, and the people who write there, each in a direct chat of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from greenroom.platforms.chats.slack.markup import escape, unescape
from greenroom.platforms.fakes.slack_wire import APP_TOKEN, BOT_TOKEN
from greenroom.supervisor.sandbox.storm_http import HttpServer, ask
from greenroom.supervisor.sandbox.storm_server import Onlooker


class SlackServer(HttpServer):
    """The fake with its journal. See `storm_servers.Server`."""

    @property
    def toml(self) -> str:
        """The table that makes a daemon its client."""
        tokens = f'bot_token = "{BOT_TOKEN}"\napp_token = "{APP_TOKEN}"\n'
        return f'[platforms.slack]\n{tokens}api_url = "{self.address}/api/"\n'

    def module(self) -> Sequence[str]:
        """See `ServerProcess.module`."""
        return "greenroom.platforms.fakes.slack_process", str(self.port), str(self.folder / "slack.journal")

    async def until_it_answers(self) -> None:
        """See `ServerProcess.until_it_answers`."""
        await ask(self.address, "visible", channel="DNOBODY")

    def guest(self, number: int) -> tuple[str, SlackGuest]:
        """One chat: its key, and who writes there."""
        channel = f"Dchat{number}"
        return f"slack:me:{channel}", SlackGuest(self.address, channel)


class SlackGuest(Onlooker):
    """One direct chat."""

    def __init__(self, address: str, channel: str) -> None:
        """Sit down there."""
        super().__init__()
        self._address, self._channel = address, channel

    async def say(self, message_id: str, text: str) -> bool:
        """Write until the server has it; what it has already it delivers again."""
        user = self._channel.upper().replace("D", "U", 1)
        await ask(self._address, "say", channel=self._channel, user=user, id=message_id, text=escape(text))
        return True

    def read(self, message: dict[str, Any]) -> str:
        """Read it as a person does."""
        return unescape(message["text"])

    async def look(self) -> list[dict[str, Any]]:
        """See `Onlooker.look`."""
        seen: list[dict[str, Any]] = await ask(self._address, "visible", channel=self._channel)
        return seen
