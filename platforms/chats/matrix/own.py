"""What we know of our own messages: where they are, under which key, and whether they are still there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

REMEMBERED_MAX = 10_000
"""Messages that are remembered; of older ones the server is asked."""

KEPT_MAX = 256
"""Messages that are kept with the position: more than can be under way when a process dies."""


class Recent(Generic[K, V]):
    """A mapping that forgets what was written longest ago."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        """`most` is how many are remembered."""
        self._values: OrderedDict[K, V] = OrderedDict()
        self._most = most

    def put(self, key: K, value: V) -> None:
        """Remember, as the newest."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def get(self, key: K) -> V | None:
        """Recall; None if it was forgotten."""
        return self._values.get(key)

    def newest(self, most: int) -> dict[K, V]:
        """What was written last, newest first."""
        return dict(islice(reversed(self._values.items()), most))


class OwnMessages:
    """Our messages as the server echoes them, and as we sent them.

    A server knows a repeated request for a day at most, and only from the same device. What was sent before a crash is
    kept with the position of the sync, or comes back to us in the first answer after that position, before anything is
    sent again: so it is known by its key here.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._by_key: Recent[str, str] = Recent()
        self._there: Recent[tuple[str, str], bool] = Recent()  # by room and event

    def posted(self, room: str, event_id: str, key: str | None = None) -> None:
        """A message of ours is there."""
        if self._there.get((room, event_id)) is None:
            self._there.put((room, event_id), value=True)
        if key is not None and self._by_key.get(key) is None:
            self._by_key.put(key, event_id)

    def recall(self, kept: Mapping[str, str]) -> None:
        """Take what `latest` said to a process before this one; whether they are still there is not known."""
        for key, event_id in reversed(list(kept.items())):
            self._by_key.put(key, event_id)

    def latest(self) -> dict[str, str]:
        """What is to be kept with the position: the newest messages by their keys."""
        return self._by_key.newest(KEPT_MAX)

    def removed(self, room: str, event_id: str) -> None:
        """A message is gone; of another's it means nothing."""
        if self._there.get((room, event_id)):
            self._there.put((room, event_id), value=False)

    def under(self, key: str) -> str | None:
        """The message that was posted under this key, if it is known."""
        return self._by_key.get(key)

    def is_there(self, room: str, event_id: str) -> bool | None:
        """Whether a message of ours is still there; None: not known, and maybe not ours."""
        return self._there.get((room, event_id))
