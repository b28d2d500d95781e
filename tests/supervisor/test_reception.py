"""The door while the disk refuses: nobody waits, nobody is answered twice, and what was offered still wakes its chat."""

from collections.abc import Callable
from typing import Any

from greenroom.actors.model import Inbound, InboxId, Receipt, SessionId, SessionKey
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.actors.virtual_time import SimClock
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.reception import Inside, Reception

OSLO = SessionKey("web", "local", "oslo")
SAID = Inbound(OSLO, "m1", "hello")
RECEIPT = Receipt(InboxId(1), SessionId(1), OSLO)


class SlowStore:
    """Takes what is offered and answers when told to."""

    def __init__(self) -> None:
        self.offered: list[Callable[[Committed | Refused], None]] = []

    def accept(self, _inbound: Inbound, _at: float, then: Callable[[Committed | Refused], None]) -> None:
        self.offered.append(then)


class Hall:
    """A reception with what stands behind it, and what was answered."""

    def __init__(self) -> None:
        self.store = SlowStore()
        self.woken: list[Any] = []
        self.answers: list[Receipt | Exception] = []
        self.reception = Reception(SimClock(0.0), Policy())
        self.reception.open(Inside(self.store, self.woken.append))  # type: ignore[arg-type]  # it is asked no more

    def offer(self) -> None:
        self.reception.accept(SAID, self.answers.append)


def test_what_waits_when_the_disk_begins_to_refuse_is_put_off_at_once_and_woken_when_it_is_stored_after_all() -> None:
    hall = Hall()
    hall.offer()
    assert hall.answers == []
    hall.reception.hear_trouble("the disk is full")
    assert [(type(each), str(each)) for each in hall.answers] == [(BusyError, "the disk is full")]
    hall.store.offered[0](Committed((RECEIPT,)))
    assert len(hall.answers) == 1
    assert [each.receipt for each in hall.woken] == [RECEIPT]


def test_while_it_refuses_nothing_is_offered_to_it_and_when_it_is_over_everything_is() -> None:
    hall = Hall()
    hall.reception.hear_trouble("the disk is full")
    hall.offer()
    assert (len(hall.answers), len(hall.store.offered)) == (1, 0)
    hall.reception.hear_trouble(None)
    hall.offer()
    hall.store.offered[0](Committed((RECEIPT,)))
    assert hall.answers[1:] == [RECEIPT]


def test_the_same_id_with_other_words_is_refused_for_good_and_a_closing_store_is_not() -> None:
    hall = Hall()
    for kind in (RefusalKind.CONFLICT, RefusalKind.CLOSED):
        hall.offer()
        hall.store.offered[-1](Refused(kind, "why"))
    assert [type(each) for each in hall.answers] == [RefusedError, BusyError]
    assert hall.woken == []
