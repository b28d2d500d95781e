"""Who has the floor in a session: one agent's coroutine at a time, also when the one before takes its time to end."""

from __future__ import annotations

import asyncio
from collections import deque

from greenroom.actors.model import SessionId

STOPPING_MAX_S = 30.0
"""How long a run waits for the one before it, which was told to stop: who swallows that holds nobody up for ever."""


class Floor:
    """Used on the agents' loop only, by every run of every session; it outlives the sessions' actors."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[SessionId, deque[asyncio.Future[None]]] = {}

    async def take(self, session_id: SessionId) -> bool:
        """Wait until the runs before have ended. False: one has not, and it was waited for long enough."""
        waiting = self._waiting.get(session_id)
        if waiting is None:
            self._waiting[session_id] = deque()
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await asyncio.wait((turn,), timeout=STOPPING_MAX_S)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(session_id)
            else:
                turn.cancel()
            raise
        if turn.done():
            return True
        turn.cancel()
        return False

    def leave(self, session_id: SessionId) -> None:
        """Hand the floor on to the run that has waited longest; for whoever was given it."""
        waiting = self._waiting[session_id]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[session_id]
