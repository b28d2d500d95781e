"""One chat of a storm: who writes there, what was said, and what is still to come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from greenroom.supervisor.sandbox.storm_checks import is_at_rest, read_sent, read_taken
from greenroom.supervisor.sandbox.storm_people import Visitor
from greenroom.supervisor.sandbox.storm_servers import Writer
from greenroom.supervisor.sandbox.storm_talk import SIMPLE, Line, Ways, answers_in, both_in_order, labels_of, over_in

LOOK_S = 1.0


@dataclass(slots=True)
class Chat:
    """Whether something was said to each message; whether it is the right thing is looked at in the end."""

    key: str
    writer: Writer
    ways: Ways = SIMPLE
    said: list[Line] = field(default_factory=list)
    _settled: tuple[int, int] = (0, 0)  # so many lines, and so many answers, are done with

    async def say(self, line: Line) -> bool:
        """Let the person say it, by a button where there is one; whether it was there before."""
        if isinstance(self.writer, Visitor) and line.presses:
            return await self.writer.press(line.id, line.text, under=line.presses)
        return await self.writer.say(line.id, line.text)

    def is_answered(self) -> bool:
        """Whether there are as many answers as are owed. None is owed for what may be cut."""
        lines, answers = self._settled
        return len(answers_in(self.writer.answers)) - answers >= sum(bool(line.label) for line in self.said[lines:])

    def is_told(self, database: Path) -> bool:
        """Whether the house has taken in all that was said here and is done with it, and all it sent can be seen."""
        if len(read_taken(database, self.key)) < len(self.said) or not is_at_rest(database, self.key):
            return False
        return both_in_order(self.writer.answers) == both_in_order(read_sent(database, self.key))  # Read last: no less.

    def settle(self) -> None:
        """All that was said is answered, or cut: nothing more is owed."""
        self._settled = (len(self.said), len(answers_in(self.writer.answers)))

    async def hold(self, condition: Callable[[], object], raging: Callable[[], bool], timeout_s: float) -> None:
        """Wait for it: while the storm rages as long as it takes, and then for a while. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        while True:
            with suppress(TimeoutError):
                return await self.writer.until(condition, LOOK_S)  # Also looks anew: what was seen may be old.
            if raging():
                ends_at = loop.time() + timeout_s
            elif loop.time() > ends_at:
                raise TimeoutError

    async def listen(self, seconds: float) -> str | None:
        """Say nothing for a while; what was said nevertheless, but for the news of processes."""
        before = self._heard()
        with suppress(TimeoutError):
            await self.writer.until(lambda: self._heard() - before, seconds)
            return f"{self.key}: nobody spoke, and it said {list(self._heard() - before)}"
        return None

    def _heard(self) -> Counter[str]:
        """What can be read now. A page may take a last word for unfinished, for a moment."""
        return Counter(label for label in labels_of(self.writer.answers) if over_in(label) is None)
