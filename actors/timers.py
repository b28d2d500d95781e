"""Keyed timers: one heap and one thread, however many there are."""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING

from greenroom.actors.runtime import RuntimeClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from greenroom.actors.runtime import Clock

_Entry = tuple[float, int, "Hashable", "Callable[[], None]"]
"""When, then a sequence number that makes every comparison end there, then the key and what to do."""

_COMPACT_MIN = 1_024
"""Below this many entries a heap is not worth compacting."""


class TimerHeap:
    """Which timer is due next: pure bookkeeping, without a clock and without a lock.

    A cancelled or replaced timer stays in the heap until it comes up, or until such dead entries are the majority.
    Timers of one moment ring in the order in which they were armed.
    """

    __slots__ = ("_armed", "_heap", "_sequence")

    def __init__(self) -> None:
        # The heap's entries are the dictionary's values; one that is no longer in there is dead.
        self._armed: dict[Hashable, _Entry] = {}
        self._heap: list[_Entry] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._armed)

    @property
    def entries(self) -> int:
        """How many entries the heap holds, dead ones included."""
        return len(self._heap)

    def arm(self, key: Hashable, at: float, ring: Callable[[], None]) -> None:
        """Ring at the moment `at`; replaces what was armed under this key."""
        self._sequence = sequence = self._sequence + 1
        self._armed[key] = entry = (at, sequence, key, ring)
        heapq.heappush(self._heap, entry)
        self._compact_if_due()

    def cancel(self, key: Hashable) -> bool:
        """True if it was armed."""
        if self._armed.pop(key, None) is None:
            return False
        self._compact_if_due()  # A dead entry keeps its `ring` alive, and so whoever is told by it.
        return True

    def next_at(self) -> float:
        """When the earliest timer is due; infinity if there is none."""
        heap = self._heap
        armed = self._armed
        while heap:
            first = heap[0]
            if armed.get(first[2]) is first:
                return first[0]
            heapq.heappop(heap)
        return float("inf")

    def pop_due(self, now: float) -> tuple[Hashable, Callable[[], None]] | None:
        """Take out the earliest timer if it is due."""
        if self.next_at() > now:
            return None
        _, _, key, ring = heapq.heappop(self._heap)
        del self._armed[key]
        return key, ring

    def clear(self) -> None:
        """Forget all."""
        self._armed.clear()
        self._heap.clear()

    def _compact_if_due(self) -> None:
        armed = self._armed
        if len(self._heap) <= _COMPACT_MIN or len(self._heap) <= 2 * len(armed):
            return
        self._heap = [entry for entry in self._heap if armed.get(entry[2]) is entry]
        heapq.heapify(self._heap)


class ThreadTimers:
    """`Timers` on a thread of their own. The thread is made with the first timer."""

    def __init__(self, clock: Clock, report: Callable[[object, BaseException], None]) -> None:
        self._clock = clock
        self._report = report
        self._heap = TimerHeap()
        self._mutex = threading.Lock()
        self._changed = threading.Condition(self._mutex)
        self._waits_until = float("-inf")  # The thread sleeps until then; an earlier timer must wake it.
        self.thread: threading.Thread | None = None
        self._closed = False

    def arm(self, key: Hashable, after_s: float, ring: Callable[[], None]) -> None:
        """See `Timers.arm`."""
        at = self._clock.monotonic() + after_s
        with self._mutex:
            if self._closed:
                msg = f"cannot arm timer {key!r}: the runtime is closed"
                raise RuntimeClosed(msg)
            self._start_if_needed()
            self._heap.arm(key, at, ring)
            if at < self._waits_until:
                self._waits_until = at  # One wake-up, not one for each of a series of ever earlier timers.
                self._changed.notify()

    def _start_if_needed(self) -> None:
        if self.thread is None:
            thread = threading.Thread(target=self._run, name="greenroom-timers", daemon=True)
            thread.start()  # The system may refuse; then the next timer tries again.
            self.thread = thread

    def cancel(self, key: Hashable) -> bool:
        """See `Timers.cancel`."""
        with self._mutex:
            return self._heap.cancel(key)

    def __len__(self) -> int:
        return len(self._heap)

    def close(self) -> None:
        """Forget all timers and let the thread end; join `thread` to wait for it."""
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            key, ring = due
            try:
                ring()
            except BaseException as error:  # Invariant: one ring that raises stops no other timer.
                self._report(key, error)

    def _next(self) -> tuple[Hashable, Callable[[], None]] | None:
        """Wait for the next due timer; None when closed."""
        with self._changed:
            while not self._closed:
                now = self._clock.monotonic()
                due = self._heap.pop_due(now)
                if due is not None:
                    self._waits_until = float("-inf")
                    return due
                self._waits_until = self._heap.next_at()
                self._changed.wait(min(self._waits_until - now, threading.TIMEOUT_MAX))
            return None
