"""The daemon's orders as events on its loop: stop, hurry, reload, dump."""

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from greenroom.supervisor.drain import Intent

STOPPING = (signal.SIGTERM, signal.SIGINT)
RESTARTING = signal.SIGUSR2


class Orders:
    """What the operator told the process. `stop` is set by the first order to end, `hurry` by the second.

    SIGTERM and SIGINT end it; SIGUSR2 ends it as well, and says that it will be started again at once (for systemd:
    `RestartKillSignal=SIGUSR2`). What was told first is the `intent`.
    """

    def __init__(self) -> None:
        """Nothing was told yet."""
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self.intent = Intent.SHUTDOWN

    @contextmanager
    def taken(self, *, on_reload: Callable[[], None], on_dump: Callable[[], None]) -> Iterator[None]:
        """Take orders on the running loop within this block. SIGHUP reloads, SIGUSR1 dumps."""
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self.end, Intent.SHUTDOWN)
        loop.add_signal_handler(RESTARTING, self.end, Intent.RESTART)
        loop.add_signal_handler(signal.SIGHUP, on_reload)
        loop.add_signal_handler(signal.SIGUSR1, on_dump)
        # Below Python: it writes the stacks even when no Python code gets to run, then lets the loop hear of it.
        faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True, chain=True)
        try:
            yield
        finally:
            faulthandler.unregister(signal.SIGUSR1)
            for number in (*STOPPING, RESTARTING, signal.SIGHUP, signal.SIGUSR1):
                loop.remove_signal_handler(number)

    def end(self, intent: Intent) -> None:
        """Let the process end; told again, at once."""
        if self.stop.is_set():
            self.hurry.set()
        else:
            self.intent = intent
            self.stop.set()
