"""What whoever runs the service may do to single deliveries through a room, in two faces."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from greenroom.supervisor.faces import or_raise
from greenroom.supervisor.reception import called_back

if TYPE_CHECKING:
    from greenroom.actors.model import Delivery
    from greenroom.supervisor.core import Core


class AsyncLettering:
    """Each takes a delivery's key and returns it as it was before, once the change is on disk.

    Each raises RefusedError (there is none, it is delivered, or has no words yet) and BusyError (not now).
    """

    _core: Core

    async def resend(self, delivery: str) -> Delivery:
        """Have a dead letter sent again, or at once what waits for its next try.

        It is sent as one whose outcome is unknown: exactly once where its platform knows repeats or can edit; where it
        can do neither (`connections()` names its `delivery` class), perhaps twice, the second time visibly marked.
        """
        done: Delivery | Exception = await called_back(partial(self._core.letters.resend, delivery))
        return or_raise(done)

    async def drop(self, delivery: str) -> Delivery:
        """Give a delivery up that is owed, or forget a dead letter. A call that is under way may still work."""
        done: Delivery | Exception = await called_back(partial(self._core.letters.drop, delivery))
        return or_raise(done)


class BlockingLettering:
    """See `AsyncLettering`. Each raises TimeoutError, too: what it asked for may still be done."""

    _core: Core

    def resend(self, delivery: str, *, timeout_s: float | None = None) -> Delivery:
        """See `AsyncLettering.resend`."""
        told: Future[Delivery | Exception] = Future()
        self._core.letters.resend(delivery, told.set_result)
        return or_raise(told.result(timeout_s))

    def drop(self, delivery: str, *, timeout_s: float | None = None) -> Delivery:
        """See `AsyncLettering.drop`."""
        told: Future[Delivery | Exception] = Future()
        self._core.letters.drop(delivery, told.set_result)
        return or_raise(told.result(timeout_s))
