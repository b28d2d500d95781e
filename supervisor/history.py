"""What is visible in a chat, read through the store by platforms that have no server of their own to remember it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.ports import Shown
from greenroom.actors.store import Query, ReadAnswer, ReadFailed, SettledOf, ShownOf
from greenroom.supervisor.reception import called_back

if TYPE_CHECKING:
    from greenroom.actors.model import SessionKey
    from greenroom.actors.store import Store


class HistoryUnreadableError(RuntimeError):
    """The store cannot be read now."""


class StoreHistory:
    """See `ports.History`."""

    def __init__(self, current: Callable[[], Store | None]) -> None:
        """`current` gives the store that is open now."""
        self._current = current

    async def shown(self, session: SessionKey, last: int) -> Sequence[Shown]:
        """Read the last messages, oldest first. Raises HistoryUnreadableError."""
        answer = await self._read(ShownOf(session, last))
        return [each for each in answer if isinstance(each, Shown)] if isinstance(answer, tuple) else []

    async def settled(self, session: SessionKey) -> bool:
        """Say whether nothing more will appear until the person speaks. Raises HistoryUnreadableError."""
        return bool(await self._read(SettledOf(session)))

    async def _read(self, query: Query) -> ReadAnswer:
        store = self._current()
        if store is None:
            msg = "the store is closed, or being opened again; try again"
            raise HistoryUnreadableError(msg)
        answer: ReadAnswer = await called_back(partial(store.read, query))
        if isinstance(answer, ReadFailed):
            raise HistoryUnreadableError(answer.detail)
        return answer
