"""What the storage actors are told. Solicited: whether there is room is decided before, at the door of the store."""

from collections.abc import Callable

from msgspec import Struct

from greenroom.actors.facts import Fact
from greenroom.actors.runtime import Solicited
from greenroom.actors.store import Committed, Query, ReadAnswer, Refused
from greenroom.storage.boots import BootEnding


class Scrubbed(Struct, frozen=True):
    """What no longer holds pieces of what was forgotten."""

    file: bool = False  # the database: it was written anew
    journal: bool = False  # it was emptied
    index: bool = False  # of the search: it is made again


class Write(Struct, Solicited, frozen=True):
    """Facts of one caller: all or none."""

    facts: tuple[Fact, ...]
    then: Callable[[Committed | Refused], None]


class Read(Struct, Solicited, frozen=True):
    """One question."""

    query: Query
    then: Callable[[ReadAnswer], None]


class Retry(Struct, Solicited, frozen=True):
    """The wait after a trouble is over."""


class Tidy(Struct, Solicited, frozen=True):
    """Forget a few old rows, if nobody waits for the disk."""


class Scrub(Struct, Solicited, frozen=True):
    """Write the file anew where that is quick, and empty its journal, so that no byte of what was forgotten is left."""

    then: Callable[[Scrubbed], None]


class Finish(Struct, Solicited, frozen=True):
    """Write what waits, end the boot so, and refuse the rest. Asked; the answer is whether it ended clean."""

    reason: str
    ending: BootEnding = BootEnding.CLEAN
