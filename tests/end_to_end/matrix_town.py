"""A real home server for a storm, killed like the daemon, and the people who write there, each in a room with the bot."""

import asyncio
import http.client
import json
import urllib.error
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.platforms.matrix_person import posts_of
from tests.platforms.synapse import Signed, Synapse

from greenroom.actors.model import SessionKey
from greenroom.supervisor.sandbox.storm_server import Onlooker

AGAIN_S = 0.1
SERVER_ERRORS = 500
PAGE = "1000"


class Town:
    """A home server with a bot and so many people, who are there before it is killed for the first time."""

    def __init__(self, folder: Path, people: int) -> None:
        """Prepare; nothing is started."""
        folder.mkdir(exist_ok=True)
        self._server, self._people = Synapse(folder), people
        self._bot: Signed | None = None
        self._rooms: list[tuple[Signed, str]] = []

    @property
    def toml(self) -> str:
        """The table that makes a daemon its client; the bot's name is known before it is registered."""
        return (
            f'[platforms.matrix]\nhomeserver = "{self._server.url}"\nuser = "@bot:localhost"\npassword = "open"\n'
            'invites = ["@guest*:localhost"]\nedit_every_s = 0.3\n'
        )

    def offer_platform(self) -> dict[str, str]:
        """It is built in."""
        return {}

    async def start(self) -> None:
        """Start it, and return when it answers; the first time people come, and invite the bot."""
        await asyncio.to_thread(self._server.start)
        if self._bot is None:
            await asyncio.to_thread(self._settle)

    async def kill(self) -> None:
        """SIGKILL."""
        await asyncio.to_thread(self._server.kill)

    def guest(self, number: int) -> tuple[str, "Guest"]:
        """One chat: its key, and who writes there."""
        person, room = self._rooms[number]
        assert self._bot is not None
        return str(SessionKey("matrix", "me", room)), Guest(self._server, person, self._bot.user, room)

    def _settle(self) -> None:
        self._bot = self._server.register("bot")
        for number in range(self._people):
            person = self._server.register(f"guest{number}")
            room = self._server.ask("/_matrix/client/v3/createRoom", {"invite": [self._bot.user]}, person.token)
            self._rooms.append((person, room["room_id"]))


class Guest(Onlooker):
    """One room."""

    def __init__(self, server: Synapse, person: Signed, bot: str, room: str) -> None:
        super().__init__()
        self._server, self._person, self._bot = server, person, bot
        self._path = f"/_matrix/client/v3/rooms/{quote(room, safe='')}"

    async def say(self, message_id: str, text: str) -> bool:
        """Write until the server has it: under one transaction, so that it has it once."""
        said = {"msgtype": "m.text", "body": text}
        await self._ask(f"{self._path}/send/m.room.message/{quote(message_id, safe='')}", said)
        return True

    async def look(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        page: str | None = ""
        while page is not None:
            asked = urlencode({"dir": "f", "limit": PAGE} | ({"from": page} if page else {}))
            answer = await self._ask(f"{self._path}/messages?{asked}")
            events += answer["chunk"]
            page = answer.get("end") if answer["chunk"] else None
        return [{"id": post.id, "text": post.text, "key": post.key} for post in posts_of(events, self._bot)]

    async def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask until the server answers: a person tries again."""
        while True:
            try:
                return await asyncio.to_thread(self._server.ask, path, body, self._person.token)
            except urllib.error.HTTPError as error:
                if error.code < SERVER_ERRORS:
                    raise
            except (OSError, http.client.HTTPException, json.JSONDecodeError):  # It was killed, or is starting.
                pass
            await asyncio.sleep(AGAIN_S)
