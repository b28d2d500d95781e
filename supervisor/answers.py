"""Who waits for an answer. The store knows the answer; this only knows whom to tell when it is time to look."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from greenroom.actors.model import Message, Receipt, SessionId
from greenroom.actors.store import AnswerTo, ReadAnswer, Store


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One who waits for the row that concludes the work in which an inbound is answered."""

    receipt: Receipt
    then: Callable[[Message], None]


class Answers:
    """Keeps the waiters, by session."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lock = threading.Lock()
        self._waiters: dict[SessionId, list[Waiter]] = {}

    def add(self, waiter: Waiter, store: Store | None) -> None:
        """Tell this waiter when the answer is on disk, or at once if it is."""
        with self._lock:
            self._waiters.setdefault(waiter.receipt.session_id, []).append(waiter)
        self.look(waiter.receipt.session_id, store)

    def remove(self, waiter: Waiter) -> None:
        """Nobody waits here any more."""
        session_id = waiter.receipt.session_id
        with self._lock:
            left = [it for it in self._waiters.get(session_id, ()) if it is not waiter]
            if left:
                self._waiters[session_id] = left
            else:
                self._waiters.pop(session_id, None)

    def look(self, session_id: SessionId, store: Store | None) -> None:
        """Work of this session was concluded: look whether it is what somebody waits for."""
        if store is None or session_id not in self._waiters:
            return
        with self._lock:
            waiters = tuple(self._waiters.get(session_id, ()))
        for waiter in waiters:
            store.read(AnswerTo(waiter.receipt), partial(self._found, waiter))

    def look_again(self, store: Store) -> None:
        """The store was reopened: look for everybody."""
        for session_id in tuple(self._waiters):
            self.look(session_id, store)

    def _found(self, waiter: Waiter, answer: ReadAnswer) -> None:
        if isinstance(answer, Message):
            self.remove(waiter)
            waiter.then(answer)
