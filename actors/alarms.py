"""The deadlines of one actor behind one timer of the runtime.

A run sets its alarms and is over long before they ring: to arm and to cancel a timer for each would cost a tenth of
the run. So a deadline that is cancelled, or moved to later, leaves the timer as it is: it rings, finds nothing due,
and is armed again for what comes next.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from greenroom.actors.runtime import Runtime

E = TypeVar("E")

NEVER = float("inf")

ROUNDING_S = 1e-6
"""A timer may ring too early by what is lost when times are added; such a deadline is due."""


class Alarms(Generic[E]):
    """Each deadline has a name and an event. Used on the actor's own thread; only `ring` is called by another.

    `ring` says that something may be due: let the actor be told, and ask `due` there.
    """

    __slots__ = ("_deadlines", "_ring", "_rings_at", "_runtime", "late_s")

    def __init__(self, runtime: Runtime, ring: Callable[[], None]) -> None:
        """Begin with none."""
        self._runtime = runtime
        self._ring = ring
        self._rings_at = NEVER
        self.late_s = 0.0  # how late the last ring was
        self._deadlines: tuple[tuple[float, Hashable, E], ...] = ()  # A handful, and the smallest thing for one.

    def __len__(self) -> int:
        """How many deadlines there are."""
        return len(self._deadlines)

    def set(self, name: Hashable, after_s: float, event: E) -> None:
        """Let `event` be due in `after_s` seconds; replaces what was set under this name."""
        now = self._runtime.clock.monotonic()
        at = now + after_s
        self._deadlines = (*[each for each in self._deadlines if each[1] != name], (at, name, event))
        if at < self._rings_at:
            self._arm(at, after_s)

    def cancel(self, name: Hashable) -> None:
        """Forget one deadline, if there is such a one."""
        self._deadlines = tuple([each for each in self._deadlines if each[1] != name])

    def pending(self) -> dict[str, float]:
        """In how many seconds each deadline is due, soonest first."""
        now = self._runtime.clock.monotonic()
        return {str(name): max(0.0, at - now) for at, name, _ in sorted(self._deadlines, key=lambda each: each[0])}

    def due(self) -> list[E]:
        """After a ring: take out what is due, earliest first, and see that the next one rings."""
        now = self._runtime.clock.monotonic()
        over = [each for each in self._deadlines if each[0] <= now + ROUNDING_S]
        over.sort(key=lambda each: each[0])
        self._deadlines = tuple([each for each in self._deadlines if each[0] > now + ROUNDING_S])
        self.late_s = now - over[0][0] if over else 0.0
        self._rings_at = NEVER
        if self._deadlines:
            at = min([each[0] for each in self._deadlines])
            self._arm(at, at - now)
        return [event for _, _, event in over]

    def end(self) -> None:
        """Leave neither deadline nor timer behind, and let go of the owner: its memory waits for no collector."""
        self._deadlines = ()
        self._ring = _nobody
        if self._rings_at != NEVER:
            self._rings_at = NEVER
            self._runtime.timers.cancel(self)

    def _arm(self, at: float, after_s: float) -> None:
        self._rings_at = at
        self._runtime.timers.arm(self, after_s, self._ring)


def _nobody() -> None:
    """Stands for an owner that has gone."""
