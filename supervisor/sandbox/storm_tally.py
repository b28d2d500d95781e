"""What a storm is to be, and what has happened in it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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

    messages: int = 0  # that people wrote
    redelivered: int = 0  # of these were sent twice
    questions: int = 0  # of these made the agent ask back
    presses: int = 0  # of buttons
    orders: int = 0  # as `/stop` in a chat
    processes: int = 0  # background processes that people asked for
    orphans: int = 0  # of these outlived a killed daemon, until the next one's start
    silences: int = 0  # in which nothing may be said, and that were listened to
    kills: int = 0  # of the daemon
    kills_in_boot: int = 0  # of these during a start
    server_kills: int = 0  # of the chat server
    freezes: int = 0  # of the daemon
    second_daemons_refused: int = 0  # that were started on the same database
    drains: int = 0  # orderly ends
    boots: int = 0  # starts
    resumes: int = 0  # runs that were resumed
    slowest_recovery_s: float = 0.0  # from a kill to the next daemon's serving
    violations: list[str] = field(default_factory=list)  # broken promises, in words; if any, the exit code is 1

    def recovered(self, seconds: float) -> None:
        """A daemon serves again, so long after the one before was killed."""
        self.slowest_recovery_s = max(self.slowest_recovery_s, round(seconds, 2))
