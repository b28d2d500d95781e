"""One connection to the web server: one of a limited number, that says in time what it wants.

Whoever only holds connections takes them from other visitors of this port, and no open file from the house.
"""

from __future__ import annotations

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX = 1_024
"""Connections to one server at the same time; the next one is hung up on."""

SHARE = 4
"""One server takes no more than one in so many of the files that the process may have open."""

REQUEST_S = 40.0
"""How long a request may take to arrive, from the connection on, or from the first byte of the next one.

An application that has less patience with a body says so in words; behind this nothing is said any more.
"""


def connections_max(files: int) -> int:
    """Say how many connections one server keeps where so many files may be open.

    >>> connections_max(1_024), connections_max(1_048_576), connections_max(resource.RLIM_INFINITY), connections_max(2)
    (256, 1024, 1024, 1)
    """
    return CONNECTIONS_MAX if files == resource.RLIM_INFINITY else max(1, min(CONNECTIONS_MAX, files // SHARE))


class Connection(H11Protocol):
    """See the module."""

    _arriving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take it, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > connections_max(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
            transport.abort()
        else:
            self._judge_patience()

    def handle_events(self) -> None:
        """Take what came; as long as it is no whole request, time runs."""
        super().handle_events()
        self._judge_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        super().connection_lost(exc)
        self._be_patient()

    def _judge_patience(self) -> None:
        cycle = self.cycle  # None before the first request, which uvicorn's types forget.
        whole = cycle is not None and not (cycle.more_body or cycle.response_complete)  # type: ignore[redundant-expr]
        if whole or self.transport.is_closing():
            self._be_patient()
        elif self._arriving is None:
            self._arriving = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _be_patient(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None
