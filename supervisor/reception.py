"""Where every inbound comes in: admitted, stored, and only then acknowledged and handed on."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from greenroom.actors.inbound import stored_inbound
from greenroom.actors.model import Inbound, Receipt, SessionKey
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.runtime import MailboxFull
from greenroom.actors.store import Committed, RefusalKind, Refused, Store
from greenroom.supervisor.admission import Admit, Bucket, Buckets, Order, Postpone, TurnAway, admit, admit_order, judge
from greenroom.supervisor.faces import or_raise
from greenroom.supervisor.refusals import Refusals
from greenroom.supervisor.tree_words import InboundCommitted

if TYPE_CHECKING:
    from greenroom.actors.runtime import Clock
    from greenroom.supervisor.policy import Policy

BUCKETS_MAX = 100_000
"""Chats whose flood allowance is remembered; beyond it the oldest are forgotten, which only lets them write."""

CLOSED_WORDS = "greenroom is not running, or is restarting its storage; send it again"

Then = Callable[[Receipt | Exception], None]
Judge = Callable[[Inbound], Admit | Order | TurnAway | Postpone]


@dataclass(slots=True, eq=False)
class Waiting:
    """A platform that has offered an inbound and waits for its answer."""

    then: Then


@dataclass(frozen=True, slots=True)
class Inside:
    """Where an admitted inbound goes."""

    store: Store
    wake: Callable[[InboundCommitted], None]


class Reception:
    """Takes inbound from any thread. Closed while there is no store: then platforms are not acknowledged.

    While the disk refuses, nobody is kept waiting: what was offered is answered BusyError and may still be stored,
    which does no harm, for it comes again under the same id.
    """

    def __init__(self, clock: Clock, policy: Policy, meet: Callable[[Inbound], None] = lambda _: None) -> None:
        """Begin closed. `meet` is told of each message of a chat that is not allowed; it must return at once."""
        self._clock = clock
        self._policy = policy
        self._meet = meet
        self._lock = threading.Lock()
        self._buckets: dict[SessionKey, Bucket] = {}
        self._all: Bucket | None = None
        self._inside: Inside | None = None
        self._waiting: set[Waiting] = set()
        self._refusals = Refusals()
        self._trouble: str | None = None

    def open(self, inside: Inside) -> None:
        """Let inbound in."""
        self._trouble = None
        self._inside = inside

    def close(self) -> None:
        """Let nothing in until `open`; what a dying store was told it may never answer, so it is to come again."""
        inside, self._inside = self._inside, None
        with self._lock:
            sums = self._refusals.take(now=self._clock.monotonic()) if inside is not None else ()
        if inside is not None and sums:
            inside.store.write(sums, _ignore)
        self._postpone_waiting(CLOSED_WORDS)

    def hear_trouble(self, words: str | None) -> None:
        """Postpone everything while the disk refuses, also what waits already; None: it is over."""
        self._trouble = words
        if words is not None:
            self._postpone_waiting(words)

    def accept(self, inbound: Inbound, then: Then) -> None:
        """Call `then` with the receipt once the inbound is on disk, or with why it is not.

        RefusedError: it never will be. BusyError: not now; the platform must send it again.
        """
        self._take(inbound, then, self._admit)

    def order(self, inbound: Inbound, then: Then) -> None:
        """Take an order of whoever runs the service, however much comes in. See `accept`."""
        self._take(inbound, then, partial(admit_order, policy=self._policy))

    def _take(self, inbound: Inbound, then: Then, judge: Judge) -> None:
        inside = self._inside
        why_not = self._why_not(inside)
        if inside is None or why_not is not None:
            then(BusyError(why_not))
            return
        match judge(inbound):
            case TurnAway(words, counted):
                if counted:
                    self._count(inside, inbound.key)
                    self._meet(inbound)
                then(RefusedError(words))
            case Postpone(words):
                then(BusyError(words))
            case Admit(admitted) | Order(admitted):
                self._store(inside, admitted, then)

    def _why_not(self, inside: Inside | None) -> str | None:
        """Say why nothing is taken now by this way."""
        return CLOSED_WORDS if inside is None or inside is not self._inside else self._trouble

    def _admit(self, inbound: Inbound) -> Admit | TurnAway | Postpone:
        judged = judge(inbound, self._policy)
        if isinstance(judged, TurnAway):
            return judged
        with self._lock:
            left = Buckets(self._buckets.pop(inbound.key, None), self._all)
            verdict = admit(judged, self._policy, left, self._clock.monotonic())
            if isinstance(verdict, Admit):
                left = verdict.left
            self._all = left.all
            if left.chat is not None:
                self._buckets[inbound.key] = left.chat
                if len(self._buckets) > BUCKETS_MAX:
                    del self._buckets[next(iter(self._buckets))]
        return verdict

    def _count(self, inside: Inside, key: SessionKey) -> None:
        with self._lock:
            sums = self._refusals.add(key, self._clock.now(), now=self._clock.monotonic())
        if sums:
            inside.store.write(sums, _ignore)

    def _store(self, inside: Inside, inbound: Inbound, then: Then) -> None:
        at, waiting = self._clock.now(), Waiting(then)
        with self._lock:
            self._waiting.add(waiting)
        # Wait first, look again second; who closes, or hears of trouble, does the reverse. So one of the two sees it.
        if (why_not := self._why_not(inside)) is not None:
            self._answer(waiting, BusyError(why_not))
            return
        try:
            inside.store.accept(inbound, at, partial(_stored, inside, inbound, at, partial(self._answer, waiting)))
        except MailboxFull as error:
            self._answer(waiting, BusyError(f"too much waits to be stored: {error}"))

    def _postpone_waiting(self, words: str) -> None:
        with self._lock:
            postponed = tuple(self._waiting)
            self._waiting.clear()
        for waiting in postponed:
            waiting.then(BusyError(words))

    def _answer(self, waiting: Waiting, answer: Receipt | Exception) -> None:
        """Answer once; who was postponed has been answered."""
        with self._lock:
            if waiting not in self._waiting:
                return
            self._waiting.remove(waiting)
        waiting.then(answer)


def _stored(inside: Inside, inbound: Inbound, at: float, then: Then, answer: Committed | Refused) -> None:
    """On a storage thread: the inbound is on disk (first acknowledge, then wake), or it is not, under this owner."""
    if isinstance(answer, Refused):
        never = answer.kind is RefusalKind.CONFLICT  # The same id with other words: it would come again for ever.
        then(RefusedError(answer.detail) if never else BusyError(f"{answer.kind.value}: {answer.detail}"))
        return
    (receipt,) = answer.receipts
    try:
        then(receipt)
    finally:
        if not receipt.repeated:
            stored = stored_inbound(
                receipt.inbox_id,
                inbound.text,
                inbound.author,
                at,
                inbound.reply_to,
                inbound.attachments,
                inbound.answers,
                inbound.change,
                ordered=inbound.ordered,
            )
            inside.wake(InboundCommitted(receipt, stored))


class Homeward:
    """Answers on their way to one asyncio loop: one wake-up carries all that a commit answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with none on the way."""
        # The loop's own method, weakly: what is kept by loop must not keep the loop.
        self._wake = weakref.WeakMethod(loop.call_soon_threadsafe)
        self._sent: deque[tuple[asyncio.Future[Any], object]] = deque()
        self._awake = False

    def send(self, future: asyncio.Future[Any], answer: object) -> None:
        """Settle the future on its loop, from any thread."""
        self._sent.append((future, answer))
        if self._awake:  # Whoever set it has an arrival coming that sees what we appended before we looked.
            return
        self._awake = True
        wake = self._wake()
        with suppress(RuntimeError):  # The loop was closed meanwhile: nobody waits any more.
            if wake is not None:
                wake(self._arrive)

    def _arrive(self) -> None:
        self._awake = False
        while self._sent:
            future, answer = self._sent.popleft()
            if not future.done():
                future.set_result(answer)


_homeward: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Homeward] = weakref.WeakKeyDictionary()
"""By loop; only the loop's own thread looks its own up."""


async def accepted(reception: Reception, inbound: Inbound) -> Receipt:
    """Wait, on any asyncio loop, until an inbound is on disk. Raises RefusedError, BusyError."""
    done: Receipt | Exception = await called_back(partial(reception.accept, inbound))
    return or_raise(done)


async def called_back(call: Callable[[Callable[[Any], None]], None]) -> Any:
    """Wait for the one callback of `call(then)`, which may come on any thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    homeward = _homeward.get(loop)
    if homeward is None:
        homeward = _homeward[loop] = Homeward(loop)
    call(partial(homeward.send, future))
    return await future


def _ignore(_: object) -> None:
    """Nothing depends on this answer."""
