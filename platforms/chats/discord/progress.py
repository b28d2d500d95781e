"""How far Discord was heard, and a small file that remembers it. The gateway acknowledges nothing, so this does.

The file is written after what it tells of is on disk, so it may say too little and never too much: what is read again
after a restart is known by its id. It is no part of the store because nothing depends on it there; it holds also how
far all was heard that was not for us, and in which direct chats we are: Discord lists them to nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from greenroom.platforms.chats.keepsake import Keepsake, kept

DIRECT_MAX = 500
"""So many direct chats are remembered, those that were used last."""

PAUSE_S = 1.0
"""How soon the file is written again."""


class Remembered(msgspec.Struct, frozen=True):
    """What the file holds: all messages up to this one are stored, or not for us."""

    upto: int
    direct: tuple[int, ...] = ()


class Progress:
    """How far each channel was heard. Belongs to one loop; only `save` touches the disk."""

    def __init__(self, path: Path) -> None:
        """Read the file. One that cannot be read is as good as none."""
        self._keepsake = Keepsake(path, Remembered, without="what was said while nothing listened is not heard")
        self._behind: dict[int, int] = {}  # channels with work to do: how far they are
        remembered = self._keepsake.read() or Remembered(0)
        self._heard = remembered.upto
        self._direct = dict.fromkeys(remembered.direct)
        self._changed = asyncio.Event()

    @property
    def upto(self) -> int:
        """Up to which message all channels were heard; 0: nothing is known."""
        return min(self._behind.values(), default=self._heard)

    @property
    def direct(self) -> Iterable[int]:
        """The direct chats that we are in, the newest last."""
        return tuple(self._direct)

    def begin(self, upto: int) -> None:
        """Start here, if it is not known where."""
        if not self._heard:
            self.heard(upto)

    def heard(self, message_id: int) -> None:
        """A message came that needs nothing more."""
        self._heard = max(self._heard, message_id)
        self._changed.set()

    def owe(self, channel: int, upto: int) -> None:
        """A channel has work to do; up to `upto` it has done it."""
        self._behind[channel] = upto
        self._changed.set()

    def settle(self, channel: int) -> None:
        """A channel has done its work."""
        self._heard = max(self._heard, self._behind.pop(channel, 0))
        self._changed.set()

    def meet(self, channel: int) -> bool:
        """We are in this direct chat; say whether that is new."""
        new = channel not in self._direct
        self._direct.pop(channel, None)
        self._direct[channel] = None
        while len(self._direct) > DIRECT_MAX:
            del self._direct[next(iter(self._direct))]
        return new

    async def save(self) -> None:
        """Write the file. A disk that refuses costs nothing but what would be read again after a restart."""
        self._changed.clear()
        await self._keepsake.save(Remembered(self.upto, tuple(self._direct)))

    def kept(self) -> AbstractAsyncContextManager[None]:
        """Keep the file up to date while the block runs, and once more at its end."""
        return kept(self.save, pause_s=PAUSE_S, changed=self._changed.wait)
