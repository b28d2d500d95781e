"""The future behind an ask: pykka's, light enough to be made per message, and awaitable without blocking a loop."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from asyncio.events import _get_running_loop
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pykka

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

T = TypeVar("T")
ExcInfo = tuple[type[BaseException] | None, BaseException | None, "TracebackType | None"]


def wait_on_thread(answer: Answer[Any], timeout: float | None) -> bool:
    """Block this thread until the answer is there; False when `timeout` seconds passed first."""
    bell = threading.Lock()
    bell.acquire()
    answer.on_done(bell.release)
    return bell.acquire(timeout=-1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX))


class Answer(pykka.Future[T]):
    """A `pykka.Future` whose way of waiting is its runtime's: block a thread, or step the simulation."""

    _settling: ClassVar[threading.Lock] = threading.Lock()  # Held for a few instructions: makes "set once" true.
    _get_hook: Callable[[float | None], T] | None = None

    def __init__(self, wait: Callable[[Answer[Any], float | None], bool] = wait_on_thread) -> None:
        # pykka's own __init__ is not called: two attributes for every message that are nearly always the defaults.
        self._wait = wait
        self._done = False
        self._value: T | None = None
        self._exc_info: ExcInfo | None = None
        self._bells: list[Callable[[], object]] = []

    @property
    def done(self) -> bool:
        """Whether the value or the error is there."""
        return self._done

    def set(self, value: T | None = None) -> None:
        self._settle(value, None)

    def set_exception(self, exc_info: ExcInfo | None = None) -> None:
        self._settle(None, exc_info or sys.exc_info())

    def _settle(self, value: T | None, exc_info: ExcInfo | None) -> None:
        with Answer._settling:
            if self._done or self._get_hook is not None:
                raise queue.Full
            self._value = value
            self._exc_info = exc_info
            self._done = True
        self._ring()

    def on_done(self, bell: Callable[[], object]) -> None:
        """Call `bell` once, on whichever thread settles the answer; at once if it is settled."""
        self._bells.append(bell)
        if self._done:
            self._ring()

    def _ring(self) -> None:
        while self._bells:  # Two threads may be here: each bell is popped, and so rung, by exactly one.
            try:
                bell = self._bells.pop()
            except IndexError:
                return
            bell()

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        with Answer._settling:
            if self._done:
                raise queue.Full
            super().set_get_hook(func)
            self._get_hook_result = pykka._future._Unset()  # noqa: SLF001 - what the skipped __init__ sets

    def get(self, *, timeout: float | None = None) -> Any:
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._done and not self._wait(self, timeout):
            msg = f"{timeout} seconds"
            raise pykka.Timeout(msg)
        if self._exc_info is None:
            return self._value
        kind, error, trace = self._exc_info
        if error is None:
            error = (kind or RuntimeError)()
        raise error.with_traceback(trace)

    def __await__(self) -> Generator[Any, None, T]:
        """Wait without blocking the asyncio loop; outside of one, or for a mapped future, pykka's way."""
        loop = _get_running_loop()
        if self._get_hook is not None or loop is None:
            return (yield from super().__await__())
        settled: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not settled.done():
                settled.set_result(None)

        def ring() -> None:
            with suppress(RuntimeError):  # The loop has closed: nobody awaits this any more.
                loop.call_soon_threadsafe(settle)

        self.on_done(ring)
        yield from settled.__await__()
        value: T = self.get(timeout=0)
        return value

    __iter__ = __await__
