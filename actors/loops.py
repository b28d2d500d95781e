"""An asyncio loop on a thread of its own, which nothing that runs on it can end."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from greenroom.actors.bridge import Bridge

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor


class ThreadLoop(Bridge):
    """`Loop` on the thread `greenroom-loop-<name>`; `asyncio.to_thread` in there uses the runtime's threads."""

    def __init__(self, name: str, report: Callable[[BaseException], None], threads: ThreadPoolExecutor) -> None:
        super().__init__(asyncio.new_event_loop(), report)
        self.asyncio_loop.set_default_executor(threads)
        self.thread = threading.Thread(target=self._run, name=f"greenroom-loop-{name}", daemon=True)
        self._ended = False
        try:
            self.thread.start()
        except RuntimeError:  # The system makes no thread now: what never ran keeps nothing open.
            self.asyncio_loop.close()
            raise

    def _run(self) -> None:
        loop = self.asyncio_loop
        asyncio.set_event_loop(loop)
        while not self._ended:  # Foreign code may call `stop`, or raise SystemExit in a task of its own.
            try:
                loop.run_forever()
            except BaseException as error:  # Invariant: what one callback raises never ends the loop.
                self.report(error)
        asyncio.set_event_loop(None)
        loop.close()

    def begin_close(self, timeout_s: float) -> None:
        """Cancel everything and end the thread, at the latest `timeout_s` from now; join `thread` to wait for it."""
        if not self.closing:
            ends_at = time.monotonic() + timeout_s
            self.asyncio_loop.call_soon_threadsafe(lambda: self.asyncio_loop.create_task(self._close(ends_at)))

    async def _close(self, ends_at: float) -> None:
        try:
            await self.end_all(max(0.0, ends_at - time.monotonic()))
            await self.asyncio_loop.shutdown_asyncgens()
        finally:
            self._ended = True
            self.asyncio_loop.stop()
