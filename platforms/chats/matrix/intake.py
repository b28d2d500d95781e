"""From the answers of /sync to the door: each room in its order, all rooms beside each other.

A room that must wait (its chat wrote too much, a file is large) delays no other. The position that is kept is that of
the newest answer of which, and of all before it, everything is on disk: a process that dies begins again there, and
what then comes a second time is known by its event's id.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

logger = logging.getLogger("greenroom.platform.matrix")

OUTSTANDING_MAX = 10_000
"""Events that wait to be taken; with more, nothing new is asked for until some are."""


@dataclass(slots=True)
class _Answer:
    position: str
    left: int


class Intake(Generic[T]):
    """Takes what is added, by `take(room, item)`, and calls `keep(position)` behind it.

    `take` returns when the item is on disk, or is nothing that must be. What it raises concerns that item alone.
    """

    def __init__(self, take: Callable[[str, T], Awaitable[None]], keep: Callable[[str], Awaitable[None]]) -> None:
        """Nothing is taken before `add`."""
        self._take, self._keep = take, keep
        self._rooms: dict[str, deque[tuple[_Answer, T]]] = {}
        self._answers: deque[_Answer] = deque()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._outstanding = 0
        self._room_for_more = asyncio.Event()
        self._due: str | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def add(self, position: str, items: Mapping[str, Sequence[T]]) -> None:
        """Take these, when what was added before is taken. Waits while too much is outstanding."""
        answer = _Answer(position, sum(map(len, items.values())))
        self._answers.append(answer)
        self._outstanding += answer.left
        for room, several in items.items():
            if not several:
                continue
            self._rooms.setdefault(room, deque()).extend((answer, item) for item in several)
            if room not in self._tasks:
                self._tasks[room] = asyncio.create_task(self._work(room))
        self._settle()
        while self._outstanding > OUTSTANDING_MAX:
            self._room_for_more.clear()
            await self._room_for_more.wait()

    async def close(self) -> None:
        """Stop. What was not taken comes again."""
        tasks = [*self._tasks.values(), *([self._keeping] if self._keeping is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, room: str) -> None:
        waiting = self._rooms[room]
        while waiting:
            answer, item = waiting[0]
            try:
                await self._take(room, item)
            except Exception:  # Invariant: what cannot be taken does not come again for ever, nor holds up the rest.
                logger.exception("an event of %s could not be taken, and is left out", room)
            waiting.popleft()
            answer.left -= 1
            self._outstanding -= 1
            self._settle()
        del self._rooms[room], self._tasks[room]

    def _settle(self) -> None:
        if self._outstanding <= OUTSTANDING_MAX:
            self._room_for_more.set()
        while self._answers and self._answers[0].left == 0:
            self._due = self._answers.popleft().position
        if self._due is not None and self._keeping is None:
            self._keeping = asyncio.create_task(self._keep_due())

    async def _keep_due(self) -> None:
        while self._due is not None:
            position, self._due = self._due, None
            try:
                await self._keep(position)
            except OSError as error:  # The position before stands: more comes again, and is known.
                logger.warning("the position of the sync cannot be kept: %s", error)
        self._keeping = None
