"""What an operator does to a delivery that the outbox has in its hands: by hand, one lane, one hearsay."""

import pytest
from msgspec.structs import replace
from tests.actors.test_outbox import Account, row

from greenroom.actors.calls import Doubtful, Edit, Look, Post, Unsent, Worked
from greenroom.actors.entry import REPEAT_MARK
from greenroom.actors.hearsay import Hearsay
from greenroom.actors.model import DeliveryClass, DeliveryState
from greenroom.actors.outbox_words import Dropped, Filled, Revived, TakenUp, WakeIn, Woke

A, B = row("a", "one"), row("b", "two")
REVIVED = replace(A, state=DeliveryState.UNKNOWN)


def test_what_waits_for_its_next_try_is_tried_at_once_and_nothing_is_counted_against_it() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(A))
    assert account.end(Unsent("503")) is None
    assert isinstance(account.acts[-1], WakeIn)
    assert isinstance(account.tell(Revived(A)), Post)
    account.end(Unsent("503"))
    assert account.facts[-1].delivery.attempts == 1


def test_what_is_given_up_while_it_waits_is_never_sent_and_the_next_one_is() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(A))
    account.tell(Filled(B))
    account.end(Unsent("503"))
    call = account.tell(Dropped(A))
    assert isinstance(call, Post)
    assert call.message.text == "two"
    account.end(Worked("m1"))
    assert account.lane.entries == ()
    assert account.tell(Woke(A.session)) is None


def test_a_call_under_way_goes_to_its_end_and_is_not_made_again_when_its_delivery_was_given_up() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(A))
    assert account.tell(Dropped(A)) is None
    assert account.lane.busy is not None
    assert account.end(Doubtful("time-out", raised=False)) is None
    assert account.lane.entries == ()


def test_what_is_given_up_is_delivered_all_the_same_if_the_call_under_way_works() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(A))
    account.tell(Dropped(A))
    account.end(Worked("m1"))
    account.tell(Woke(A.session))
    assert account.states[-1] == "delivered"


@pytest.mark.parametrize("rule", DeliveryClass)
def test_what_is_wanted_back_before_the_call_under_way_has_ended_is_gone_on_with(rule: DeliveryClass) -> None:
    """Seeds 213, 1750000052 and 1750000777: it stayed as it was until the next start."""
    account = Account(rule)
    account.tell(Filled(A))
    account.tell(Dropped(A))
    assert account.tell(Revived(A)) is None
    assert account.end(Unsent("503")) is None
    (entry,) = account.lane.entries
    account.now = entry.not_before
    assert account.tell(Woke(A.session)) is not None


def test_a_dead_letter_is_sent_again_by_what_its_platform_offers() -> None:
    calls = {}
    for rule in DeliveryClass:
        account = Account(rule, late_s=10.0)
        calls[rule] = account.tell(TakenUp(A.session, (REVIVED,)))
        account.now = 10.0  # What was sent before cannot come any more, and can be looked for.
        calls[rule] = calls[rule] or account.tell(Woke(A.session))
    native, none, anchor = (
        calls[each] for each in (DeliveryClass.NATIVE_KEY, DeliveryClass.NONE, DeliveryClass.EDIT_ANCHOR)
    )
    assert isinstance(native, Post)
    assert (native.message.key, native.message.text) == ("store001-a-0", "one")
    assert isinstance(none, Post)
    assert none.message.text == REPEAT_MARK + "one"
    assert isinstance(anchor, Post)
    assert anchor.message.text == "..."
    assert isinstance(calls[DeliveryClass.RECONCILE], Look)


def test_a_dead_letter_with_an_anchor_is_sent_again_by_editing_it() -> None:
    account = Account(DeliveryClass.EDIT_ANCHOR)
    call = account.tell(TakenUp(A.session, (replace(REVIVED, message_ids=("m7",)),)))
    assert call == Edit(A.session, "m7", "one")


def test_a_word_that_was_on_its_way_when_its_delivery_was_given_up_is_no_news_until_it_is_revived() -> None:
    hearsay = Hearsay()
    hearsay.drop("a")
    assert hearsay.news([A, B]) == (B,)
    assert [rows for _, rows in hearsay.found([A, B])] == [(B,)]
    hearsay.revive("a")
    assert hearsay.news([A]) == (A,)
