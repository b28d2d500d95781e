"""How long to wait before the next attempt at a server that cannot be reached, or at a door that is busy."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 0.5
MOST_S = 30.0


class Backoff:
    """Doubles with each failure in a row, up to `most_s`, spread over its upper half: not all come back at once."""

    def __init__(
        self, first_s: float = FIRST_S, most_s: float = MOST_S, chance: Callable[[], float] = random.random
    ) -> None:
        """`chance` draws from 0 to 1."""
        self._first_s, self._most_s, self._chance = first_s, most_s, chance
        self._failures = 0

    def next_s(self) -> float:
        """Count one more failure; how many seconds to wait now."""
        self._failures = min(self._failures + 1, 60)
        return min(self._most_s, self._first_s * 2.0 ** (self._failures - 1)) * (0.5 + self._chance() / 2)

    def succeeded(self) -> None:
        """Begin again with the first wait."""
        self._failures = 0
