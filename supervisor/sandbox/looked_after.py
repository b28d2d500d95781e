"""What an operator ordered of single deliveries, as the world knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import apsw

    from greenroom.actors.model import SessionId

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

    forgotten: dict[SessionId, float] = field(default_factory=dict)  # and since when

    def outlast(self, seconds: float) -> None:
        """The process is frozen for so long: what was certain before it hears of afterwards."""
        self.dropped = {key: at + seconds for key, at in self.dropped.items()}
        self.forgotten = {session: at + seconds for session, at in self.forgotten.items()}

    def given_up(self, key: str) -> float | None:
        """Since when the delivery is given up, or its session forgotten, that a platform was told this key for."""
        of_sessions = ((f"-{session}.", at) for session, at in self.forgotten.items())
        of_deliveries = ((f"-{delivery}-", at) for delivery, at in self.dropped.items())
        return next((at for part, at in (*of_deliveries, *of_sessions) if part in key), None)
