"""What the dead actors of sessions have left of their restarts. Used by the tree alone; kept for the boots to come."""

from __future__ import annotations

from collections.abc import Iterable

from greenroom.actors.facts import RestartsCounted
from greenroom.actors.model import SessionId
from greenroom.actors.store import Unfinished
from greenroom.supervisor.restarts import FRESH, Budget


class Budgets:
    """A session of which nothing is counted has all of them."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._counted: dict[SessionId, Budget] = {}

    def of(self, session_id: SessionId) -> Budget:
        """What a session has left."""
        return self._counted.get(session_id, FRESH)

    def read(self, items: Iterable[Unfinished], now: float) -> None:
        """Take what an earlier boot counted, unless this one knows better."""
        for item in items:
            if item.restart_budget is not None:
                self._counted.setdefault(item.session_id, Budget.from_json(item.restart_budget, now=now))

    def forget(self, session_id: SessionId) -> None:
        """An operator gave it all of them back, on disk as well."""
        self._counted.pop(session_id, None)

    def count(self, session_id: SessionId, budget: Budget) -> tuple[RestartsCounted, ...]:
        """Remember what is left; says what is to be written of it."""
        if self.of(session_id) == budget:
            return ()
        if budget == FRESH:
            del self._counted[session_id]
            return (RestartsCounted(session_id, None),)
        self._counted[session_id] = budget
        return (RestartsCounted(session_id, budget.to_json()),)
