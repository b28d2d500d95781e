"""Keeps one platform's receiving coroutine alive: whatever ends it, it is run again, with back-off and without end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from greenroom.actors.calling import LOOP
from greenroom.actors.pooled import PooledActor
from greenroom.actors.ports import MisconfiguredError
from greenroom.actors.runtime import Falls, Solicited
from greenroom.supervisor.restarts import FRESH, RestartAfter, decide_restart

if TYPE_CHECKING:
    from greenroom.actors.ports import Platform
    from greenroom.actors.runtime import Job
    from greenroom.supervisor.platform_door import PlatformDoor
    from greenroom.supervisor.policy import Policy

logger = logging.getLogger("greenroom.platform")


@dataclass(frozen=True, slots=True)
class Ended(Solicited):
    """The platform's coroutine is over."""

    error: BaseException | None


@dataclass(frozen=True, slots=True)
class TryAgain(Solicited):
    """The back-off is over."""


class PlatformActor(PooledActor):
    """Runs `platform.run(door)` on the platforms' loop for as long as it lives."""

    falls = Falls.WIRE

    def __init__(
        self, platform: Platform, door: PlatformDoor, policy: Policy, hung_up: Callable[[BaseException | None], bool]
    ) -> None:
        """`hung_up` is told how the coroutine ended; it answers whether that is the end of it."""
        super().__init__()
        self._platform = platform
        self._door = door
        self._policy = policy
        self._hung_up = hung_up
        self._budget = FRESH
        self._job: Job | None = None

    def on_start(self) -> None:
        """Begin to receive."""
        self._run()

    def on_receive(self, message: Any) -> None:
        """Hear that the coroutine ended, or that it is time to try again."""
        match message:
            case Ended(error):
                self._ended(error)
            case TryAgain():
                self._run()
            case _:
                super().on_receive(message)

    def on_stop(self) -> None:
        """Stop receiving."""
        self._leave()

    def on_failure(self, *_: object) -> None:
        """Stop receiving."""
        self._leave()

    def _run(self) -> None:
        name = f"{self._platform.name}:{self._platform.account}"
        loop = self.runtime.loop(LOOP)
        self._job = loop.spawn(self._live(), name=name, done=lambda error, _: self.hear(Ended(error)))

    async def _live(self) -> None:
        """Call the platform on its loop: also what it raises before it is a coroutine stays behind that wall."""
        await self._platform.run(self._door)

    def _ended(self, error: BaseException | None) -> None:
        self._job = None
        longest_s = self._policy.restart_backoff_max_s
        if isinstance(error, MisconfiguredError):
            self._door.misconfigured(str(error), again_s=longest_s)
            if not self._hung_up(error):
                self._again_in(longest_s)
            return
        what = f"{type(error).__name__}: {error}" if error is not None else "it stopped receiving"
        self._door.disconnected(what)
        if self._hung_up(error):
            return
        now, chance = self.runtime.clock.now(), self.runtime.random.random()
        decision = decide_restart(self._budget, what, now=now, policy=self._policy, random_unit=chance)
        delay_s = longest_s  # Budget spent or not, a platform is run again: networks come back.
        if isinstance(decision, RestartAfter):
            delay_s, self._budget = decision.delay_s, decision.budget
        logger.warning(
            "%s:%s ended and is run again in %.1f s: %s", self._platform.name, self._platform.account, delay_s, what
        )
        self._again_in(delay_s)

    def _again_in(self, delay_s: float) -> None:
        self.runtime.timers.arm((self.actor_urn, "again"), delay_s, partial(self.hear, TryAgain()))

    def _leave(self) -> None:
        self.runtime.timers.cancel((self.actor_urn, "again"))
        if self._job is not None:
            self._job.cancel()
