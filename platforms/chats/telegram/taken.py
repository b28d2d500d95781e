"""What was taken lately: what becomes of it is for us, whatever it says. In memory only, and bounded."""

from __future__ import annotations

from collections import OrderedDict

from greenroom.platforms.chats.telegram.codec import Told

TAKEN_MAX = 10_000
"""So many messages are known to have been taken."""


class Taken:
    """The newest messages that are on disk, as they read now."""

    def __init__(self) -> None:
        self._messages: OrderedDict[tuple[str, str | None], Told] = OrderedDict()

    def add(self, told: Told) -> None:
        """Remember a message, or how it reads now."""
        spot = _spot(told)
        self._messages[spot] = told
        self._messages.move_to_end(spot)
        if len(self._messages) > TAKEN_MAX:
            self._messages.popitem(last=False)

    def find(self, told: Told) -> Told | None:
        """The message that this is, or is an edit of; None if it was not taken, or long ago."""
        return self._messages.get(_spot(told))


def _spot(told: Told) -> tuple[str, str | None]:
    return told.inbound.key.chat, told.inbound.reply_to
