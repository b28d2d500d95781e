"""Until when Slack was heard, and a small file that remembers it: Slack gives up after six minutes.

What the file says may be too early and is never too late: what is read again is known by its id.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from greenroom.platforms.chats.keepsake import Keepsake, kept

KEEP_S = 20.0
"""How often the file is written."""


class Remembered(msgspec.Struct, frozen=True):
    """What the file holds: all that was said before is stored, or not for us. UTC epoch seconds."""

    upto: float


class Heard:
    """Belongs to one loop. Time goes on while something listens, up to the oldest thing that is still owed."""

    def __init__(self, folder: Path, account: str, now: Callable[[], float] = time.time) -> None:
        """Read the file. One that cannot be read is as good as none."""
        path = folder / f"slack-{quote(account, safe='')}.heard.json"
        self._keepsake = Keepsake(path, Remembered, without="what was said while nothing listened is not heard")
        self._now = now
        remembered = self._keepsake.read()
        self._upto = None if remembered is None else remembered.upto
        self._owed: dict[object, float] = {}
        self._listening = False

    def now(self) -> float:
        """UTC epoch seconds."""
        return self._now()

    @property
    def upto(self) -> float | None:
        """Until when all was heard; None: nothing is known."""
        if self._listening:
            self._upto = self._now()
        return self._upto if self._upto is None else min([self._upto, *self._owed.values()])

    def listen(self, *, on: bool) -> None:
        """From now on something listens; or nothing does."""
        _ = self.upto  # Up to now.
        self._listening = on

    @contextmanager
    def owing(self, since: float | None = None) -> Iterator[None]:
        """Something from then on (or from now on) is not stored while the block runs, nor if it fails."""
        key = object()
        self._owed[key] = self._now() if since is None else since
        yield
        del self._owed[key]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the file up to date while the block runs, and once more at its end."""
        async with kept(self.save, pause_s=KEEP_S):
            try:
                yield
            finally:
                self.listen(on=False)

    async def save(self) -> None:
        """Write the file. A disk that refuses costs nothing but what is read again after a restart."""
        upto = self.upto
        if upto is not None:
            await self._keepsake.save(Remembered(upto))
