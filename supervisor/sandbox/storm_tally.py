"""What a storm is to be, and what has happened in it so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class ServerKind(StrEnum):
    """Which chat server half of the people use: one of our own making, or a fake of a real one."""

    PLAIN = "plain"
    SLACK = "slack"
    TELEGRAM = "telegram"


@dataclass(frozen=True, slots=True)
class Plan:
    """A storm lasts for `seconds`, and until so many messages are written and so many daemons killed."""

    seconds: float
    chats: int = 20
    seed: int = 0
    server: ServerKind | None = None  # half of the chats are there, and it is killed, too
    messages_min: int = 0
    kills_min: int = 0


@dataclass(slots=True)
class Tally:
    """What has happened so far. `slowest_recovery_s` is from a kill to the next daemon's serving.

    `orphans` are processes that agents had started and that lived when it was killed. `silences` were listened
    to: nothing was owed, nobody spoke, and nothing was said.
    """

    messages: int = 0
    redelivered: int = 0
    questions: int = 0
    presses: int = 0
    orders: int = 0
    processes: int = 0
    orphans: int = 0
    silences: int = 0
    kills: int = 0
    kills_in_boot: int = 0
    server_kills: int = 0
    freezes: int = 0
    second_daemons_refused: int = 0
    drains: int = 0
    boots: int = 0
    resumes: int = 0
    slowest_recovery_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Lay it out for JSON."""
        return asdict(self)

    def recovered(self, seconds: float) -> None:
        """A daemon serves again, so long after the one before was killed."""
        self.slowest_recovery_s = max(self.slowest_recovery_s, round(seconds, 2))
