"""What one file of the simulated disk remembers: its bytes, and which of them a power cut may take.

This file does no I/O and knows nothing of SQLite.
"""

import itertools
import random
from enum import StrEnum

SECTOR_BYTES = 512
TORN = 0.5  # The share of unsynced writes that a power cut may tear instead of keeping or dropping whole.


Write = tuple[int, bytes | bytearray, bytes | None, int]
"""One that was not synced: its offset, what was there before, what is new (None: truncated), the size before."""


class Loss(StrEnum):
    """What the next process finds of the writes that were never synced."""

    NOTHING = "all of it: only the process died"
    UNSYNCED = "none of it"
    RANDOM = "some of it, out of order, torn at sectors"


class File:
    """One inode: what is read back, and how to undo (or redo a part of) what was not synced."""

    __slots__ = ("locks", "pending", "seen")

    def __init__(self, content: bytes | bytearray = b"") -> None:
        self.seen = content  # As bytes it is shared with other disks; see `own`.
        self.pending: list[Write] = []
        self.locks: dict[int, int] = {}  # id of the open file -> SQLite lock level

    def own(self) -> bytearray:
        """What is read back, to be changed: a file that is only read is never copied."""
        seen = self.seen
        if isinstance(seen, bytes):
            seen = self.seen = bytearray(seen)
        return seen

    def durable(self) -> bytearray:
        content = bytearray(self.seen)
        for offset, old, new, size in reversed(self.pending):
            if new is None:
                content[offset:] = old
            else:
                content[offset : offset + len(old)] = old
                del content[size:]
        return content

    def survives(self, loss: Loss, rng: random.Random) -> bytes | bytearray:
        """What the next process finds, as the content of a file of its own."""
        if loss is Loss.NOTHING:
            return self.seen[:]  # Of bytes that is no copy.
        content = self.durable()
        if loss is Loss.RANDOM:
            kept = rng.random()  # Drawn for each file: nearly all and nearly nothing are the interesting cases.
            for offset, _old, new, _size in self.pending:
                if new is None:
                    if rng.random() < kept:
                        del content[offset:]
                    continue
                for start, end in _sectors(offset, len(new)) if rng.random() < TORN else [(0, len(new))]:
                    if rng.random() < kept:
                        put(content, offset + start, new[start:end])
        return content


def _sectors(offset: int, length: int) -> list[tuple[int, int]]:
    """The pieces of a write at `offset` that reach the platter whole, as positions inside that write."""
    first = SECTOR_BYTES - offset % SECTOR_BYTES
    cuts = [0, *range(first, length, SECTOR_BYTES), length]
    return list(itertools.pairwise(cuts))


def put(content: bytearray, offset: int, part: bytes) -> None:
    if offset == len(content):  # As nearly every write to a journal.
        content += part
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(part)] = part
