"""The runtime of production: a few threads carry all actors, and those that wait for something slow have their own."""

from __future__ import annotations

import asyncio
import contextvars
import random
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from greenroom.actors.answer import wait_on_thread
from greenroom.actors.hosting import HostingRuntime
from greenroom.actors.loops import ThreadLoop
from greenroom.actors.threads import THREADS_MAX, Threads
from greenroom.actors.timers import ThreadTimers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenroom.actors.answer import Answer
    from greenroom.actors.mailbox import Mailbox, Ready
    from greenroom.actors.pooled import PooledActor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

POOL_THREADS = 2
"""Threads that run actors at a time. Actors do not wait, so more than the interpreter can run only take turns."""

POOL_THREADS_MAX = 64
"""With those that stand in for pool threads blocked in an ask; further asks from inside an actor are refused."""

SLICE = 64
"""How many messages an actor handles before the next one gets the thread."""


class SystemClock:
    """`Clock` of the machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class PoolThread(threading.Thread):
    """A thread that runs whichever actor is ready."""

    def __init__(self, pool: Pool, number: int) -> None:
        super().__init__(name=f"greenroom-pool-{number}", daemon=True)
        self.pool = pool

    def run(self) -> None:
        self.pool.work()


class DedicatedThread(threading.Thread):
    """A thread that runs one actor, and ends with it."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._ready: SimpleQueue[Mailbox] = SimpleQueue()

    def put(self, mailbox: Mailbox, /) -> None:
        """See `Ready.put`."""
        self._ready.put(mailbox)

    def run(self) -> None:
        mailbox = self._ready.get()
        while mailbox.actor is not None:
            while mailbox.turn(sys.maxsize):
                pass
            if mailbox.actor is not None:
                self._ready.get()


class Pool:
    """The threads that share the pooled actors."""

    def __init__(self, threads: int, slice_: int) -> None:
        self._ready: SimpleQueue[Mailbox | None] = SimpleQueue()
        self.put: Callable[[Mailbox], None] = self._ready.put
        self._slice = slice_
        self._target = threads
        self._counting = threading.Lock()
        self._blocked = 0
        self._made = 0
        self.threads: set[PoolThread] = set()
        for _ in range(threads):
            self._add_thread()

    def _add_thread(self) -> None:
        self._made += 1
        thread = PoolThread(self, self._made)
        thread.start()
        self.threads.add(thread)

    def work(self) -> None:
        """Run ready actors until there are too many threads, or the pool closes."""
        ready = self._ready
        while (mailbox := ready.get()) is not None:
            actor = mailbox.actor
            # A batch is everything that waits: its size is what a group commit lives by.
            most = sys.maxsize if actor is not None and actor._takes_batches else self._slice  # noqa: SLF001
            del actor
            if mailbox.turn(most):
                ready.put(mailbox)
            del mailbox
            if len(self.threads) - self._blocked > self._target and self._retire():
                return
        ready.put(None)  # Closed: the next thread is to hear it too.

    def _retire(self) -> bool:
        with self._counting:
            surplus = len(self.threads) - self._blocked > self._target
            if surplus:
                self.threads.discard(threading.current_thread())
            return surplus

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """While the calling pool thread waits for an answer, another one carries the actors."""
        with self._counting:
            if len(self.threads) - self._blocked <= self._target:
                if len(self.threads) >= POOL_THREADS_MAX:
                    msg = f"{POOL_THREADS_MAX} actors wait for answers (POOL_THREADS_MAX): tell, and be told the answer"
                    raise RuntimeError(msg)
                self._add_thread()
            self._blocked += 1
        try:
            yield
        finally:
            with self._counting:
                self._blocked -= 1

    def begin_close(self) -> None:
        """Let every thread end after the slice it is in."""
        self._ready.put(None)


class PoolRuntime(HostingRuntime):
    """`Runtime` on threads. Close it: its threads are daemons, but nobody else tells its actors to stop."""

    def __init__(self, *, threads: int = POOL_THREADS, slice_: int = SLICE, threads_max: int = THREADS_MAX) -> None:
        super().__init__(uuid.uuid4().hex)
        self.clock = SystemClock()
        self.random = random.SystemRandom()  # What is drawn from it may be a secret.
        self.timers = ThreadTimers(self.clock, self.report_timer)
        self._pool = Pool(threads, slice_)
        self._threads = Threads(threads_max)
        self._dedicated: list[DedicatedThread] = []
        self._loops: dict[str, ThreadLoop] = {}

    def _ready_for(self, actor_class: type[PooledActor], number: int) -> Ready:
        if not actor_class.dedicated_thread:
            return self._pool
        thread = DedicatedThread(f"greenroom-{actor_class.__name__}-{number}")
        with self.scheduling:
            self._dedicated = [other for other in self._dedicated if other.is_alive()]
            thread.start()
            self._dedicated.append(thread)
        return thread

    def wait(self, answer: Answer[Any], timeout: float | None) -> bool:
        """Block the thread; one of a pool gets a stand-in."""
        thread = threading.current_thread()
        if not isinstance(thread, PoolThread):
            return wait_on_thread(answer, timeout)
        with thread.pool.standing_in():
            return wait_on_thread(answer, timeout)

    def loop(self, name: str) -> ThreadLoop:
        """See `Runtime.loop`."""
        with self.scheduling:
            self._refuse_if_closed(f"open loop {name!r}")
            if name not in self._loops:
                self._loops[name] = ThreadLoop(name, partial(self.report_loop, name), self._threads)
            return self._loops[name]

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """See `Runtime.in_thread`. A cancelled call is not waited for, but its thread is busy until `fn` returns."""
        call = partial(contextvars.copy_context().run, fn, *args)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self, timeout_s: float) -> None:
        """See `Runtime.close`. Idempotent; not to be called from an actor, a timer or a loop of this runtime."""
        if threading.current_thread() in self._all_threads():
            msg = "close: called from a thread of this runtime, which cannot wait for itself; call it from outside"
            raise RuntimeError(msg)
        with self.scheduling:
            self._closed = True
        ends_at = time.monotonic() + timeout_s
        self.timers.close()
        endings = self.kill_all()
        for ending in endings:
            wait_on_thread(ending, ends_at - time.monotonic())
        for loop in self._loops.values():
            # A quarter of the time is left for threads to end in after their stubborn tasks were given up.
            loop.begin_close(max(0.0, (ends_at - time.monotonic()) * 0.75))
        self._pool.begin_close()
        threads = self._all_threads()
        self._threads.shutdown()
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        left = sorted(thread.name for thread in threads if thread.is_alive())
        if left:
            msg = f"after {timeout_s} s these threads still run: {', '.join(left)}"
            raise TimeoutError(msg)

    def _all_threads(self) -> set[threading.Thread]:
        threads: set[threading.Thread] = {*self._pool.threads, *self._dedicated, *self._threads.threads}
        threads.update(loop.thread for loop in self._loops.values())
        if self.timers.thread is not None:
            threads.add(self.timers.thread)
        return threads
