"""What whoever runs the service does to single deliveries: has them sent again, or gives them up.

Each is a fact that is on disk before anybody hears of it; the outbox then goes by it at once. What was given up may
still come (`docs/decisions/0020`), so a delivery that is sent again is sent as one whose outcome is unknown: under the
key of its row, into the messages that are known to be its own, and marked where its platform can tell no repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.facts import DeliveryDropped, DeliveryRevived
from greenroom.actors.model import Delivery
from greenroom.actors.outbox_words import Dropped, Revived
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.store import Committed, DeliveryOf, ReadFailed, RefusalKind, Refused
from greenroom.supervisor.access import CLOSED

if TYPE_CHECKING:
    from greenroom.actors.runtime import Clock
    from greenroom.actors.store import ReadAnswer, Store

Change = DeliveryRevived | DeliveryDropped
Then = Callable[[Delivery | Exception], None]


class Letters:
    """Done to the store that is open now. Called from any thread; answers come by callback.

    `then` hears of the delivery as it was before, once that is on disk; or RefusedError (never), BusyError (not now).
    """

    def __init__(
        self,
        clock: Clock,
        store: Callable[[], Store | None],
        tell: Callable[[Revived | Dropped], None],
        report_dead: Callable[[Delivery], None],
    ) -> None:
        """`tell` reaches the outbox of a delivery; `report_dead` whoever waits for it to be seen."""
        self._clock = clock
        self._store = store
        self._tell = tell
        self._report_dead = report_dead

    def resend(self, key: str, then: Then) -> None:
        """Send a dead delivery again, or at once one that waits for its next try."""
        self._change(DeliveryRevived, key, then)

    def drop(self, key: str, then: Then) -> None:
        """Give a delivery up that is owed, or forget the letter of one that is dead."""
        self._change(DeliveryDropped, key, then)

    def _change(self, change: type[Change], key: str, then: Then) -> None:
        store = self._store()
        if store is None:
            then(BusyError(CLOSED))
        else:
            store.read(DeliveryOf(key), partial(self._found, store, change, key, then))

    def _found(self, store: Store, change: type[Change], key: str, then: Then, answer: ReadAnswer) -> None:
        match answer:
            case Delivery():
                fact = change(answer, self._clock.now())
                store.write((fact,), partial(self._written, fact, then))
            case ReadFailed(why):
                then(BusyError(why))
            case _:
                then(RefusedError(f"there is no delivery {key!r}; `greenroom dead list` names those that are dead"))

    def _written(self, fact: Change, then: Then, answer: Committed | Refused) -> None:
        if isinstance(answer, Refused):
            conflict = answer.kind is RefusalKind.CONFLICT
            then(RefusedError(answer.detail) if conflict else BusyError(answer.detail))
            return
        if isinstance(fact, DeliveryRevived):
            self._tell(Revived(fact.delivery))
        else:
            self._tell(Dropped(fact.delivery))
            self._report_dead(fact.delivery)
        then(fact.delivery)
