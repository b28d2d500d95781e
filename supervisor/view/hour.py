"""The last hour, minute by minute, from what commits made true. Kept in memory; nothing is asked of the database."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenroom.actors.facts import RunClosed, RunOpened
from greenroom.actors.model import Ending

if TYPE_CHECKING:
    from greenroom.actors.store import GroupCommitted

MINUTES = 60
MINUTE_S = 60


@dataclass(slots=True)
class Minute:
    """What was committed in one minute. `number` counts minutes since the epoch."""

    number: int
    commits: int = 0
    requests: int = 0  # of all groups: what a commit makes durable at once
    took_s: float = 0.0  # of all commits
    slowest_s: float = 0.0
    opened: int = 0
    answered: int = 0
    ended: int = 0  # runs that ended without an answer

    @property
    def mean_ms(self) -> float:
        """How long a commit took."""
        return 1000 * self.took_s / self.commits if self.commits else 0.0

    @property
    def group(self) -> float:
        """How many requests one commit made durable."""
        return self.requests / self.commits if self.commits else 0.0


class Hour:
    """Heard on the storage thread, read on another."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._minutes: deque[Minute] = deque(maxlen=MINUTES)
        self._lock = threading.Lock()

    def hear(self, group: GroupCommitted) -> None:
        """Take in what a commit made true. A clock that was set back adds to the newest minute."""
        number = int(group.at // MINUTE_S)
        with self._lock:
            if not self._minutes or self._minutes[-1].number < number:
                self._minutes.append(Minute(number))
            minute = self._minutes[-1]
            minute.commits += 1
            minute.requests += group.requests
            minute.took_s += group.took_s
            minute.slowest_s = max(minute.slowest_s, group.took_s)
            for fact in group.facts:
                match fact:
                    case RunOpened():
                        minute.opened += 1
                    case RunClosed(ending=Ending.ANSWERED):
                        minute.answered += 1
                    case RunClosed():
                        minute.ended += 1
                    case _:
                        pass

    def minutes(self, now: float) -> Sequence[Minute]:
        """The last hour until now, oldest first: one for each minute, also for those in which nothing happened."""
        last = int(now // MINUTE_S)
        with self._lock:
            known = {minute.number: minute for minute in self._minutes}
        return [known.get(number) or Minute(number) for number in range(last - MINUTES + 1, last + 1)]
