"""Sessions with inbound on disk that wait until something is decided about them. Used by the tree alone."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from greenroom.actors.model import SessionId, SessionKey


class Arrival(Struct, frozen=True):
    """Something waits in a session. A message `overtakes` the resume that is planned there: one run handles both.

    An order does not: it starts no run.
    """

    session_id: SessionId
    key: SessionKey
    overtakes: bool


class Arrivals:
    """Keeps them in the order in which they came."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[SessionId, Arrival] = {}

    def add(self, session_id: SessionId, key: SessionKey, *, overtakes: bool) -> None:
        """Remember that something waits there."""
        before = self._waiting.get(session_id)
        overtakes = overtakes or (before is not None and before.overtakes)
        self._waiting[session_id] = Arrival(session_id, key, overtakes)

    def take(self, undecided: Collection[SessionId]) -> list[Arrival]:
        """Give away those that nothing is to be decided about any more."""
        ready = [it for it in self._waiting.values() if it.session_id not in undecided]
        for arrival in ready:
            del self._waiting[arrival.session_id]
        return ready
