"""The session actors that live: by their session, and by their ref when one fails. Used by the tree alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError

if TYPE_CHECKING:
    from greenroom.actors.events import TreeEvent
    from greenroom.actors.model import SessionId, SessionKey
    from greenroom.actors.ref import Ref
    from greenroom.actors.session_actor import SessionActor


@dataclass(slots=True)
class Ward:
    """A live session actor."""

    session_id: SessionId
    key: SessionKey
    ref: Ref[SessionActor]
    told: int = 0


class Wards:
    """At most one actor lives for a session."""

    def __init__(self, start: Callable[[SessionId], Ref[SessionActor]]) -> None:
        """Begin with nobody."""
        self._start = start
        self._wards: dict[SessionId, Ward] = {}
        self._by_ref: dict[Ref[Any], Ward] = {}

    def __contains__(self, session_id: object) -> bool:
        """Whether one lives for this session."""
        return session_id in self._wards

    def __iter__(self) -> Iterator[SessionId]:
        """Whose actors live."""
        return iter(self._wards)

    def get(self, session_id: SessionId) -> Ward | None:
        """The one of this session, if it lives."""
        return self._wards.get(session_id)

    def whose(self, ref: Ref[Any] | None) -> Ward | None:
        """Whose actor this is, or was a moment ago; None for one that was forgotten, and for other actors."""
        return None if ref is None else self._by_ref.get(ref)

    def tell(self, session_id: SessionId, key: SessionKey, event: TreeEvent) -> None:
        """Tell it this; one that does not live is started."""
        ward = self._wards.get(session_id) or self._started(session_id, key)
        ward.told += 1
        with suppress(ActorDeadError):  # Its failure is on its way to us; the store remembers what counts.
            ward.ref.tell(event)

    def forget(self, session_id: SessionId) -> None:
        """This one is gone, or is about to be."""
        if ward := self._wards.pop(session_id, None):
            del self._by_ref[ward.ref]

    def kill(self) -> None:
        """End them all without handling what waits."""
        for ward in self._wards.values():
            ward.ref.kill()

    def _started(self, session_id: SessionId, key: SessionKey) -> Ward:
        ward = Ward(session_id, key, self._start(session_id))
        self._wards[session_id] = self._by_ref[ward.ref] = ward
        return ward
