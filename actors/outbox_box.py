"""A lane of an outbox's actor, with what waits for it."""

from __future__ import annotations

from collections import deque

from greenroom.actors.outbox_words import Act, Event, Lane


class Box:
    """A lane, and what waits while its commit is under way."""

    __slots__ = ("acts", "lane", "next", "stash")

    def __init__(self) -> None:
        """Begin with nothing to show."""
        self.lane = Lane()
        self.next: Lane | None = None
        self.acts: tuple[Act, ...] = ()
        self.stash: deque[Event] = deque()

    @property
    def owes(self) -> bool:
        """Whether a text waits to become visible, or may."""
        return self.lane.owes or self.next is not None or bool(self.stash)
