"""Waiting on one asyncio loop for a coroutine that runs on another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from greenroom.actors.runtime import RuntimeClosed

if TYPE_CHECKING:
    from greenroom.actors.runtime import Loop

T = TypeVar("T")


async def across(there: Loop, here: Loop, coroutine: Coroutine[Any, Any, T], *, name: str) -> T:
    """Run a coroutine on the loop `there` and wait for it `here`; whoever is cancelled here cancels it there."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def settle(error: BaseException | None, result: T | None) -> None:
        if future.done():
            return
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # without an error it is what the coroutine returned

    def done(error: BaseException | None, result: T | None) -> None:
        with contextlib.suppress(RuntimeClosed):  # Nobody waits any more.
            here.post(settle, error, result)

    job = there.spawn(coroutine, name=name, done=done)
    try:
        return await future
    except asyncio.CancelledError:
        job.cancel()
        raise
