"""Calls to a platform under way: each on the platforms' loop, behind its wall, and counted as lost after its time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from greenroom.actors.calls import Call, Doubtful, Outcome, perform, read_outcome
from greenroom.actors.model import SessionKey
from greenroom.actors.ports import Platform
from greenroom.actors.runtime import Job, Runtime

LOOP = "platforms"
"""The asyncio loop on which all platform code runs."""


class Calling:
    """Belongs to one actor. `tell(number, outcome)` is called on another thread, once or twice a call: see `end`."""

    def __init__(
        self, runtime: Runtime, platform: Platform, *, timeout_s: float, tell: Callable[[int, Outcome], None]
    ) -> None:
        self._loop = runtime.loop(LOOP)
        self._timers = runtime.timers
        self._platform = platform
        self._timeout_s = timeout_s
        self._tell = tell
        self._calls: dict[int, tuple[SessionKey, Job]] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, session: SessionKey, call: Call) -> None:
        """Make a call. A platform that ignores its cancellation still cannot hold the lane longer than the time-out."""
        self._number = number = self._number + 1
        job = self._loop.spawn(perform(self._platform, call), name="delivery", done=partial(self._done, number))
        self._calls[number] = (session, job)
        self._timers.arm((self, number), self._timeout_s, partial(self._time_is_over, number))

    def end(self, number: int) -> SessionKey | None:
        """Take note of an outcome: whose it is; None if it was told already, and means nothing any more."""
        called = self._calls.pop(number, None)
        if called is None:
            return None
        session, job = called
        if not self._timers.cancel((self, number)):
            job.cancel()
        return session

    def abandon(self) -> None:
        """Cut all calls off, for an actor that ends: to the next one they are doubtful."""
        for number, (_, job) in self._calls.items():
            job.cancel()
            self._timers.cancel((self, number))
        self._calls.clear()

    def _done(self, number: int, error: BaseException | None, message_id: str | None) -> None:
        self._tell(number, read_outcome(error, message_id))

    def _time_is_over(self, number: int) -> None:
        self._tell(number, Doubtful(f"no answer in {self._timeout_s:g} s", raised=False))
