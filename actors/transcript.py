"""The transcript of one run as its agent writes it: rows of its own, each stored once, however often it is flushed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from greenroom.actors.acts import Word
from greenroom.actors.agent_rows import AgentRow, pick_new, read_rows, row_of, split_rows
from greenroom.actors.events import RowsWritten
from greenroom.actors.keys import own_key_of, own_row_key
from greenroom.actors.link import Link
from greenroom.actors.store import OwnRowsOf


class OwnTranscript:
    """See `own_transcript.Transcript`. Used on the agents' loop only, by as many tasks of the run as write at once."""

    __slots__ = ("_concluded", "_conclusion", "_known", "_link", "_unconfirmed", "_writes")

    def __init__(self, link: Link, concluded: Callable[[], None]) -> None:
        """Begin with nothing known. `concluded` is called when a row is told that concludes."""
        self._link = link
        self._concluded = concluded
        self._known: dict[str, AgentRow] = {}  # stored, or told and about to be
        self._writes = 0
        self._unconfirmed: asyncio.Future[Word] | None = None
        self._conclusion: str | None = None

    @property
    def conclusion(self) -> str | None:
        """The words by which the agent concluded, once they are on disk."""
        return self._conclusion if self._unconfirmed is None else None

    async def append_many(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Append what is not stored yet, in order; returns how many rows that were, when they are on disk."""
        given = read_rows(rows, self._link.place.house.rules)
        count = 0
        async with self._link.pen:  # While a question is open, it is the user's turn: rows wait for the answer.
            for part in split_rows(given):
                await self._learn(part)
                count += await self._write(pick_new(part, self._known))
            await self._wait()
        return count

    async def _learn(self, rows: Sequence[AgentRow]) -> None:
        """Ask which of these keys are stored: by this attempt, by one before it, or by other work."""
        unknown = tuple(dict.fromkeys(row.key for row in rows if row.key not in self._known))
        if not unknown:
            return
        keys = tuple(map(own_row_key, unknown))
        stored: Any = await self._link.read(OwnRowsOf(self._link.place.session_id, keys))  # a tuple of messages
        self._known |= {key: row_of(message, key) for message in stored for key in [own_key_of(message.key)]}

    async def _write(self, new: tuple[AgentRow, ...]) -> int:
        if new:
            await self._wait()
            self._writes += 1
            batch = f"rows.{self._writes}"
            self._unconfirmed = self._link.expect(batch)
            self._known |= {row.key: row for row in new}
            if new[-1].concludes:
                self._link.over = True
                self._conclusion = new[-1].text
                self._concluded()
            self._link.tell(RowsWritten(self._link.generation, batch, new))
        return len(new)

    async def _wait(self) -> None:
        """Wait for what was told; also for what a caller told that was cancelled: a retry is as durable."""
        if self._unconfirmed is not None:
            await asyncio.shield(self._unconfirmed)
            self._unconfirmed = None
