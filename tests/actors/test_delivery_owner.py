"""A process that was overtaken shows nothing more: before each call the outbox asks whose the store is."""

from collections.abc import Callable

import pytest
from tests.actors.test_delivery_actor import ANN, House, house

from greenroom.actors.calling import Calling
from greenroom.actors.calls import Call
from greenroom.actors.model import SessionKey
from greenroom.actors.outbox_words import Filled, LiveText
from greenroom.actors.store import OwnerNow, Query, ReadAnswer, ReadFailed, StoreRefusedError


def overtake(made: House) -> None:
    """As another process does that opens the same file."""
    made.store.look(lambda db: db.execute("UPDATE ownership SET epoch = epoch + 1"))


def test_an_actor_whose_store_has_another_owner_dies_and_calls_nobody_any_more() -> None:
    with house() as made:
        made.settle(1)
        overtake(made)
        made.actor.tell(Filled(made.row(ANN, "a", "one")))
        made.settle(5)

        (failure,) = made.failures
        assert isinstance(failure.error, StoreRefusedError)
        assert not made.actor.is_alive()
        assert made.platform.calls == []


def test_words_that_stream_are_not_shown_by_a_process_that_was_overtaken() -> None:
    with house() as made:
        made.open(ANN, "a")
        made.settle(5)
        made.actor.tell(LiveText(ANN, "a", "one"))
        made.settle(5)
        overtake(made)
        made.actor.tell(LiveText(ANN, "a", "one two"))
        made.settle(5)

        assert made.server.texts(ANN) == ["one"]
        assert not made.actor.is_alive()


def test_nothing_goes_out_of_a_closed_store() -> None:
    with house() as made:
        made.settle(1)
        made.store.close("the end")
        made.actor.tell(Filled(made.row(ANN, "a", "one")))
        made.settle(5)

        assert made.platform.calls == []


def test_a_store_that_cannot_say_whose_it_is_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with house() as made:
        read, failures = made.store.read, [ReadFailed("the disk is away"), ReadFailed("the disk is away")]

        def fail_at_first(query: Query, then: Callable[[ReadAnswer], None]) -> None:
            if isinstance(query, OwnerNow) and failures:
                then(failures.pop())
            else:
                read(query, then)

        monkeypatch.setattr(made.store, "read", fail_at_first)
        made.fill(ANN, "a", "one")
        made.settle(1.5)
        assert made.platform.calls == []
        made.settle(2)
        assert made.server.texts(ANN) == ["one"]


def test_a_process_that_stood_still_since_it_asked_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with house() as made:
        made.settle(1)
        read = made.store.read
        asked: list[Query] = []

        def stand_still_once(query: Query, then: Callable[[ReadAnswer], None]) -> None:
            def hear(answer: ReadAnswer) -> None:
                then(answer)
                if isinstance(query, OwnerNow) and not asked:
                    asked.append(query)
                    made.runtime.freeze(10)
                    overtake(made)

            read(query, hear)

        monkeypatch.setattr(made.store, "read", stand_still_once)
        made.actor.tell(Filled(made.row(ANN, "a", "one")))
        made.settle(5)

        assert len(asked) == 1
        assert made.platform.calls == []
        assert not made.actor.is_alive()


@pytest.mark.parametrize("stands_still", [True, False])
def test_a_call_that_was_to_be_made_before_the_process_stood_still_is_not_made(
    monkeypatch: pytest.MonkeyPatch, *, stands_still: bool
) -> None:
    with house() as made:
        made.settle(1)
        begin = Calling._begin

        def begin_and_stand_still(self: Calling, session: SessionKey, call: Call, until: float) -> None:
            begin(self, session, call, until)
            if stands_still:
                made.runtime.freeze(10)
                overtake(made)

        monkeypatch.setattr(Calling, "_begin", begin_and_stand_still)
        made.fill(ANN, "a", "one")
        made.settle(30)

        assert made.server.texts(ANN) == ([] if stands_still else ["one"])
        assert made.actor.is_alive() is not stands_still
