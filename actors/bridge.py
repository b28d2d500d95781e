"""Between actors and an asyncio loop: handed over in batches, walled against what foreign coroutines raise.

One wake-up carries everything that was posted before the loop got round to it: a `call_soon_threadsafe` for each
message costs a system call each and can starve the loop. The same bridge stands before a thread's loop and before a
simulated one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, TypeVarTuple

from pykka import ActorDeadError

from greenroom.actors.runtime import RuntimeClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger("greenroom.actors")

DRAIN_MAX = 1_024
"""How many posted calls run before the loop's other work gets its turn."""


class BridgedJob(Generic[T]):
    """A coroutine on its way to the loop, on it, or ended."""

    __slots__ = ("_begun", "_bridge", "_coroutine", "_done", "_name", "cancelled", "task")

    def __init__(
        self,
        bridge: Bridge,
        coroutine: Coroutine[Any, Any, T],
        name: str,
        done: Callable[[BaseException | None, T | None], None] | None,
    ) -> None:
        self._bridge = bridge
        self._coroutine = coroutine
        self._name = name
        self._done = done
        self.cancelled = False
        self._begun = False
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """See `Job.cancel`."""
        self._bridge.post(self.cancel_here)

    def begin(self) -> None:
        """Make the task; runs on the loop."""
        self.task = self._bridge.asyncio_loop.create_task(self._run(), name=self._name)

    def cancel_here(self) -> None:
        """Cancel; runs on the loop. A task cancelled before its first step would never tell how it ended."""
        self.cancelled = True
        if self._begun and self.task is not None:
            self.task.cancel()

    def discard(self) -> None:
        """Forget it as a killed process does: nobody is told. The coroutine's `finally` blocks do run."""
        self._done = _unheard
        self._bridge.jobs.pop(self, None)
        try:
            self._coroutine.close()
        except BaseException:  # A dead process's last words are heard by nobody.
            logger.debug("%s did not end cleanly at a simulated crash", self._name, exc_info=True)

    async def _run(self) -> None:
        error: BaseException | None = None
        result: T | None = None
        self._begun = True
        try:
            if self.cancelled:
                self._coroutine.close()
                error = asyncio.CancelledError()
            else:
                result = await self._coroutine
        except GeneratorExit:  # The loop is torn down around us: there is nobody to tell.
            raise
        except BaseException as raised:  # Invariant: foreign code ends its own job, never the loop.
            error = raised
        self._bridge.jobs.pop(self, None)
        self._tell(error, result)

    def _tell(self, error: BaseException | None, result: T | None) -> None:
        if self._done is None:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                self._bridge.report(error)
            return
        try:
            self._done(error, result)
        except ActorDeadError as dead:
            if not self._bridge.closing:  # At the close of a runtime its actors went first.
                self._bridge.report(dead)
        except BaseException as raised:  # Invariant: foreign code ends its own job, never the loop.
            self._bridge.report(raised)


class Bridge:
    """`Loop` before any asyncio loop."""

    def __init__(self, asyncio_loop: asyncio.AbstractEventLoop, report: Callable[[BaseException], None]) -> None:
        self.asyncio_loop = asyncio_loop
        self.report = report
        self.jobs: dict[BridgedJob[Any], None] = {}
        """What was spawned and has not ended, in that order."""
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._awake = False
        self.closing = False

    def post(self, fn: Callable[[*Ts], object], *args: *Ts) -> None:
        """See `Loop.post`; raises `RuntimeClosed` when the loop has ended."""
        if self.closing:
            _refuse_post()
        self._posted.append((fn, args))
        if self._awake:  # Whoever set it has a drain coming that sees what we appended before we looked.
            return
        self._awake = True
        try:
            self.asyncio_loop.call_soon_threadsafe(self._drain)
        except RuntimeError as error:
            _refuse_post(error)

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        name: str,
        done: Callable[[BaseException | None, T | None], None] | None,
    ) -> BridgedJob[T]:
        """See `Loop.spawn`."""
        job = BridgedJob(self, coroutine, name, done)
        self.jobs[job] = None
        try:
            self.post(job.begin)
        except RuntimeClosed:
            job.discard()
            raise
        return job

    def busy_with(self) -> str | None:
        """See `Loop.busy_with`."""
        task = asyncio.current_task(self.asyncio_loop)
        return None if task is None else task.get_name()

    def _drain(self) -> None:
        self._awake = False
        posted = self._posted
        for _ in range(min(len(posted), DRAIN_MAX)):
            fn, args = posted.popleft()
            try:
                fn(*args)
            except BaseException as error:  # Invariant: foreign code ends its own job, never the loop.
                self.report(error)
        if posted and not self._awake:
            self._awake = True
            self.asyncio_loop.call_soon(self._drain)

    def discard(self) -> None:
        """Lose everything that was posted or spawned."""
        self.closing = True
        self._posted.clear()
        for job in tuple(self.jobs):
            job.discard()

    async def end_all(self, timeout_s: float) -> None:
        """Cancel every job and task on the loop, and wait for them; reports what goes on regardless.

        A job that is ending already is left to it for half of the time, and so are the tasks that jobs made, which are
        theirs to end: connections are closed by what a second cancellation would cut short.
        """
        self.closing = True
        while self._posted:
            self._drain()
        for job in tuple(self.jobs):
            if not job.cancelled:
                job.cancel_here()
        if jobs := {job.task for job in tuple(self.jobs) if job.task is not None}:
            await asyncio.wait(jobs, timeout=timeout_s / 2)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for stray in others:
            stray.cancel()
        if not others:
            return
        _, still = await asyncio.wait(others, timeout=timeout_s / 2)
        for task in still:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - it is reported here
            self.report(TimeoutError(f"task {task.get_name()!r} went on {timeout_s} s after it was cancelled"))


def _unheard(_error: BaseException | None, _result: object) -> None:
    """Stands for a listener that died."""


def _refuse_post(cause: BaseException | None = None) -> NoReturn:
    msg = "cannot post: the loop is closed"
    raise RuntimeClosed(msg) from cause
