"""The chat servers that a storm can have: processes that are killed like the daemon, with people who write there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, assert_never

from greenroom.supervisor.sandbox.storm_server import ChatServer
from greenroom.supervisor.sandbox.storm_tally import ServerKind


class Writer(Protocol):
    """Somebody at a chat."""

    @property
    def answers(self) -> list[str]: ...

    @property
    def visible(self) -> object: ...

    async def say(self, message_id: str, text: str) -> bool: ...

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None: ...


class Server(Protocol):
    """A chat server with a journal: what took effect outlives it."""

    @property
    def toml(self) -> str:
        """The table that makes a daemon its client."""

    def offer_platform(self) -> dict[str, str]:
        """What the daemon needs in its environment for that."""

    async def start(self) -> None:
        """Start it, and return when it answers."""

    async def kill(self) -> None:
        """SIGKILL."""

    def guest(self, number: int) -> tuple[str, Writer]:
        """One chat: its key, and who writes there."""


def make_server(kind: ServerKind, folder: Path) -> Server:
    """Prepare it; nothing is started. Raises ModuleNotFoundError where an extra is not installed."""
    match kind:
        case ServerKind.PLAIN:
            return ChatServer(folder)
        case ServerKind.SLACK:
            from greenroom.supervisor.sandbox.storm_slack import SlackServer  # noqa: PLC0415 - an extra

            return SlackServer(folder)
        case ServerKind.TELEGRAM:
            from greenroom.supervisor.sandbox.storm_telegram import TelegramServer  # noqa: PLC0415 - an extra

            return TelegramServer(folder)
        case _:
            assert_never(kind)
