"""What the store made true, in words, as it happens: one for each commit, kept for a while, heard by any number.

Whoever watches is told that there is news and asks for it by number: the database is not asked once a watcher.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from greenroom.actors import facts as f
from greenroom.actors.model import SessionId
from greenroom.actors.pairing_facts import ChatPaired, ChatUnpaired, CodeMissed, CodeOffered
from greenroom.actors.process_facts import ProcessConsumed
from greenroom.supervisor.fact_words import say

if TYPE_CHECKING:
    from greenroom.actors.facts import Fact
    from greenroom.actors.store import GroupCommitted

ENTRIES_MAX = 2_000
"""How many entries are kept: whoever was away for longer reads the database."""

logger = logging.getLogger("greenroom.supervisor")


class Entry(Struct, frozen=True):
    """One thing that became true. `number` counts since the process began; `chat` is known where the fact names it."""

    number: int
    at: float  # UTC epoch seconds
    what: str
    session: SessionId | None = None
    chat: str | None = None


class Feed:
    """The last entries, and who wants to know of new ones. Used from any thread."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        """Begin with nothing."""
        self._entries: deque[Entry] = deque(maxlen=entries_max)
        self._last = 0
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def last(self) -> int:
        """The number of the newest entry; 0 before the first."""
        return self._last

    def hear(self, group: GroupCommitted) -> None:
        """Take in what a commit made true. Called on the storage thread."""
        told = [fact for fact in group.facts if not isinstance(fact, UNTOLD)]
        if not told:
            return
        with self._lock:
            for fact in told:
                self._last += 1
                session, chat = whose(fact)
                self._entries.append(Entry(self._last, group.at, say(fact), session, chat))
            listeners = tuple(self._listeners)
        for tell in listeners:
            try:
                tell()
            except Exception:  # Invariant: a watcher's error costs no other watcher anything, and no commit.
                logger.exception("a watcher of the feed failed")

    def since(self, number: int) -> tuple[Entry, ...]:
        """The entries after this number that are still kept, oldest first."""
        with self._lock:
            missed = min(len(self._entries), self._last - number)
            return tuple(self._entries[at] for at in range(len(self._entries) - missed, len(self._entries)))

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have `tell` called when there is news: on the storage thread, at once. What is returned ends that."""
        with self._lock:
            self._listeners.append(tell)

        def leave() -> None:
            with self._lock:
                self._listeners.remove(tell)

        return leave


UNTOLD = (
    f.RunProgressed,
    f.InboundTaken,
    f.RunSpent,
    f.RestartsCounted,
    f.RowsForgotten,
    f.DeliveryFilled,
    f.DoubtTold,
    ProcessConsumed,
)
"""What nobody watches for: bookkeeping beside a fact that is told."""


def whose(fact: Fact) -> tuple[SessionId | None, str | None]:
    """The session and the chat that a fact names."""
    match fact:
        case f.InboundStored(inbound):
            return None, str(inbound.key)
        case (
            f.DeliveryOpened(delivery=delivery)
            | f.DeliveryMoved(delivery)
            | f.DeliveryRevived(delivery)
            | f.DeliveryDropped(delivery)
        ):
            return delivery.session_id, str(delivery.session)
        case f.SessionsForgotten(key):
            return None, str(key)
        case f.InboundRefused(key):
            return None, f"{key.platform}:{key.account}"
        case CodeOffered(pairing):
            return None, str(pairing.chat)
        case CodeMissed(chat) | ChatPaired(chat) | ChatUnpaired(chat):
            return None, str(chat)
        case f.DeliveryFilled() | f.RowsForgotten():
            return None, None
        case _:
            return fact.session_id, None
