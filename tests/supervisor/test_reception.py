"""The door while the disk refuses: nobody waits, nobody is answered twice, and what was offered still wakes its chat."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from greenroom.actors.model import Inbound, InboxId, Receipt, SessionId, SessionKey
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.actors.virtual_time import SimClock
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.reception import CLOSED_WORDS, Inside, Reception
from greenroom.supervisor.refusals import WRITE_EVERY_S

WAIT_S = 20.0
OSLO, BERGEN = SessionKey("web", "local", "oslo"), SessionKey("web", "local", "bergen")
SAID = Inbound(OSLO, "m1", "hello")
RECEIPT = Receipt(InboxId(1), SessionId(1), OSLO)


class SlowStore:
    """Takes what is offered and answers when told to."""

    def __init__(self) -> None:
        self.offered: list[Callable[[Committed | Refused], None]] = []

        self.written: list[Any] = []

    def accept(self, _inbound: Inbound, _at: float, then: Callable[[Committed | Refused], None]) -> None:
        self.offered.append(then)

    def write(self, facts: Sequence[Any], _then: object) -> None:
        self.written.append(tuple(facts))


class Hall:
    """A reception with what stands behind it, and what was answered."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.store = SlowStore()
        self.woken: list[Any] = []
        self.answers: list[Receipt | Exception] = []
        self.clock = SimClock(0.0)
        self.reception = Reception(self.clock, policy or Policy())
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


@pytest.mark.parametrize("words", ["the disk is full", CLOSED_WORDS])
def test_who_is_at_the_door_when_it_is_shut_is_put_off_too(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()

    def shut_meanwhile() -> float:
        """Stand for another thread, between the look at the door and the wait behind it."""
        hall.reception.close() if words == CLOSED_WORDS else hall.reception.hear_trouble(words)
        return 0.0

    monkeypatch.setattr(hall.clock, "now", shut_meanwhile)
    hall.offer()
    assert [(type(each), str(each)) for each in hall.answers] == [(BusyError, words)]
    assert hall.store.offered == []


def test_a_host_that_takes_its_time_to_allow_a_chat_keeps_no_other_waiting() -> None:
    hall: Hall

    def allow(key: SessionKey) -> bool:
        if key == OSLO:  # Stands for another thread, on which a message of another chat comes and is stored meanwhile.
            hall.reception.accept(replace(SAID, key=BERGEN), hall.answers.append)
            hall.store.offered[0](Committed((RECEIPT,)))
        return True

    hall = Hall(Policy(allow=allow))
    asked = threading.Thread(target=hall.offer, daemon=True)
    asked.start()
    asked.join(WAIT_S)
    assert hall.answers == [RECEIPT]
    assert len(hall.store.offered) == 2


def test_the_same_id_with_other_words_is_refused_for_good_and_a_closing_store_is_not() -> None:
    hall = Hall()
    for kind in (RefusalKind.CONFLICT, RefusalKind.CLOSED):
        hall.offer()
        hall.store.offered[-1](Refused(kind, "why"))
    assert [type(each) for each in hall.answers] == [RefusedError, BusyError]
    assert hall.woken == []


def test_a_platform_is_acknowledged_before_its_session_is_woken_and_one_that_fails_costs_no_waking() -> None:
    hall, order = Hall(), list[str]()

    def acknowledge(_answer: object) -> None:
        order.append("acknowledged")
        raise RuntimeError("the platform's mistake")

    hall.reception.open(Inside(hall.store, lambda _: order.append("woken")))  # type: ignore[arg-type]
    hall.reception.accept(SAID, acknowledge)
    with pytest.raises(RuntimeError):
        hall.store.offered[0](Committed((RECEIPT,)))
    assert order == ["acknowledged", "woken"]


def test_strangers_are_counted_and_cost_a_write_every_few_seconds_however_many_they_are() -> None:
    hall = Hall(Policy(allow=()))
    for _ in range(1_000):
        hall.offer()
    assert [sum(fact.count for fact in facts) for facts in hall.store.written] == [1]
    hall.clock.move_to(WRITE_EVERY_S)
    hall.offer()
    assert [sum(fact.count for fact in facts) for facts in hall.store.written] == [1, 1_000]
    hall.offer()
    hall.reception.close()
    assert [sum(fact.count for fact in facts) for facts in hall.store.written] == [1, 1_000, 1]
    assert {type(each) for each in hall.answers} == {RefusedError}
