"""The fake Telegram of a storm, and the people who write there, each alone with the bot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from greenroom.supervisor.sandbox.storm_http import HttpServer, ask
from greenroom.supervisor.sandbox.storm_server import Onlooker

TOKEN = "1:storm"  # noqa: S105 - of a fake
FIRST_PERSON = 100


class TelegramServer(HttpServer):
    """The fake with the file in which it remembers. See `storm_servers.Server`."""

    @property
    def toml(self) -> str:
        """The table that makes a daemon its client."""
        return f'[platforms.telegram]\ntoken = "{TOKEN}"\napi_url = "{self.address}"\n'

    def module(self) -> Sequence[str]:
        """See `ServerProcess.module`."""
        remembered = str(self.folder / "telegram.json")
        return "greenroom.platforms.fakes.telegram", str(self.port), remembered, TOKEN, "storm_bot"

    async def until_it_answers(self) -> None:
        """See `ServerProcess.until_it_answers`."""
        await ask(self.address, "visible", chat=FIRST_PERSON)

    def guest(self, number: int) -> tuple[str, TelegramGuest]:
        """One chat: its key, and who writes there."""
        person = FIRST_PERSON + number
        return f"telegram:me:{person}", TelegramGuest(self.address, person)


class TelegramGuest(Onlooker):
    """One private chat."""

    def __init__(self, address: str, person: int) -> None:
        """`person` is the chat's id, too."""
        super().__init__()
        self._address, self._person = address, person

    async def say(self, message_id: str, text: str) -> bool:
        """Write until the server has it; what it has already it tells the bot again."""
        known_as = f"{self._person}/{message_id}"
        await ask(self._address, "say", chat=self._person, user=self._person, text=text, known_as=known_as)
        return True

    async def look(self) -> list[dict[str, Any]]:
        """See `Onlooker.look`."""
        seen: list[dict[str, Any]] = await ask(self._address, "visible", chat=self._person)
        return seen
