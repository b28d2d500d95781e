"""What an operator ordered of single deliveries, as the world knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import apsw

T = TypeVar("T")


class Look(Protocol):
    """Reads from the store of the living process; None where that cannot be read now."""

    def __call__(self, fn: Callable[[apsw.Connection], T], /) -> T | None:
        """Read."""


@dataclass(slots=True)
class LookedAfter:
    """Of one world, over all its lives."""

    resent: Counter[str] = field(default_factory=Counter)  # chat -> how often something was to be sent again
    dropping: set[str] = field(default_factory=set)  # deliveries that were to be given up ...
    dropped: dict[str, float] = field(default_factory=dict)  # ... and since when that is certain

    def given_up(self, key: str) -> float | None:
        """Since when the delivery is given up that a platform was told this key for."""
        return next((at for each, at in self.dropped.items() if f"-{each}-" in key), None)
