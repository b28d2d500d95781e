"""Worker threads for synchronous foreign code: few, named, and never in the way of the process's end."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from greenroom.actors.runtime import RuntimeClosed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_Work = tuple["_Call[Any]", "Callable[..., Any]", tuple[Any, ...], dict[str, Any]]

THREADS_MAX = 64
"""How many synchronous agents and tools run at once in one runtime; further ones wait for a thread."""

GIVEN_UP_MAX = 256
"""How many threads more may be made for those whose function was given up and does not return."""

logger = logging.getLogger("greenroom.actors")


class _Call(Future[T]):
    """What `submit` returns. Cancelling it while it runs stops nothing, but its thread is not counted any more."""

    def __init__(self, threads: Threads) -> None:
        super().__init__()
        self._threads = threads

    def cancel(self) -> bool:
        """See `Future.cancel`; asyncio calls it when whoever waits for the result was cancelled."""
        cancelled = super().cancel()
        if not cancelled:
            self._threads.give_up(self)
        return cancelled


class Threads(ThreadPoolExecutor):
    """An executor asyncio accepts as its default, on daemon threads.

    The standard one joins its threads when the interpreter ends: one hung agent would keep the process alive for ever.
    """

    def __init__(self, threads_max: int = THREADS_MAX) -> None:
        super().__init__(max_workers=threads_max)  # It makes no thread before a submit, and submit is ours.
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._mutex = threading.Lock()
        self._made: list[threading.Thread] = []
        self._free = 0
        self._count = 0  # of threads ever made
        self._working = 0  # of those that have not ended, and are not about to
        self._limit = threads_max
        self._given_up: set[_Call[Any]] = set()
        self._closing = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run `fn` on a thread. Raises `RuntimeClosed` after a shutdown, and RuntimeError where none can be made."""
        future = _Call[T](self)
        with self._mutex:
            if self._closing:
                msg = "cannot run in a thread: the runtime is closed"
                raise RuntimeClosed(msg)
            self._start_if_needed(more=1)  # What raises here is not done: the caller may try it again.
            self._free -= 1  # Below zero: so many pieces of work wait for a thread.
            self._work.put((future, fn, args, kwargs))
        return future

    def give_up(self, call: _Call[Any]) -> None:
        """Nobody waits for this call any more: while it runs on, another thread may stand in for its own."""
        with self._mutex:
            if self._closing or not call.running() or call in self._given_up or len(self._given_up) >= GIVEN_UP_MAX:
                return
            self._given_up.add(call)
            logger.warning("a synchronous function was given up and runs on; %d such threads", len(self._given_up))
            with suppress(RuntimeError):  # The system makes none now; what waits is done by those that there are.
                self._start_if_needed()

    def _start_if_needed(self, more: int = 0) -> None:
        if self._free < more and self._working < self._limit + len(self._given_up):
            thread = threading.Thread(target=self._run, name=f"greenroom-worker-{self._count}", daemon=True)
            thread.start()
            self._free += 1
            self._working += 1
            self._count += 1
            self._made = [*(each for each in self._made if each.is_alive()), thread]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Let each thread end after its work. It never waits: see `threads`."""
        with self._mutex:
            if not self._closing:
                self._closing = True
                for _ in self._made:
                    self._work.put(None)

    @property
    def threads(self) -> list[threading.Thread]:
        """Every thread that was made and may still run, to be joined."""
        return list(self._made)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            future, fn, args, kwargs = work
            del work
            if future.set_running_or_notify_cancel():
                _fulfil(future, fn, args, kwargs)
            with self._mutex:
                if future in self._given_up:  # Another one stands in for this.
                    self._given_up.remove(future)
                    self._working -= 1
                    return
                self._free += 1
            del future, fn, args, kwargs  # An idle thread keeps nothing alive.


def _fulfil(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        result = fn(*args, **kwargs)
    except StopIteration as error:  # asyncio cannot carry one through an await.
        wrong = RuntimeError("a function run in a thread raised StopIteration")
        wrong.__cause__ = error
        future.set_exception(wrong)
    except BaseException as error:  # Invariant: the waiting coroutine hears of it, and the thread lives on.
        future.set_exception(error)
    else:
        future.set_result(result)
