"""The clocks and timers of a simulation: they move when it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.actors.timers import TimerHeap

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from greenroom.actors.simulation import SimRuntime


class SimClock:
    """`Clock` that moves when the simulation says so."""

    def __init__(self, wall: float) -> None:
        self._wall_offset = wall
        self._now = 0.0

    def now(self) -> float:
        return self._wall_offset + self._now

    def monotonic(self) -> float:
        return self._now

    def move_to(self, at: float) -> None:
        """Let time pass; it never goes back."""
        self._now = max(self._now, at)

    def jump_wall(self, by_s: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP does."""
        self._wall_offset += by_s


class SimTimers:
    """`Timers` in virtual time. It stands among the ready as long as a timer is due."""

    number = 0

    def __init__(self, runtime: SimRuntime) -> None:
        self._runtime = runtime
        self._heap = TimerHeap()
        self._queued = False

    def __len__(self) -> int:
        return len(self._heap)

    def arm(self, key: Hashable, after_s: float, ring: Callable[[], None]) -> None:
        """See `Timers.arm`."""
        self._runtime.refuse_if_dead("arm a timer")
        self._heap.arm(key, self._runtime.now + max(after_s, 0.0), ring)
        if after_s <= 0:
            self.ripen()

    def cancel(self, key: Hashable) -> bool:
        """See `Timers.cancel`."""
        return self._heap.cancel(key)

    def next_at(self) -> float:
        """When the next timer is due; infinity if there is none."""
        return self._heap.next_at()

    def ripen(self) -> None:
        """Time has moved: stand among the ready if a timer is due."""
        if not self._queued and self._heap.next_at() <= self._runtime.now:
            self._queued = True
            self._runtime.put(self)

    def turn(self) -> bool:
        """Ring the earliest due timer; True if another one is due."""
        due = self._heap.pop_due(self._runtime.now)
        if due is not None:
            key, ring = due
            try:
                ring()
            except BaseException as error:  # Invariant: one ring that raises stops no other timer.
                self._runtime.report_timer(key, error)
        self._queued = self._heap.next_at() <= self._runtime.now
        return self._queued

    def discard(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._queued = False
