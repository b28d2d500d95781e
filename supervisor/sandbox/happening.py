"""One line of a story: when, who did what to whom, and which rows of the store it made or changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

PEOPLE = "people"
AGENT = "agent"
STORE = "store"
PROCESS = "process"
"""Names of those who are one in each story. A platform is called by its name, a session by its key."""


class Kind(StrEnum):
    """What a line means for the process."""

    STEP = "it goes on"
    START = "it starts"
    END = "it ends by itself"
    CRASH = "it dies"
    FAULT = "something goes wrong"
    BROKEN = "a promise is broken"


class Place(IntEnum):
    """Where somebody stands between a person and the disk."""

    PEOPLE = 0
    PLATFORM = 1
    SESSION = 2
    AGENT = 3
    STORE = 4


@dataclass(frozen=True, slots=True)
class Happening:
    """`at` counts seconds since the story began. Without a `target` it concerns its source alone."""

    at: float  # seconds since the story began
    source: str  # who did it
    what: str  # in words
    target: str = ""  # to whom; may be empty
    row: str = ""  # the row of the database that it is about; may be empty
    kind: Kind = Kind.STEP  # what sort of event it is

    @property
    def who(self) -> str:
        """Who did it, and to whom."""
        if self.kind in {Kind.FAULT, Kind.BROKEN}:
            return self.kind.name
        return f"{self.source} > {self.target}" if self.target else self.source

    def __str__(self) -> str:
        """One line, for people."""
        rows = f"  [{self.row}]" if self.row else ""
        return f"{self.at:10.2f}  {self.who:<30} {self.what}{rows}"


def place_of(name: str) -> Place | None:
    """Where this one stands; None for the process as a whole.

    >>> place_of("telegram"), place_of("telegram:me:42")
    (<Place.PLATFORM: 1>, <Place.SESSION: 2>)
    """
    named = {PEOPLE: Place.PEOPLE, AGENT: Place.AGENT, STORE: Place.STORE, PROCESS: None}
    return named.get(name, Place.SESSION if ":" in name else Place.PLATFORM)
