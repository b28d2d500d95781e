"""What one run is given of its transcript: a window on the last rows, and a summary that stands for all before it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from greenroom.actors.acts import Word
from greenroom.actors.events import Summarised
from greenroom.actors.keys import covered_by, summary_key
from greenroom.actors.link import Link
from greenroom.actors.mending import mend
from greenroom.actors.model import Message, Seq
from greenroom.actors.ports import Summarise
from greenroom.actors.store import MentionsOf, SummaryOf, TranscriptOf, UnansweredOf
from greenroom.actors.window import CountTokens, fit, without_cut_results

logger = logging.getLogger("greenroom.run")

PAGE_ROWS = 200
"""Rows that are read at once, going back until there are as many as fit."""

SUMMARISED_MAX = 1_000
"""Rows that a summariser is given at most, besides the summary before; what is older is left to that."""


class Recall:
    """One run's. Used on the agents' loop only, by as many tasks of the run as read at once."""

    __slots__ = ("_gave_up", "_link", "_summarising", "_unconfirmed")

    def __init__(self, link: Link) -> None:
        """Begin with nothing read."""
        self._link = link
        self._summarising = asyncio.Lock()
        self._unconfirmed: asyncio.Future[Word] | None = None
        self._gave_up = False  # One failure is enough for one run: it has better to do than wait for the next.

    async def read(self, last: int | None, tokens: int | None, count: CountTokens) -> tuple[Message, ...]:
        """See `ports.Turn.messages`."""
        rows = await self._read_end(last, tokens, count)
        end = rows[-1].seq if rows else Seq(0)
        window = fit(rows, tokens, count)
        if rows and rows[0].seq == 1 and len(window) == len(rows):
            return window
        summary = await self._summary(window[0].seq if window else Seq(end + 1), end)
        if summary is not None and tokens is not None:
            window = fit(window, max(0, tokens - count(summary)), count)
        return await self._complete(summary, window)

    async def find(self, words: str, last: int, *, without: AbstractSet[str]) -> tuple[Message, ...]:
        """See `ports.Turn.recall`; `without` are keys of rows that are not wanted."""
        rows = await self._rows(MentionsOf(self._link.place.session, words, last + len(without)))
        return tuple(row for row in rows if row.key not in without)[:last]

    async def _complete(self, summary: Message | None, window: tuple[Message, ...]) -> tuple[Message, ...]:
        """Put before the window what must not be missing: the summary, and what the user waits to have answered."""
        unanswered = await self._rows(UnansweredOf(self._link.place.session_id))
        before = [row for row in unanswered if not window or row.seq < window[0].seq]
        return (*((summary,) if summary is not None else ()), *before, *without_cut_results(window))

    async def _read_end(self, last: int | None, tokens: int | None, count: CountTokens) -> list[Message]:
        """Read backwards, page for page, until there is as much as was asked for, or nothing more."""
        if last is None and tokens is None:
            last = self._link.place.house.rules.transcript_window
        rows: list[Message] = []
        while last is None or len(rows) < last:
            size = PAGE_ROWS if tokens is not None or last is None else last
            size = size if last is None else min(size, last - len(rows))
            before = rows[0].seq if rows else None
            page = await self._rows(TranscriptOf(self._link.place.session_id, size, before))
            rows[:0] = page
            if len(page) < size or (tokens is not None and sum(map(count, rows)) > tokens):
                break
        return rows

    async def _rows(self, query: TranscriptOf | UnansweredOf | MentionsOf) -> tuple[Message, ...]:
        answer: Any = await self._link.read(query)
        return answer if isinstance(answer, tuple) else ()

    # -- what stands for the rows that no window shows -----------------------------------------------------------------

    async def _summary(self, first: Seq, end: Seq) -> Message | None:
        """Find what stands for the rows before `first`. It is made again when it does not cover them all."""
        summarise = self._link.place.house.summarise
        if summarise is None:
            return None
        async with self._summarising:
            newest = await self._newest()
            covered = covered_by(newest.key) if newest is not None else Seq(0)
            if covered >= first - 1 or self._gave_up or self._link.over:
                return newest
            upto = Seq(min(first - 1 + self._link.place.house.rules.summary_every, max(end, first - 1)))
            text = await self._make(summarise, newest, covered, upto)
            if text is None:
                self._gave_up = True
                return newest
            self._unconfirmed = self._link.expect(summary_key(upto))
            self._link.tell(Summarised(self._link.generation, upto, text))
            return await self._newest()

    async def _newest(self) -> Message | None:
        """Read it; first what was told must be on disk, also by a reader that was cancelled then."""
        if self._unconfirmed is not None:
            await asyncio.shield(self._unconfirmed)
            self._unconfirmed = None
        answer = await self._link.read(SummaryOf(self._link.place.session_id))
        return answer if isinstance(answer, Message) else None

    async def _make(self, summarise: Summarise, newest: Message | None, covered: Seq, upto: Seq) -> str | None:
        """Have the rows after `covered` told in few words, after what the last summary says. None: it failed."""
        size = min(upto - covered, SUMMARISED_MAX)
        rows = await self._rows(TranscriptOf(self._link.place.session_id, size, Seq(upto + 1)))
        given = (*((newest,) if newest is not None else ()), *(row for row in rows if row.seq > covered))
        rules = self._link.place.house.rules
        task = asyncio.ensure_future(_call(summarise, given))
        try:
            await asyncio.wait((task,), timeout=rules.summary_max_s)
        finally:
            task.cancel()
        text = task.result() if task.done() and not task.cancelled() else None
        if text is None:
            logger.warning("%s: no summary was made; the window goes without", self._link.place.session)
        return text[: rules.summary_max] if text is not None else None


async def _call(summarise: Summarise, rows: Sequence[Message]) -> str | None:
    try:
        return mend(await summarise(rows), "the summary").strip() or None
    except BaseException as error:  # Invariant: whatever a summariser raises, the run goes on without a summary.
        logger.warning("the summariser failed: %r", error, exc_info=error)
        return None
