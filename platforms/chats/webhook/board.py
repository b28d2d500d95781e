"""Answers that this process sent: who waits for one has it at once, and the store shows it a moment later."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import Outgoing, Shown

CHATS_MAX = 1_000
"""Chats whose newest answers are kept in memory; of the others the store tells."""

ANSWERS_MAX = 50


class Board:
    """Belongs to one loop."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._sent: OrderedDict[SessionKey, dict[str, Shown]] = OrderedDict()
        self._bells: dict[SessionKey, set[asyncio.Event]] = {}

    def show(self, message: Outgoing, at: float) -> None:
        """Remember an answer, and tell those who wait in its chat."""
        rows = self._sent.setdefault(message.session, {})
        rows[message.key] = Shown(message.key, mine=False, text=message.text, at=at, choices=message.choices)
        while len(rows) > ANSWERS_MAX:
            del rows[next(iter(rows))]
        self._sent.move_to_end(message.session)
        while len(self._sent) > CHATS_MAX:
            self._sent.popitem(last=False)
        for bell in self._bells.get(message.session, ()):
            bell.set()

    def overlaid(self, session: SessionKey, rows: list[Shown]) -> list[Shown]:
        """Add what was sent to what the store shows."""
        sent = dict(self._sent.get(session, {}))
        whole = [sent.pop(row.id, row) if not row.mine else row for row in rows]
        return [*whole, *sent.values()]

    def listen(self, session: SessionKey) -> asyncio.Event:
        """Give a bell that rings whenever something is sent in this chat, until `leave`."""
        bell = asyncio.Event()
        self._bells.setdefault(session, set()).add(bell)
        return bell

    def leave(self, session: SessionKey, bell: asyncio.Event) -> None:
        """Nobody hears this bell any more."""
        bells = self._bells.get(session, set())
        bells.discard(bell)
        if not bells:
            self._bells.pop(session, None)
