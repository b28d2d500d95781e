"""Pipes to and from a process that are ours and not asyncio's.

Up to Python 3.12.3 a process whose pipe asyncio keeps counts as living for as long as anybody holds the other end
(python/cpython#119710).
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import BinaryIO

LINE_MAX = 65_536
"""Bytes of a line that are waited for, where nobody says otherwise; twice as many are taken out of a pipe ahead."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a process says, and the pipe it comes through."""

    words: asyncio.StreamReader
    transport: asyncio.ReadTransport
    closed: asyncio.Event  # nobody holds the other end any more, or we closed ours


class _Listening(asyncio.StreamReaderProtocol):
    """Tells of the end at once, also while what was said before it is not read yet."""

    def __init__(self, words: asyncio.StreamReader, closed: asyncio.Event) -> None:
        super().__init__(words, loop=asyncio.get_running_loop())
        self._closed_event = closed

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._closed_event.set()


async def open_output(line_max: int = LINE_MAX) -> tuple[Output, BinaryIO]:
    """A pipe out of a process: what comes out of it, and the end that is given to the process."""
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    words, closed = asyncio.StreamReader(limit=line_max, loop=loop), asyncio.Event()
    transport, _ = await loop.connect_read_pipe(lambda: _Listening(words, closed), os.fdopen(read_end, "rb", 0))
    return Output(words, transport, closed), os.fdopen(write_end, "wb", 0)


async def open_input() -> tuple[asyncio.StreamWriter, BinaryIO]:
    """A pipe into a process: where to write, and the end that is given to the process."""
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), loop=loop)
    transport, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(write_end, "wb", 0))
    return asyncio.StreamWriter(transport, protocol, None, loop), os.fdopen(read_end, "rb", 0)
