"""Who has the floor in a chat: one agent's coroutine at a time, however long the one before takes to end.

A chat, and not a session: a new session may take over while an agent of the old one still lingers.
"""

from __future__ import annotations

import asyncio
from collections import deque

from greenroom.actors.session_key import SessionKey

STOPPING_MAX_S = 30.0
"""How long a run waits for the one before it, which was told to stop: who swallows that holds nobody up for ever."""


class Floor:
    """Used on the agents' loop only, by every run of every session; it outlives the sessions' actors."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[SessionKey, deque[asyncio.Future[None]]] = {}

    async def take(self, session: SessionKey) -> bool:
        """Wait until the runs before have ended. False: one has not, and it was waited for long enough."""
        waiting = self._waiting.get(session)
        if waiting is None:
            self._waiting[session] = deque()
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await asyncio.wait((turn,), timeout=STOPPING_MAX_S)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(session)
            else:
                turn.cancel()
            raise
        if turn.done():
            return True
        turn.cancel()
        return False

    def leave(self, session: SessionKey) -> None:
        """Hand the floor on to the run that has waited longest; for whoever was given it."""
        waiting = self._waiting[session]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[session]
