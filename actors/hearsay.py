"""Which deliveries may still be spoken of after they were concluded. Does no I/O.

The store's answer to "what is owed?" can be older than what was concluded meanwhile, and a session's word of its row
can come after the row was found that way and delivered. Taking either for news would show a text twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from greenroom.actors.model import Delivery, SessionId, SessionKey


class Hearsay:
    """Remembers keys, and only those that may be heard of again: from one reading to the end of the next."""

    __slots__ = ("_before", "_concluded", "_forgotten", "_found", "_reading")

    def __init__(self) -> None:
        self._reading = False
        self._found: set[str] = set()
        self._concluded: set[str] = set()  # since the last reading ended
        self._before: set[str] = set()  # and before that: who had something to say has said it by the next reading
        self._forgotten: set[SessionId] = set()  # their numbers never come again

    @property
    def reading(self) -> bool:
        """Whether the store is being asked."""
        return self._reading

    def begin(self) -> None:
        """The store is asked what is owed."""
        self._reading = True

    def fail(self) -> None:
        """It did not answer."""
        self._reading = False

    def found(self, deliveries: Iterable[Delivery]) -> Iterator[tuple[SessionKey, tuple[Delivery, ...]]]:
        """End the reading: what the store says is owed, by session, in its order."""
        self._reading = False
        owed: dict[SessionKey, list[Delivery]] = {}
        for delivery in self.news(deliveries):
            self._found.add(delivery.key)
            owed.setdefault(delivery.session, []).append(delivery)
        self._before, self._concluded = self._concluded, set()
        return ((session, tuple(rows)) for session, rows in owed.items())

    def news(self, deliveries: Iterable[Delivery]) -> tuple[Delivery, ...]:
        """Leave out what was concluded before these words arrived."""
        known = (it for it in deliveries if it.session_id not in self._forgotten)
        return tuple(it for it in known if it.key not in self._concluded and it.key not in self._before)

    def conclude(self, key: str) -> None:
        """It is delivered. What was read of it before that may still be on its way to its lane."""
        if self._reading or key in self._found:
            self._concluded.add(key)
            self._found.discard(key)

    def bury(self, key: str) -> None:
        """It is dead, until an operator revives it."""
        self.conclude(key)

    def drop(self, key: str) -> None:
        """Whoever runs the service gave it up: who still speaks of it does not know that yet."""
        self._found.discard(key)
        self._concluded.add(key)

    def revive(self, key: str) -> None:
        """Whoever runs the service wants it sent again: it is news, whatever was heard of it before."""
        self._concluded.discard(key)
        self._before.discard(key)

    def forget(self, ids: Iterable[SessionId]) -> None:
        """Nothing that is said of these sessions is news any more."""
        self._forgotten.update(ids)
