"""Which deliveries may still be spoken of after they were concluded. Does no I/O.

The store's answer to "what is owed?" can be older than what was concluded meanwhile, and a session's word of its row
can come after the row was found that way and delivered. Taking either for news would show a text twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from greenroom.actors.model import Delivery, SessionKey


class Hearsay:
    """Remembers keys, and only those that may be heard of again: they are bounded by what was owed at a reading."""

    __slots__ = ("_concluded", "_found", "reading")

    def __init__(self) -> None:
        self.reading = False
        self._found: set[str] = set()
        self._concluded: set[str] = set()

    def found(self, deliveries: Iterable[Delivery]) -> Iterator[tuple[SessionKey, tuple[Delivery, ...]]]:
        """End the reading: what the store says is owed, by session, in its order."""
        self.reading = False
        owed: dict[SessionKey, list[Delivery]] = {}
        for delivery in self.news(deliveries):
            self._found.add(delivery.key)
            owed.setdefault(delivery.session, []).append(delivery)
        return ((session, tuple(rows)) for session, rows in owed.items())

    def news(self, deliveries: Iterable[Delivery]) -> tuple[Delivery, ...]:
        """Leave out what was concluded before these words arrived."""
        return tuple(delivery for delivery in deliveries if delivery.key not in self._concluded)

    def conclude(self, key: str) -> None:
        """It is delivered or dead."""
        if self.reading or key in self._found:
            self._concluded.add(key)
            self._found.discard(key)
