"""Requests that take effect after their sender has given them up, whether that still lives or not."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from greenroom.actors.ports import LATE_S

if TYPE_CHECKING:
    from greenroom.actors.simulation import SimRuntime

LATEST = 0.9
"""How much of the time that platforms name they take at most."""


class Latecomers:
    """Those of one world. They come while a process lives, or before the next one begins."""

    def __init__(self, dice: random.Random | None = None) -> None:
        """Draw from `dice` how late each comes; without them each takes half of the time that it may."""
        self._dice = dice
        self._numbers = count()
        self._waiting: dict[int, tuple[float, Callable[[], object]]] = {}  # when, in the world's own seconds
        self._runtime: SimRuntime | None = None
        self._began = 0.0  # When this life did, in the world's seconds.

    def add(self, now: float, effect: Callable[[], object]) -> None:
        """Let this come late; `now` is the world's."""
        share = 0.5 if self._dice is None else self._dice.uniform(0.0, LATEST)
        number = next(self._numbers)
        self._waiting[number] = now + share * LATE_S, effect
        self._arm(number, now)

    def begin_life(self, runtime: SimRuntime, now: float) -> None:
        """A process starts: what was to come before that has come."""
        self._runtime, self._began = runtime, now - runtime.now
        for number in list(self._waiting):
            self._arm(number, now)

    def outlast(self, seconds: float) -> None:
        """The process is frozen, or its host sleeps, for so long; what comes late comes meanwhile."""
        if self._runtime is None:
            raise ValueError("nothing lives that could be frozen")
        self._runtime.freeze(seconds)
        now = self._began + self._runtime.now
        for number in sorted(self._waiting, key=lambda each: self._waiting[each][0]):
            if self._waiting[number][0] <= now:
                self._runtime.timers.cancel((self, number))
                self._come(number)

    def _arm(self, number: int, now: float) -> None:
        after_s = self._waiting[number][0] - now
        if after_s <= 0 or self._runtime is None:
            self._come(number)
        else:
            self._runtime.timers.arm((self, number), after_s, partial(self._come, number))

    def _come(self, number: int) -> None:
        self._waiting.pop(number)[1]()
