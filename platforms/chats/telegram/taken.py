"""What was taken lately: what becomes of it is for us, whatever it says. In memory only, and bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

from greenroom.platforms.chats.telegram.codec import Told

T = TypeVar("T")

TAKEN_MAX = 10_000
"""So many messages are known to have been taken."""


Spot = tuple[str, str | None]


class Taken:
    """The newest messages that are on disk, as they read now. An album is one message under each of its items."""

    def __init__(self) -> None:
        self._messages: OrderedDict[Spot, tuple[Told, ...]] = OrderedDict()
        self._albums: OrderedDict[Spot, None] = OrderedDict()

    def add(self, items: Sequence[Told]) -> None:
        """Remember a message, or how it reads now."""
        for told in items:
            chat, number = told.inbound.key.chat, told.inbound.reply_to
            _put(self._messages, (chat, number), tuple(items))
            if told.album is not None:
                _put(self._albums, (chat, told.album), None)

    def find(self, told: Told) -> tuple[Told, ...]:
        """All items of the message that this is, or is an edit of; none if it was not taken, or long ago."""
        return self._messages.get((told.inbound.key.chat, told.inbound.reply_to), ())

    def knows(self, told: Told) -> bool:
        """Whether this belongs to what was taken: an edit of it, or one item more of an album."""
        return bool(self.find(told)) or (told.inbound.key.chat, told.album) in self._albums


def _put(known: OrderedDict[Spot, T], spot: Spot, what: T) -> None:
    known[spot] = what
    known.move_to_end(spot)
    if len(known) > TAKEN_MAX:
        known.popitem(last=False)
