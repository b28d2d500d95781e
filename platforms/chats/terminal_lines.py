"""Lines from a terminal, a pipe or a file, read on the event loop without a thread and without blocking it."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from dataclasses import dataclass

LINE_MAX_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
AHEAD_MAX = 1_000
"""Lines that are read before they are asked for; more stay in the kernel."""


@dataclass(frozen=True, slots=True)
class Overlong:
    """A line longer than LINE_MAX_BYTES; its text is not kept."""


class Splitter:
    """Cuts bytes into lines. Bytes that are not UTF-8 become U+FFFD; a last line needs no line end."""

    def __init__(self, heard: Callable[[str | Overlong], None] = lambda _: None) -> None:
        """Start at the beginning of a line. `heard` is told of each as soon as it is whole."""
        self._heard = heard
        self._rest = bytearray()
        self._skipping = False
        self._ready: list[str | Overlong] = []

    def feed(self, chunk: bytes) -> None:
        """Take what was read; an empty chunk is the end."""
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._rest += piece
            self._finish()
        self._rest += rest
        if not chunk and (self._rest or self._skipping):
            self._finish()
        if len(self._rest) > LINE_MAX_BYTES:
            self._skipping = True
            self._rest.clear()

    def take(self) -> str | Overlong | None:
        """Take the next whole line."""
        return self._ready.pop(0) if self._ready else None

    @property
    def ahead(self) -> int:
        """How many whole lines nobody has taken."""
        return len(self._ready)

    def _finish(self) -> None:
        overlong = self._skipping or len(self._rest) > LINE_MAX_BYTES
        line = Overlong() if overlong else self._rest.decode(errors="replace").removesuffix("\r")
        self._ready.append(line)
        self._heard(line)
        self._rest.clear()
        self._skipping = False


class LineReader:
    """Reads lines from a file descriptor when they are asked for; what is not asked for stays in the kernel.

    Of a terminal, which shows what is typed at once, `catch_up` reads ahead.
    """

    def __init__(self, descriptor: int, heard: Callable[[str | Overlong], None] = lambda _: None) -> None:
        """Read from `descriptor`, which stays open and blocking, as others may share it.

        `heard` is told of each line when it is read, which may be long before it is asked for.
        """
        self._descriptor = descriptor
        self._splitter = Splitter(heard)
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    async def next(self) -> str | Overlong | None:
        """Wait for a line; None at the end."""
        while True:
            line = self._splitter.take()
            if line is not None or self._ended:
                return line
            await self._readable()
            self._read_ready()

    def catch_up(self) -> None:
        """Read what was typed and not read yet."""
        while self._splitter.ahead < AHEAD_MAX and self._read_ready():
            pass

    def _read_ready(self) -> bool:
        """Read once, if that does not block; whoever waits for a line looks again."""
        if self._ended or not select.select([self._descriptor], [], [], 0)[0]:
            return False
        chunk = os.read(self._descriptor, CHUNK_BYTES)
        self._splitter.feed(chunk)
        self._ended = not chunk
        self._wake()
        return True

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        try:
            loop.add_reader(self._descriptor, self._wake)
        except PermissionError:
            return  # A regular file: it is always readable, and the loop cannot watch it.
        try:
            await self._waiting
        finally:
            loop.remove_reader(self._descriptor)
