"""Which deliveries may still be spoken of after they were concluded. Does no I/O.

The store's answer to "what is owed?" can be older than what was concluded meanwhile, and a session's word of its row
can come after the row was found that way and delivered. Taking either for news would show a text twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from greenroom.actors.model import Delivery, SessionId, SessionKey


class Hearsay:
    """Remembers keys, and only those that may be heard of again: from one reading to the end of the next."""

    __slots__ = ("_before", "_buried", "_concluded", "_forgotten", "_found", "_reading")

    def __init__(self) -> None:
        self._reading = False
        self._found: set[str] = set()
        self._concluded: set[str] = set()  # since the last reading ended
        self._before: set[str] = set()  # and before that: who had something to say has said it by the next reading

        self._buried: set[str] = set()  # while the store is being asked
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
        self._buried.clear()

    def found(self, deliveries: Iterable[Delivery]) -> Iterator[tuple[SessionKey, tuple[Delivery, ...]]]:
        """End the reading: what the store says is owed, by session, in its order."""
        self._reading = False
        owed: dict[SessionKey, list[Delivery]] = {}
        for delivery in self.news(deliveries):
            self._found.add(delivery.key)
            owed.setdefault(delivery.session, []).append(delivery)
        self._before, self._concluded = self._concluded, set()
        self._buried.clear()
        return ((session, tuple(rows)) for session, rows in owed.items())

    def news(self, deliveries: Iterable[Delivery]) -> tuple[Delivery, ...]:
        """Leave out what was concluded before these words arrived."""
        over = (self._concluded, self._before, self._buried)
        known = (it for it in deliveries if it.session_id not in self._forgotten)
        return tuple(it for it in known if not any(it.key in keys for keys in over))

    def conclude(self, key: str) -> None:
        """It is delivered."""
        if self._reading or key in self._found:
            self._concluded.add(key)
            self._found.discard(key)

    def drop(self, key: str) -> None:
        """Whoever runs the service gave it up: who still speaks of it does not know that yet."""
        self._found.discard(key)
        self._concluded.add(key)

    def revive(self, key: str) -> None:
        """Whoever runs the service wants it sent again: it is news, whatever was heard of it before."""
        for keys in (self._concluded, self._before, self._buried):
            keys.discard(key)

    def forget(self, ids: Iterable[SessionId]) -> None:
        """Nothing that is said of these sessions is news any more."""
        self._forgotten.update(ids)

    def bury(self, key: str) -> None:
        """It is dead. An operator may revive it, and the reading after that must find it."""
        self._found.discard(key)
        if self._reading:
            self._buried.add(key)
