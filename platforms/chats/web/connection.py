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

HEAD_S = 20.0
"""How long the head of a request may take to arrive: from the connection on, or from the first byte of the next one."""


def connections_max(files: int) -> int:
    """Say how many connections one server keeps where so many files may be open.

    >>> connections_max(1_024), connections_max(1_048_576), connections_max(resource.RLIM_INFINITY), connections_max(2)
    (256, 1024, 1024, 1)
    """
    return CONNECTIONS_MAX if files == resource.RLIM_INFINITY else max(1, min(CONNECTIONS_MAX, files // SHARE))


class Connection(H11Protocol):
    """See the module. How long a body may take is for the application to say, which reads it."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take it, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > connections_max(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
            transport.abort()
        else:
            self._judge_patience()

    def data_received(self, data: bytes) -> None:
        """Take what came; as long as it is no whole request, time runs."""
        super().data_received(data)
        self._judge_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        super().connection_lost(exc)
        self._be_patient()

    def _judge_patience(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # not at first
        if answering or self.transport.is_closing():
            self._be_patient()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_S, self.transport.abort)

    def _be_patient(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
