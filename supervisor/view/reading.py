"""Questions to the database, each asked once for all who look: while nothing was committed, the answer stands."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from greenroom.actors.ports import BusyError
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import open_views

if TYPE_CHECKING:
    from greenroom.supervisor.feed import Feed

T = TypeVar("T")

STANDS_S = 15.0
"""How long an answer stands without news: some that is written is no news to anybody (`feed.UNTOLD`)."""

ANSWERS_MAX = 64
"""Answers that are kept."""


@dataclass(frozen=True, slots=True)
class _Answer:
    number: int  # of the newest entry of the feed when it was asked
    at: float
    coming: asyncio.Future[Any]


class Reading:
    """One connection for all pages, used on one loop; `aside` does what blocks, one after the other.

    `now` only goes forward.
    """

    def __init__(
        self,
        path: Path,
        feed: Feed,
        aside: Callable[[Callable[[], Any]], Awaitable[Any]],
        now: Callable[[], float],
    ) -> None:
        """Open nothing yet."""
        self._path, self._feed, self._aside, self._now = path, feed, aside, now
        self._db: apsw.Connection | None = None
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()

    async def answer(self, named: Hashable, question: Callable[[apsw.Connection], T], *, within_s: float = 0.0) -> T:
        """Answer a question from the database, or from memory while nothing was committed since.

        `named` tells questions apart. An answer that is `within_s` seconds old will do in any case: who polls says so.
        Raises BusyError while it cannot be read.
        """
        kept, now = self._answers.get(named), self._now()
        if kept is not None:
            age_s = now - kept.at
            stands = kept.number == self._feed.last and age_s < STANDS_S
            if stands or age_s < within_s:
                found: T = await asyncio.shield(kept.coming)
                return found
        coming = asyncio.ensure_future(self._aside(lambda: self._read(question)))
        kept = self._answers[named] = _Answer(self._feed.last, now, coming)
        self._answers.move_to_end(named)
        while len(self._answers) > ANSWERS_MAX:
            self._answers.popitem(last=False)
        try:
            read: T = await asyncio.shield(coming)  # Whoever leaves takes the answer from nobody.
        except Exception:  # Invariant: what could not be answered is asked again by the next one.
            if self._answers.get(named) is kept:
                del self._answers[named]
            raise
        return read

    def forget(self) -> None:
        """Let no answer stand. Who was told that something is on disk reads it, also before the feed has told of it."""
        self._answers.clear()

    async def close(self) -> None:
        """Close the connection. Asked again, it opens another."""
        self.forget()
        await self._aside(self._let_go)

    def _read(self, question: Callable[[apsw.Connection], T]) -> T:
        try:
            if self._db is None:
                self._db = open_views(self._path)
            return question(self._db)
        except (CannotOpen, apsw.Error) as error:
            self._let_go()
            raise BusyError(f"the database cannot be read now: {error}") from error

    def _let_go(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(apsw.Error):
                db.close()
