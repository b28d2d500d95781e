"""What waits for one actor: bounded, lock-free for senders, and as small as an idle session must be.

The law of this file: an actor is on at most one thread at a time. `state` says who may run it: IDLE nobody, SCHEDULED
exactly one holder of the mailbox (a ready queue or the thread that took it from there), CLOSED nobody ever again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from pykka import ActorDeadError, Future
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from greenroom.actors.runtime import Awaited, MailboxFull, Solicited

if TYPE_CHECKING:
    from greenroom.actors.hosting import HostingRuntime
    from greenroom.actors.pooled import PooledActor

IDLE, SCHEDULED, CLOSED = 0, 1, 2


class Ready(Protocol):
    """Where a mailbox goes that has something to do."""

    def put(self, mailbox: Mailbox, /) -> None: ...


class Mailbox:
    """The inbox of one actor (pykka's `ActorInbox`), and the rest of its bookkeeping.

    A told message lies in the lists as itself, an asked one in pykka's `Envelope`. Senders append to `waiting`; the
    thread that runs the actor moves all of it to `batch`, reversed, and pops from there.
    """

    __slots__ = (
        "_room",
        "_stopped",
        "actor",
        "alive",
        "batch",
        "killed",
        "limit",
        "number",
        "ready",
        "runtime",
        "started",
        "state",
        "waiting",
    )

    ready: Ready  # Given when the actor has been constructed; nobody schedules it before.

    def __init__(self, runtime: HostingRuntime, *, number: int, limit: int) -> None:
        self.runtime = runtime
        self.number = number
        self.limit = limit
        self.actor: PooledActor | None = None
        self.alive = True
        self.killed = False
        self.started = False
        self.state = SCHEDULED  # Held by the starter until `release`.
        self.waiting: list[Any] | None = None  # Made with the first message: most sessions idle.
        self.batch: list[Any] | None = None
        self._room = limit
        self._stopped: threading.Event | None = None

    def __len__(self) -> int:
        return len(self.waiting or ()) + len(self.batch or ())

    def put(self, envelope: Envelope[Any]) -> None:
        """Enqueue as pykka does; raises `MailboxFull`."""
        self.enqueue(envelope.message if envelope.reply_to is None else envelope, envelope.message)

    def get(self) -> Envelope[Any]:
        """Pykka's reading end. Only the thread that runs the actor may call it."""
        batch = self.batch or self.refill()
        item = batch.pop()
        return item if type(item) is Envelope else Envelope(item)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not len(self)

    def enqueue(self, item: Any, message: Any) -> None:
        """Append `item`, which is `message` itself or the envelope that holds it, and see that the actor runs."""
        waiting = self.waiting
        if waiting is None:
            waiting = self._first()
        if len(waiting) >= self._room:
            self._refuse_if_full(message)
        waiting.append(item)
        # Append first, look at the state second; the running side does the reverse. So one of the two sees the other.
        if self.state != SCHEDULED:
            self.schedule()

    def _first(self) -> list[Any]:
        with self.runtime.scheduling:
            if self.waiting is None:
                self.waiting = []
            return self.waiting

    def _refuse_if_full(self, message: Any) -> None:
        # `_room` is stale by up to one turn; this is exact. Senders that race may pass the limit by their number.
        if len(self) >= self.limit and not isinstance(message, (Solicited, _ActorStop)):
            actor = "a dead actor" if self.actor is None else str(self.actor)
            msg = f"{actor} has {len(self)} messages waiting, the limit is {self.limit} (mailbox_max)"
            raise MailboxFull(msg)

    def schedule(self) -> None:
        """Hand the mailbox to the ready queue unless somebody has it; a closed one answers what waits."""
        with self.runtime.scheduling:
            idle = self.state == IDLE
            if idle:
                self.state = SCHEDULED
        if idle:
            self.ready.put(self)
        elif self.state == CLOSED:
            self._answer_the_rest()

    def refill(self) -> list[Any]:
        """Move what waits behind what is in the batch; returns the batch, next message last."""
        waiting = self.waiting
        batch = self.batch or []
        if waiting:
            fresh = waiting[:]
            del waiting[: len(fresh)]
            fresh.reverse()
            batch = fresh + batch if batch else fresh
        self.batch = batch
        self._room = self.limit - len(batch)
        return batch

    def turn(self, most: int) -> bool:
        """Let the actor handle up to `most` messages; True if it wants another turn. Only the holder may call it."""
        actor = self.actor
        if actor is None:
            return False
        actor._take_turn(most)  # noqa: SLF001 - the mailbox and its actor are one
        if not self.alive:
            self._close()
            return False
        if self.batch:
            self._room = self.limit - len(self.batch)
            return True
        self.batch = None
        self._room = self.limit
        self.state = IDLE
        if not self.waiting and self.alive:
            return False
        with self.runtime.scheduling:
            if self.state != IDLE:
                return False
            self.state = SCHEDULED
        return True

    @property
    def stopped(self) -> threading.Event:
        """Pykka's `actor_stopped`, made for the first who asks."""
        with self.runtime.scheduling:
            if self._stopped is None:
                self._stopped = threading.Event()
                if not self.alive:
                    self._stopped.set()
            return self._stopped

    def release(self, *, run: bool) -> None:
        """The starter's last word: from here on the actor runs when it has something to do, and now if `run`."""
        if run or self.waiting:
            self.ready.put(self)
            return
        self.state = IDLE
        if self.waiting:
            self.schedule()

    def kill(self) -> None:
        """Refuse more from here on, and let the next turn end the actor instead of handling messages."""
        with self.runtime.scheduling:
            self.killed = self.killed or self.alive
            self._refuse_more()

    def end(self) -> None:
        """Refuse more: the running side ends the actor now, so a kill has nothing left to do."""
        with self.runtime.scheduling:
            self.killed = False
            self._refuse_more()

    def _refuse_more(self) -> None:
        self.alive = False
        if self._stopped is not None:
            self._stopped.set()

    def _close(self) -> None:
        self.state = CLOSED
        self.runtime.ended(self)
        self._answer_the_rest()
        self.actor = None

    def discard(self) -> None:
        """Die without a word, as a killed process does: no hook runs; who waits for an answer gets `ActorDeadError`."""
        self.end()
        for items in (self.batch or [], self.waiting or []):
            items[:] = [each for each in items if type(each) is Envelope]
        self._close()

    def _answer_the_rest(self) -> None:
        for items, end in ((self.batch, -1), (self.waiting, 0)):
            while items:
                try:
                    item = items.pop(end)
                except IndexError:  # A sender that came too late clears the same list.
                    break
                if isinstance(item, Awaited):
                    item.turn_back()
                elif type(item) is Envelope and item.reply_to is not None:
                    self._answer_dead(item.message, item.reply_to)

    def _answer_dead(self, message: Any, reply_to: Future[Any]) -> None:
        if isinstance(message, _ActorStop):
            reply_to.set(None)
            return
        error = ActorDeadError(f"{self.runtime.urn(self.number)} stopped before handling the message")
        reply_to.set_exception((ActorDeadError, error, None))
