"""Blocking work beside a host's loop: opening and closing, which come before the runtime and after it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

JOIN_S = 10.0
"""How long the thread may take to end once its work is done."""


async def aside(name: str, work: Callable[[], T], hurry: Callable[[], None] = lambda: None) -> T:
    """Run `work` on a thread of its own that ends with it, so that the host's loop goes on. Raises what it raises.

    It is not left half done: who is cancelled calls `hurry`, waits for the end all the same, and is cancelled then.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # Invariant: the waiting host hears of it, whatever it is.
            done.set_exception(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    ended = asyncio.wrap_future(done)
    cancelled: asyncio.CancelledError | None = None
    while not ended.done():
        try:
            await asyncio.wait({ended})
        except asyncio.CancelledError as error:
            cancelled = error
            hurry()
    thread.join(timeout=JOIN_S)
    if cancelled is not None:
        ended.exception()  # Seen: the host wants to hear of its cancellation alone.
        raise cancelled
    return ended.result()
