"""Worker threads for synchronous foreign code: few, named, and never in the way of the process's end."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from greenroom.actors.runtime import RuntimeClosed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_Work = tuple[Future[Any], "Callable[..., Any]", tuple[Any, ...], dict[str, Any]]

THREADS_MAX = 64
"""How many synchronous agents and tools run at once in one runtime; further ones wait for a thread."""


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
        self._limit = threads_max
        self._closing = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run `fn` on a thread; raises `RuntimeClosed` after a shutdown."""
        future: Future[T] = Future()
        with self._mutex:
            if self._closing:
                msg = "cannot run in a thread: the runtime is closed"
                raise RuntimeClosed(msg)
            self._free -= 1  # Below zero: so many pieces of work wait for a thread.
            if self._free < 0 and len(self._made) < self._limit:
                self._free += 1
                thread = threading.Thread(target=self._run, name=f"greenroom-worker-{len(self._made)}", daemon=True)
                self._made.append(thread)
                thread.start()
            self._work.put((future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Let each thread end after its work. It never waits: see `threads`."""
        with self._mutex:
            if not self._closing:
                self._closing = True
                for _ in self._made:
                    self._work.put(None)

    @property
    def threads(self) -> list[threading.Thread]:
        """Every thread made, to be joined."""
        return list(self._made)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            future, fn, args, kwargs = work
            del work
            if future.set_running_or_notify_cancel():
                _fulfil(future, fn, args, kwargs)
            del future, fn, args, kwargs  # An idle thread keeps nothing alive.
            with self._mutex:
                self._free += 1


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
