"""How often chats that are not allowed wrote: counted in memory, and written as sums. A stranger costs no disk."""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.facts import InboundRefused
from greenroom.actors.model import SessionKey

WRITE_EVERY_S = 5.0
"""The shortest time between two writes of the sums."""


class Refusals:
    """Sums by platform account. Called under its owner's lock; no clock, no I/O."""

    def __init__(self) -> None:
        """Begin with none."""
        self._sums: dict[tuple[str, str], InboundRefused] = {}
        self._written_at = float("-inf")  # monotonic

    def add(self, key: SessionKey, at: float, *, now: float) -> tuple[InboundRefused, ...]:
        """Count one more; returns what is to be written now. `at` is wall time, `now` monotonic."""
        account = (key.platform, key.account)
        before = self._sums.get(account)
        count = 1 if before is None else before.count + 1
        self._sums[account] = InboundRefused(key, at) if before is None else replace(before, at=at, count=count)
        return self.take(now=now) if now - self._written_at >= WRITE_EVERY_S else ()

    def take(self, *, now: float) -> tuple[InboundRefused, ...]:
        """Give away all that is not written yet."""
        facts = tuple(self._sums.values())
        self._sums.clear()
        self._written_at = now
        return facts
