"""A small file beside the database: what a platform must remember that the store does not hold.

It holds one value of a type that msgspec knows, is replaced whole, and only its owner can read it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from greenroom.actors.atomic import replace_file

T = TypeVar("T")

logger = logging.getLogger("greenroom.platform")


class Keepsake(Generic[T]):
    """One such file. Every call but `save` touches the disk in the caller's thread."""

    def __init__(self, path: Path, kind: type[T], *, without: str) -> None:
        """`without` says, for whoever reads the log, what follows where the file is there and cannot be read."""
        self.path = path
        self._kind, self._without = kind, without

    def read(self) -> T | None:
        """Read what it holds; None: there is no file, or, with a warning, none that can be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=self._kind)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
            logger.warning("%s cannot be read: %s; %s", self.path, error, self._without)
            return None

    def write(self, value: T) -> None:
        """Replace what it holds, durably. Any OSError goes to the caller."""
        replace_file(self.path, msgspec.json.encode(value))

    async def save(self, value: T) -> None:
        """Replace what it holds, where that is no condition for anything: a disk that refuses is told in the log."""
        try:
            await write_whole(lambda: self.write(value))
        except OSError as error:
            logger.warning("%s cannot be written: %s", self.path, error)


async def write_whole(write: Callable[[], None]) -> None:
    """Write in a thread. Who is cancelled meanwhile waits for its end: what comes next in this process may read it."""
    writing = asyncio.ensure_future(asyncio.to_thread(write))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        if not writing.cancelled() and (error := writing.exception()) is not None:
            logger.warning("the last of a platform's memory was not written: %s", error)
        raise


@asynccontextmanager
async def kept(
    save: Callable[[], Awaitable[None]],
    *,
    pause_s: float,
    changed: Callable[[], Awaitable[object]] | None = None,
) -> AsyncIterator[None]:
    """Save while the block runs, and once more at its end: each time that something `changed`, or always.

    Between two times there are at least `pause_s`.
    """
    keeper = asyncio.create_task(_keep(save, pause_s, changed))
    try:
        yield
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await save()


async def _keep(
    save: Callable[[], Awaitable[None]], pause_s: float, changed: Callable[[], Awaitable[object]] | None
) -> None:
    while True:
        if changed is not None:
            await changed()
        await save()
        await asyncio.sleep(pause_s)
