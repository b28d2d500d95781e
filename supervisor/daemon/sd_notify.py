"""Telling the service manager how it goes: systemd's protocol of datagrams, where `$NOTIFY_SOCKET` names one.

Without such a socket nothing is told, and nothing else changes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import MutableMapping

SOCKET_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE = "WATCHDOG_USEC"
WATCHDOG_PID_VARIABLE = "WATCHDOG_PID"

SEND_S = 2.0
"""How long a manager may take to take what it is told; after that this word is lost."""

STATUS_MAX = 500
"""Longest line of STATUS, in characters."""

logger = logging.getLogger("greenroom.daemon")


class Notifier:
    """Speaks to the service manager of this process. Made once: the variables are taken out of the environment.

    So no child of ours (an agent, a tool) can speak in our name.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Read where it listens, and how often it wants a sign of life."""
        named = environment.pop(SOCKET_VARIABLE, "")
        watched = environment.pop(WATCHDOG_PID_VARIABLE, str(os.getpid()))
        usec = environment.pop(WATCHDOG_VARIABLE, "")
        self._address = f"\0{named[1:]}" if named.startswith("@") else named
        if self._address and self._address[0] not in "/\0":
            logger.warning(
                "%s=%s: only @NAME and /PATH are known; the service manager is told nothing", SOCKET_VARIABLE, named
            )
            self._address = ""
        mine = watched == str(os.getpid()) and usec.isascii() and usec.isdigit()
        self.watchdog_s: float | None = int(usec) / 1e6 if self._address and mine and int(usec) > 0 else None
        """Within how long the manager wants to hear WATCHDOG=1, if it does."""

    def tell(self, *states: str, status: str | None = None) -> None:
        """Tell `NAME=VALUE` lines, and how it goes in words. What cannot be told is lost, and costs nothing else."""
        if not self._address:
            return
        lines = states if status is None else (*states, f"STATUS={' '.join(status.split())[:STATUS_MAX]}")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.settimeout(SEND_S)
            wire.connect(self._address)
            wire.sendall("\n".join(lines).encode(errors="replace"))

    def ready(self, status: str) -> None:
        """All that this process is for is there, or there again after a reload."""
        self.tell("READY=1", status=status)

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={usec}", status="reading the configuration again")

    def stopping(self, within_s: float, status: str) -> None:
        """The end has begun, and may take so long: only after that it should be forced."""
        self.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(within_s * 1e6)}", status=status)

    def alive(self, status: str) -> None:
        """Storage and actors have answered."""
        self.tell(*(["WATCHDOG=1"] if self.watchdog_s is not None else []), status=status)
