"""Where every inbound comes in: admitted, stored, and only then acknowledged and handed on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from greenroom.actors.facts import InboundRefused
from greenroom.actors.model import Inbound, Receipt, SessionKey, StoredInbound
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.runtime import MailboxFull
from greenroom.actors.store import Committed, Refused, Store
from greenroom.supervisor.admission import Admit, Bucket, Postpone, TurnAway, admit
from greenroom.supervisor.tree_words import InboundCommitted

if TYPE_CHECKING:
    from greenroom.actors.runtime import Clock
    from greenroom.supervisor.policy import Policy

BUCKETS_MAX = 100_000
"""Chats whose flood allowance is remembered; beyond it the oldest are forgotten, which only lets them write."""

Then = Callable[[Receipt | Exception], None]


@dataclass(frozen=True, slots=True)
class Inside:
    """Where an admitted inbound goes."""

    store: Store
    wake: Callable[[InboundCommitted], None]


class Reception:
    """Takes inbound from any thread. Closed while there is no store: then platforms are not acknowledged."""

    def __init__(self, clock: Clock, policy: Policy) -> None:
        """Begin closed."""
        self._clock = clock
        self._policy = policy
        self._lock = threading.Lock()
        self._buckets: dict[SessionKey, Bucket] = {}
        self._inside: Inside | None = None

    def open(self, inside: Inside) -> None:
        """Let inbound in."""
        self._inside = inside

    def close(self) -> None:
        """Let nothing in until `open`."""
        self._inside = None

    def accept(self, inbound: Inbound, then: Then) -> None:
        """Call `then` with the receipt once the inbound is on disk, or with why it is not.

        RefusedError: it never will be. BusyError: not now; the platform must send it again.
        """
        inside = self._inside
        if inside is None:
            then(BusyError("greenroom is not running, or is restarting its storage; send it again"))
            return
        match self._admit(inbound):
            case TurnAway(words, counted):
                if counted:
                    inside.store.write((InboundRefused(inbound.key, self._clock.now()),), _ignore)
                then(RefusedError(words))
            case Postpone(words):
                then(BusyError(words))
            case Admit(admitted):
                self._store(inside, admitted, then)

    def _admit(self, inbound: Inbound) -> Admit | TurnAway | Postpone:
        with self._lock:
            verdict = admit(inbound, self._policy, self._buckets.get(inbound.key), self._clock.monotonic())
            if isinstance(verdict, Admit):
                self._buckets.pop(inbound.key, None)
                self._buckets[inbound.key] = verdict.bucket
                if len(self._buckets) > BUCKETS_MAX:
                    del self._buckets[next(iter(self._buckets))]
        return verdict

    def _store(self, inside: Inside, inbound: Inbound, then: Then) -> None:
        at = self._clock.now()
        try:
            inside.store.accept(inbound, at, partial(_stored, inside, inbound, at, then))
        except MailboxFull as error:
            then(BusyError(f"too much waits to be stored: {error}"))


def _stored(inside: Inside, inbound: Inbound, at: float, then: Then, answer: Committed | Refused) -> None:
    """On a storage thread: the inbound is on disk, or never will be under this owner."""
    if isinstance(answer, Refused):
        then(BusyError(f"{answer.kind.value}: {answer.detail}"))
        return
    (receipt,) = answer.receipts
    if not receipt.repeated:
        stored = StoredInbound(receipt.inbox_id, inbound.text, inbound.author, at, inbound.reply_to)
        inside.wake(InboundCommitted(receipt, stored))
    then(receipt)


async def accepted(reception: Reception, inbound: Inbound) -> Receipt:
    """Wait, on any asyncio loop, until an inbound is on disk. Raises RefusedError, BusyError."""
    answer: Receipt | Exception = await called_back(partial(reception.accept, inbound))
    if isinstance(answer, Exception):
        raise answer
    return answer


async def called_back(call: Callable[[Callable[[Any], None]], None]) -> Any:
    """Wait for the one callback of `call(then)`, which may come on any thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: object) -> None:
        if not future.done():
            future.set_result(answer)

    def then(answer: object) -> None:
        with suppress(RuntimeError):  # The loop was closed meanwhile: nobody waits any more.
            loop.call_soon_threadsafe(settle, answer)

    call(then)
    return await future


def _ignore(_: object) -> None:
    """Nothing depends on this answer."""
