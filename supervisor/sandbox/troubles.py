"""What chats are told of a disk that refuses, watched as it happens: no row stands for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from greenroom.supervisor.attachments import TROUBLE

if TYPE_CHECKING:
    from greenroom.platforms.fakes.platform import Seen

HEARD_S = 0.5
"""After so long everybody has heard that it is over."""


class Troubles:
    """Those of one world, of whichever process."""

    def __init__(self) -> None:
        """Begin with a disk that takes writes."""
        self._over_since: float | None = None
        self._told: set[Seen] = set()

    def hear(self, now: float, *, lasts: bool) -> None:
        """The host is told that the disk refuses, or that it takes writes again."""
        self._over_since = None if lasts else now

    def look_at(self, seen: Seen, now: float, break_promise: Callable[[str, str], None]) -> None:
        """Say of this call to a platform if it must not be made."""
        if seen.name != "send" or seen.key is None or not seen.key.startswith(TROUBLE):
            return
        if seen in self._told:
            break_promise("a_trouble_is_told_once", f"{seen.session} reads {seen.text!r} again")
        self._told.add(seen)
        if self._over_since is not None and now - self._over_since > HEARD_S:
            break_promise("a_trouble_is_told_while_it_lasts", f"{seen.session} reads {seen.text!r}")
