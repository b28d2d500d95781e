"""What the storage actors are told. Solicited: whether there is room is decided before, at the door of the store."""

import logging
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from greenroom.actors.facts import Fact
from greenroom.actors.runtime import Awaited, Solicited
from greenroom.actors.store import Committed, Query, ReadAnswer, ReadFailed, RefusalKind, Refused
from greenroom.storage.boots import BootEnding

CLOSED = Refused(RefusalKind.CLOSED, "the store is closed; offer it again when greenroom runs again")

logger = logging.getLogger("greenroom.storage")


def call_back(then: Callable[..., None], *answer: Any) -> None:
    """Give an answer to whoever waits for it."""
    try:
        then(*answer)
    except Exception:  # Invariant: one listener's error leaves none of its neighbours without an answer.
        logger.exception("a listener of the store failed")


class Scrubbed(Struct, frozen=True):
    """What no longer holds pieces of what was forgotten."""

    file: bool = False  # the database: it was written anew
    journal: bool = False  # it was emptied
    index: bool = False  # of the search: it is made again


class Write(Struct, Solicited, Awaited, frozen=True):
    """Facts of one caller: all or none."""

    facts: tuple[Fact, ...]
    then: Callable[[Committed | Refused], None]

    def turn_back(self) -> None:
        """See `Awaited`."""
        call_back(self.then, CLOSED)


class Read(Struct, Solicited, Awaited, frozen=True):
    """One question."""

    query: Query
    then: Callable[[ReadAnswer], None]

    def turn_back(self) -> None:
        """See `Awaited`."""
        call_back(self.then, ReadFailed(CLOSED.detail))


class Retry(Struct, Solicited, frozen=True):
    """The wait after a trouble is over."""


class Tidy(Struct, Solicited, frozen=True):
    """Forget a few old rows, if nobody waits for the disk."""


class Scrub(Struct, Solicited, Awaited, frozen=True):
    """Write the file anew where that is quick, and empty its journal, so that no byte of what was forgotten is left."""

    then: Callable[[Scrubbed], None]

    def turn_back(self) -> None:
        """See `Awaited`."""
        call_back(self.then, Scrubbed())


class Finish(Struct, Solicited, frozen=True):
    """Write what waits, end the boot so, and refuse the rest. Asked; the answer is whether it ended clean."""

    reason: str
    ending: BootEnding = BootEnding.CLEAN
