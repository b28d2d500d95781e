"""An asyncio loop in virtual time: it runs one callback when it is told to, and never waits, connects or forks.

Ordinary asyncio code (sleep, timeout, TaskGroup, Event, Queue, to_thread) runs on it unchanged. Whatever would leave
the process is refused by name: a simulated platform stands where a socket would.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import sys
import weakref
from asyncio.events import _get_running_loop, _set_running_loop
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from contextvars import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger("greenroom.actors")


class NotSimulated(RuntimeError):
    """Code under simulation asked for something that exists only outside of it."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """A loop for a simulation to step; it calls `wake(self)` when something becomes ready and nothing was."""

    def __init__(
        self,
        clock: Callable[[], float],
        wake: Callable[[VirtualLoop], None],
        report: Callable[[BaseException], None],
        number: int = 0,
    ) -> None:
        self.number = number
        self._clock = clock
        self._wake = wake
        self._report = report
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._sequence = 0
        self._queued = False
        self._closed = False
        self._tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        self._exception_handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None

    # What the simulation calls.

    def turn(self) -> bool:
        """Run the next callback; True if another one is ready."""
        ready = self._ready
        outer = _get_running_loop()
        _set_running_loop(self)
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._finish_generator)
        try:
            while ready:
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 - what a loop is for
                    break
        except BaseException as error:  # Invariant: foreign code ends its own job, never the loop.
            self._report(error)
        finally:
            sys.set_asyncgen_hooks(*hooks)
            _set_running_loop(outer)
        self._queued = bool(ready)
        return self._queued

    def next_at(self) -> float:
        """When the next timer is due; infinity if there is none."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        return timers[0][0] if timers else float("inf")

    def ripen(self) -> None:
        """Time has moved: make the timers that are due ready."""
        now = self._clock()
        while self.next_at() <= now:
            self._enqueue(heapq.heappop(self._timers)[2])

    def discard(self) -> None:
        """Close as a killed process does: no task runs on. `finally` blocks do run, since Python has no other way."""
        self._closed = True
        for task in sorted(self._tasks, key=self._tasks.__getitem__):
            if task.done():
                continue
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - killed, not forgotten
            coroutine = task.get_coro()
            try:
                coroutine.close()
            except BaseException:  # A dead process's last words are heard by nobody.
                logger.debug("%s did not end cleanly at a simulated crash", task.get_name(), exc_info=True)
        self._ready.clear()
        self._timers.clear()

    # What asyncio calls.

    def time(self) -> float:
        return self._clock()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._refuse_if_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._enqueue(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._clock() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._refuse_if_closed()
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        if when <= self._clock():
            self._enqueue(timer)
        else:
            self._sequence += 1
            heapq.heappush(self._timers, (when, self._sequence, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to count: cancelled timers leave the heap when they come up."""

    def _enqueue(self, handle: asyncio.Handle) -> None:
        self._ready.append(handle)
        if not self._queued:
            self._queued = True
            self._wake(self)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            msg = "Event loop is closed"
            raise RuntimeError(msg)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._refuse_if_closed()
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._sequence += 1
        self._tasks[task] = self._sequence
        return task

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:  # noqa: ARG002
        """Run it now, here: a thread has no place under a seed."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:
            future.set_exception(RuntimeError(f"a function run in a thread raised {error!r}"))
        except BaseException as error:  # Invariant: foreign code ends its own job, never the loop.
            future.set_exception(error)
        return future

    def _finish_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._closed:
            self.create_task(generator.aclose(), name="close an abandoned async generator")

    async def shutdown_asyncgens(self) -> None:
        """Nothing is left to do: abandoned generators are closed as they are collected."""

    async def shutdown_default_executor(self) -> None:
        """There is none."""

    def is_running(self) -> bool:
        return _get_running_loop() is self

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self.discard()

    def stop(self) -> None:
        _refuse("stop")

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001
        """Ignored: debugging a loop means timing it."""

    def get_task_factory(self) -> None:
        return None

    def set_exception_handler(
        self, handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None
    ) -> None:
        self._exception_handler = handler

    def get_exception_handler(self) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None:
        return self._exception_handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._report(error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)


def _refuse(name: str) -> NoReturn:
    msg = f"the simulated loop has no {name}: nothing leaves the process; use a simulated platform"
    raise NotSimulated(msg)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refused(_loop: VirtualLoop, *_args: Any, **_kwargs: Any) -> NoReturn:
        _refuse(name)

    refused.__name__ = name
    return refused


for _name in vars(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(VirtualLoop):
        setattr(VirtualLoop, _name, _refusal(_name))
