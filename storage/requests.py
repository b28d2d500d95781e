"""What the storage actors are told. Solicited: whether there is room is decided before, at the door of the store."""

from collections.abc import Callable
from dataclasses import dataclass

from greenroom.actors.facts import Fact
from greenroom.actors.runtime import Solicited
from greenroom.actors.store import Committed, Query, ReadAnswer, Refused
from greenroom.storage.boots import BootEnding


@dataclass(frozen=True, slots=True)
class Write(Solicited):
    """Facts of one caller: all or none."""

    facts: tuple[Fact, ...]
    then: Callable[[Committed | Refused], None]


@dataclass(frozen=True, slots=True)
class Read(Solicited):
    """One question."""

    query: Query
    then: Callable[[ReadAnswer], None]


@dataclass(frozen=True, slots=True)
class Retry(Solicited):
    """The wait after a trouble is over."""


@dataclass(frozen=True, slots=True)
class Finish(Solicited):
    """Write what waits, end the boot so, and refuse the rest. Asked; the answer is whether it ended clean."""

    reason: str
    ending: BootEnding = BootEnding.CLEAN
