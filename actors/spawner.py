"""What greenroom asks of the machine to run background processes: one port, with a real one and one in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from greenroom.actors.process import Leader, Leftover

MARK = "GREENROOM_PROCESS"
"""The environment variable that every process of a background process carries, and by which it is found again."""


class Child(Protocol):
    """A process that was started, with the group that it leads. Used on one asyncio loop."""

    @property
    def leader(self) -> Leader:
        """Who it is."""

    @property
    def exited(self) -> bool:
        """Whether it is known that it has ended."""

    async def read(self) -> bytes:
        """Read more of what it says, on either of its outputs; nothing means that no more will come."""

    async def wait(self) -> int:
        """Wait for its end and give its exit code, or less than 0 for the signal that ended it.

        What it left behind in its group is ended with it.
        """

    def end(self) -> None:
        """Ask the group to end."""

    def kill(self) -> None:
        """End the group."""


class Spawner(Protocol):
    """Starts processes, and finds those again that nobody watches any more. Used on one asyncio loop."""

    async def start(self, command: Sequence[str], *, cwd: str | None, env: Mapping[str, str], mark: str) -> Child:
        """Start a process as the leader of a group of its own, with `env` added to ours and `mark` in it.

        Raises OSError or ValueError where that cannot be.
        """

    async def end_leftovers(self, leftovers: Sequence[tuple[str, Leftover]], grace_s: float) -> None:
        """End the groups of these processes, each named by its mark, where they still live.

        They are asked first, and ended `grace_s` seconds later. Nobody else is harmed: where it cannot be made sure
        that a process is the one that was started, it is left alone.
        """
