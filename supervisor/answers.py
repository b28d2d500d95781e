"""Who waits for an answer. The store knows the answer; this only knows whom to tell when it is time to look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.model import Message, Receipt, SessionId, SessionKey
from greenroom.actors.store import AnswerTo, NeverAnswered, ReadAnswer, ReadFailed, Store

if TYPE_CHECKING:
    from greenroom.actors.runtime import Timers

LOOK_AGAIN_S = 1.0
"""When a waiter's question is put again that the store could not answer."""


ASIDE = (
    "the conversation {key} is set aside (quarantined) after too many attempts that got nowhere; nothing of it is "
    "lost: find out why, then: greenroom release {key}"
)
"""Told to those who wait for an answer that nobody works on any more."""


class SupervisorFailedError(RuntimeError):
    """The supervisor cannot go on; the message says why. Everything acknowledged is on disk."""


class NeverAnsweredError(LookupError):
    """There is nothing to wait for: the message was withdrawn, or is no message. Says why."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There will be none from this process; unless it is `final`, it may be there when greenroom runs again."""

    why: str
    final: bool = False


def text_of(answer: Message | NoAnswer) -> str:
    """Give the words of an answer. Raises NeverAnsweredError, and SupervisorFailedError where it may come later."""
    if isinstance(answer, NoAnswer):
        raise (NeverAnsweredError if answer.final else SupervisorFailedError)(answer.why)
    return answer.text


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One who waits for the row that concludes the work in which an inbound is answered. Told exactly once.

    An order is carried out also where its session is set aside.
    """

    receipt: Receipt
    then: Callable[[Message | NoAnswer], None]
    ordered: bool = False


class Answers:
    """Keeps the waiters, by chat: its session may be another one when the answer comes."""

    def __init__(self, timers: Timers, store: Callable[[], Store | None]) -> None:
        """Begin with nobody. `store` gives the one that is open now: it may be another one when it is looked again."""
        self._timers = timers
        self._store = store
        self._lock = threading.Lock()
        self._waiters: dict[SessionKey, list[Waiter]] = {}
        self._aside: set[SessionId] = set()
        self._ended: NoAnswer | None = None

    def add(self, waiter: Waiter) -> None:
        """Tell this waiter when the answer is on disk, or at once if it is."""
        with self._lock:
            ended = self._ended
            if ended is None:
                self._waiters.setdefault(waiter.receipt.key, []).append(waiter)
        if ended is not None:
            waiter.then(ended)
        else:
            self._look_for(waiter)

    def remove(self, waiter: Waiter) -> bool:
        """Nobody waits here any more. False if that was so already."""
        key = waiter.receipt.key
        with self._lock:
            waiting = self._waiters.get(key, [])
            left = [it for it in waiting if it is not waiter]
            if left:
                self._waiters[key] = left
            else:
                self._waiters.pop(key, None)
            return len(left) < len(waiting)

    def look(self, key: SessionKey) -> None:
        """Work of this chat was concluded: look whether it is what somebody waits for."""
        if key not in self._waiters:
            return
        with self._lock:
            waiters = tuple(self._waiters.get(key, ()))
        for waiter in waiters:
            self._look_for(waiter)

    def set_aside(self, session_id: SessionId, key: SessionKey) -> None:
        """A session was quarantined: whoever waits, or comes later, hears what is on disk, or that nothing will be."""
        self._aside.add(session_id)
        self.look(key)

    def take_back(self, session_id: SessionId) -> None:
        """A session was released: what waits in it may be answered after all."""
        self._aside.discard(session_id)

    def forget(self, ids: Collection[SessionId]) -> None:
        """These sessions are forgotten: whoever waits for an answer of theirs hears that there will be none."""
        with self._lock:
            gone = [it for each in self._waiters.values() for it in each if it.receipt.session_id in ids]
        for waiter in gone:
            self._tell(waiter, NoAnswer("there will be no answer: the conversation was forgotten", final=True))

    def look_again(self) -> None:
        """The store was reopened: look for everybody."""
        with self._lock:
            chats = tuple(self._waiters)
        for key in chats:
            self.look(key)

    def end(self, why: str) -> None:
        """Tell everybody, and whoever comes later, that nothing will be answered any more."""
        with self._lock:
            self._ended = ended = NoAnswer(why)
            waiters = [waiter for waiting in self._waiters.values() for waiter in waiting]
        for waiter in waiters:
            self._tell(waiter, ended)

    def _look_for(self, waiter: Waiter) -> None:
        """Where no store is open it is looked for everybody when the next one is."""
        if (store := self._store()) is not None:
            store.read(AnswerTo(waiter.receipt), partial(self._found, waiter))

    def _found(self, waiter: Waiter, answer: ReadAnswer) -> None:
        if isinstance(answer, Message):
            self._tell(waiter, answer)
        elif isinstance(answer, NeverAnswered):
            self._tell(waiter, NoAnswer(f"there will be no answer: {answer}", final=True))
        elif answer is None and not waiter.ordered and waiter.receipt.session_id in self._aside:
            self._tell(waiter, NoAnswer(ASIDE.format(key=waiter.receipt.key)))
        elif isinstance(answer, ReadFailed) and self._waits(waiter):
            self._timers.arm(("answer", id(waiter)), LOOK_AGAIN_S, partial(self._look_if_waiting, waiter))

    def _look_if_waiting(self, waiter: Waiter) -> None:
        if self._waits(waiter):
            self._look_for(waiter)

    def _waits(self, waiter: Waiter) -> bool:
        with self._lock:
            return any(it is waiter for it in self._waiters.get(waiter.receipt.key, ()))

    def _tell(self, waiter: Waiter, answer: Message | NoAnswer) -> None:
        if self.remove(waiter):
            waiter.then(answer)
