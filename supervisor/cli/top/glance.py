"""What `greenroom top` shows at a moment, and when it has to look again.

The daemon says by its socket what became true since the last look; the database is read only when something did, or
when ages have grown. Where no daemon serves, SQLite says whether anybody wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from greenroom.storage.lock import Holder, read_holder
from greenroom.storage.views import Only, SessionRow, StoreStatus, open_views, read_sessions, read_store_status
from greenroom.supervisor.cli.ordering import ask_connections, give_order
from greenroom.supervisor.cli.outcome import CommandFailed
from greenroom.supervisor.connections import Connection
from greenroom.supervisor.feed import Entry

SESSIONS_MAX = 200
"""Most sessions that a glance holds: the open ones are found by `only`."""

STANDS_S = 5.0
"""How long a glance stands without news: ages grow."""


@dataclass(frozen=True, slots=True)
class Glance:
    """How things stand. `news` is what became true since the glance before, oldest first."""

    holder: Holder | None
    connections: Sequence[Connection] | None  # None: nobody says
    store: StoreStatus
    sessions: tuple[SessionRow, ...]
    news: tuple[Entry, ...]


class Watch:
    """Looks at one database, as often as it is asked. Blocks for a moment; used by one thread at a time."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the database. Raises CannotOpen."""
        self._path, self._clock = path, clock
        self._db = open_views(path)
        self._number: int | None = None  # of the last entry that was heard; None: the daemon was not asked yet
        self._stamp: object = None
        self._looked_at = float("-inf")

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def look(self, only: Only | None, *, anyway: bool = False) -> Glance | None:
        """How things stand now; None while nothing moved since the last time. `anyway`: also then."""
        holder = read_holder(self._path)
        news = () if holder is None else self._hear()
        stamp = (None if holder is None else holder.pid, self._db.execute("PRAGMA data_version").get)
        now = self._clock()
        if not (anyway or news or stamp != self._stamp or now - self._looked_at >= STANDS_S):
            return None
        self._stamp, self._looked_at = stamp, now
        return Glance(
            holder,
            None if holder is None else ask_connections(self._path),
            read_store_status(self._db),
            read_sessions(self._db, live=holder is not None, only=only, limit=SESSIONS_MAX),
            news,
        )

    def _hear(self) -> tuple[Entry, ...]:
        """Ask the daemon for its news; one that does not say has none."""
        try:
            told = give_order(self._path, order="feed", since=-1 if self._number is None else self._number)
        except CommandFailed:
            return ()
        began_anew = self._number is not None and told["last"] < self._number
        self._number = 0 if began_anew else told["last"]
        return () if began_anew else tuple(msgspec.convert(told["entries"], list[Entry]))
