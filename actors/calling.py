"""Calls to a platform under way: each on the platforms' loop, behind its wall, and counted as lost after its time.

None is made before the store was asked whether it is still ours: a process that was frozen, and overtaken meanwhile,
would else speak once more when it wakes. One question serves all calls that are planned when it is put; its answer is
believed for `OWNER_KNOWN_S` only, for the process may have been frozen since.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from greenroom.actors.calls import Call, Doubtful, Outcome, Post, perform, read_outcome, show_typing
from greenroom.actors.model import SessionKey
from greenroom.actors.ports import NotSentError, Outgoing, Platform
from greenroom.actors.runtime import Job, Runtime

LOOP = "platforms"
"""The asyncio loop on which all platform code runs."""


NOTICES_MAX = 100
"""Notices of one account under way at the same time; of more, the oldest is given up."""

OWNER_KNOWN_S = 5.0
"""How long it is believed whose the store is; much less than a process needs to be given up and replaced by another."""

T = TypeVar("T")

_Planned = Call | Outgoing | None
"""A call; a notice; that somebody is typing."""

ROUNDING_S = 1e-6
"""A timer may ring too early by what is lost when times are added; such a call is late."""


class Calling:
    """Belongs to one actor, and is used on its thread.

    `tell(number, outcome)` is called on another thread, once or twice a call: see `end`. So is `ring`: some call may
    have taken too long; let the actor be told, and ask `late` there. All calls may take equally long, so the oldest
    is late first, and one timer serves all.
    """

    def __init__(
        self,
        runtime: Runtime,
        platform: Platform,
        *,
        timeout_s: float,
        tell: Callable[[int, Outcome], None],
        ring: Callable[[], None],
    ) -> None:
        self._loop = runtime.loop(LOOP)
        self._timers = runtime.timers
        self._clock = runtime.clock
        self._platform = platform
        self._timeout_s = timeout_s
        self._tell = tell
        self._ring = ring
        self._armed = False
        self._planned: list[tuple[SessionKey, _Planned]] = []
        self._asked: list[tuple[SessionKey, _Planned]] = []  # planned before the question that is under way was put
        self._calls: dict[int, tuple[SessionKey, Job, float]] = {}
        self._typing: dict[SessionKey, Job] = {}
        self._notices: deque[Job] = deque(maxlen=NOTICES_MAX)
        self._number = 0

    def __len__(self) -> int:
        return len(self._calls)

    def plan(self, session: SessionKey, call: Call) -> None:
        """Have a call made when the store is known to be ours."""
        self._planned.append((session, call))

    def plan_typing(self, session: SessionKey) -> None:
        """Have it shown that somebody is typing, when the store is known to be ours."""
        if (session, None) not in self._planned:
            self._planned.append((session, None))

    def plan_notice(self, message: Outgoing) -> None:
        """Have a line shown when the store is known to be ours. What becomes of it interests nobody."""
        self._planned.append((message.session, message))

    def drop_notices(self, key: str) -> None:
        """Leave those of this key that are not out yet."""
        for calls in (self._planned, self._asked):
            calls[:] = [each for each in calls if not (isinstance(each[1], Outgoing) and each[1].key == key)]

    def hush(self, session: SessionKey) -> None:
        """There is something to be said: nothing may show any more that somebody is typing."""
        job = self._typing.pop(session, None)
        if job is not None:
            job.cancel()
        for calls in (self._planned, self._asked):
            if (session, None) in calls:
                calls.remove((session, None))

    def wants_to_ask(self) -> bool:
        """Whether the store is to be asked now, once; `let_go` is then told that it is ours."""
        if self._asked or not self._planned:
            return False
        self._asked, self._planned = self._planned, []
        return True

    def let_go(self, read_at: float) -> None:
        """Make the calls that were planned before the question was put: the store was ours at `read_at`, monotonic.

        If that is too long ago they are planned again, and `wants_to_ask`.
        """
        asked, self._asked = self._asked, []
        until = read_at + OWNER_KNOWN_S
        if self._clock.monotonic() > until:
            self._planned = [*asked, *self._planned]
            return
        for session, call in asked:
            if call is None:
                self._begin_typing(session, until)
            elif isinstance(call, Outgoing):
                self._begin_notice(call, until)
            else:
                self._begin(session, call, until)

    async def _made(self, make: Callable[[], Coroutine[Any, Any, T]], until: float) -> T:
        """On the platforms' loop, which may have been frozen as well."""
        if self._clock.monotonic() > until:
            raise NotSentError("this process stood still, and did not know any more whose the store is")
        return await make()

    def _begin_typing(self, session: SessionKey, until: float) -> None:
        before = self._typing.get(session)
        if before is not None:
            before.cancel()  # One that hangs is not waited for; one that is over does not mind.
        typing = self._made(partial(show_typing, self._platform, session), until)
        job = self._loop.spawn(typing, name="typing", done=lambda _error, _result: None)
        self._typing[session] = job

    def _begin_notice(self, message: Outgoing, until: float) -> None:
        if len(self._notices) == NOTICES_MAX:
            self._notices[0].cancel()  # One that hangs makes room; one that is over does not mind.
        notice = self._made(partial(perform, self._platform, Post(message)), until)
        job = self._loop.spawn(notice, name="notice", done=lambda _error, _result: None)
        self._notices.append(job)

    def _begin(self, session: SessionKey, call: Call, until: float) -> None:
        """Make a call. A platform that ignores its cancellation still cannot hold the lane longer than the time-out."""
        self._number = number = self._number + 1
        made = self._made(partial(perform, self._platform, call), until)
        job = self._loop.spawn(made, name="delivery", done=partial(self._done, number))
        self._calls[number] = (session, job, self._clock.monotonic() + self._timeout_s)
        if not self._armed:
            self._arm(self._timeout_s)

    def end(self, number: int) -> SessionKey | None:
        """Take note of an outcome: whose it is; None if it was told already, and means nothing any more."""
        called = self._calls.pop(number, None)
        return None if called is None else called[0]

    def late(self) -> list[tuple[int, Outcome]]:
        """After a ring: give up the calls that have taken too long, oldest first, and say what is thought of them."""
        self._armed = False
        now = self._clock.monotonic()
        late: list[tuple[int, Outcome]] = []
        for number, (_, job, ends_at) in self._calls.items():
            if ends_at > now + ROUNDING_S:
                self._arm(ends_at - now)
                break
            job.cancel()
            late.append((number, Doubtful(f"no answer in {self._timeout_s:g} s", raised=False)))
        return late

    def abandon(self) -> None:
        """Cut all calls off, for an actor that ends: to the next one they are doubtful."""
        self._timers.cancel(self)
        self._planned.clear()
        self._asked.clear()
        for _, job, _ in self._calls.values():
            job.cancel()
        self._calls.clear()
        for job in (*self._typing.values(), *self._notices):
            job.cancel()
        self._typing.clear()
        self._notices.clear()

    def _arm(self, after_s: float) -> None:
        self._armed = True
        self._timers.arm(self, after_s, self._ring)

    def _done(self, number: int, error: BaseException | None, message_id: str | None) -> None:
        self._tell(number, read_outcome(error, message_id))
