"""The daemon's signals as events on its loop: stop, hurry, reload, dump."""

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Orders:
    """What the operator told the process. `stop` is set by the first SIGTERM or SIGINT, `hurry` by the second."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()

    @contextmanager
    def taken(self, *, on_reload: Callable[[], None], on_dump: Callable[[], None]) -> Iterator[None]:
        """Take orders on the running loop within this block. SIGHUP reloads, SIGUSR1 dumps."""
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self._hear_stop)
        loop.add_signal_handler(signal.SIGHUP, on_reload)
        loop.add_signal_handler(signal.SIGUSR1, on_dump)
        # Below Python: it writes the stacks even when no Python code gets to run, then lets the loop hear of it.
        faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True, chain=True)
        try:
            yield
        finally:
            faulthandler.unregister(signal.SIGUSR1)
            for number in (*STOPPING, signal.SIGHUP, signal.SIGUSR1):
                loop.remove_signal_handler(number)

    def _hear_stop(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()
