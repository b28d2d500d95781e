from itertools import count

import pytest
from msgspec.structs import replace

from greenroom.actors.calls import Call, Doubtful, Edit, Forbidden, Gone, Outcome, Post, Postponed, Unsent, Worked
from greenroom.actors.entry import DeliveryPolicy, OutboxLimits, Ways
from greenroom.actors.facts import DeliveryMoved
from greenroom.actors.model import Delivery, DeliveryClass, DeliveryKind, DeliveryState, SessionId, SessionKey
from greenroom.actors.outbox import step
from greenroom.actors.outbox_words import (
    AskSlot,
    CallEnded,
    Event,
    Filled,
    Lane,
    LiveText,
    Moment,
    Opened,
    Pause,
    Perform,
    SlotGranted,
    TakenUp,
    WakeIn,
    Woke,
)
from greenroom.actors.ports import Traits

CHAT = SessionKey("fake", "bot", "42")
LONG = "The first sentence of it. The second one. And the third."
LIMITS = OutboxLimits()


def row(key: str, text: str | None = None, created_at: float = 0.0) -> Delivery:
    state = DeliveryState.OPEN if text is None else DeliveryState.PENDING
    return Delivery(key, SessionId(1), CHAT, DeliveryKind.ANSWER, text, state, created_at=created_at, reply_to="u1")


def ways_of(rule: DeliveryClass, policy: DeliveryPolicy = DeliveryPolicy.EXACTLY_ONCE) -> Ways:
    edits = rule in {DeliveryClass.NATIVE_KEY, DeliveryClass.EDIT_ANCHOR}
    return Ways.of(Traits(rule, text_max=50, edits=edits), policy, "store001", LIMITS)


class Account:
    """One lane, driven by hand. Facts count as written at once."""

    def __init__(self, rule: DeliveryClass, **traits: object) -> None:
        self.ways = replace(ways_of(rule), **traits)
        self.lane = Lane()
        self.now = 0.0
        self.wall = 0.0  # ahead of that
        self.facts: list[DeliveryMoved] = []

    def tell(self, event: Event) -> Call | None:
        """Feed one event, and grant a slot if the lane asks; returns the call it makes then."""
        self.lane, effects = step(self.ways, self.lane, event, Moment(self.now, self.now + self.wall, 1.0))
        self.facts += effects.facts
        self.acts = effects.acts
        for act in effects.acts:
            if isinstance(act, Perform):
                return act.call
        return self.tell(SlotGranted()) if AskSlot() in effects.acts else None

    def end(self, outcome: Outcome) -> Call | None:
        return self.tell(CallEnded(outcome))

    @property
    def states(self) -> list[str]:
        return [fact.delivery.state.value for fact in self.facts]


def test_an_ordinary_answer_with_a_native_key_costs_one_call_and_one_write() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)

    call = account.tell(Filled(row("a", "Hello")))

    assert isinstance(call, Post)
    assert (call.message.key, call.message.text, call.message.reply_to) == ("store001-a-0", "Hello", "u1")
    assert account.end(Worked("m1")) is None
    assert account.states == ["delivered"]
    assert account.facts[0].delivery.message_ids == ("m1",)
    assert account.lane == Lane()


def test_rows_are_taken_up_in_their_order_whatever_the_clock_said_when_they_were_made() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(row("c", "third", created_at=50.0)))

    account.tell(TakenUp(CHAT, (row("a", "first", created_at=90.0), row("b", "second", created_at=10.0))))

    assert account.lane.keys == ("a", "b", "c")
    account.tell(TakenUp(CHAT, tuple(row(key, key) for key in "abcd")))
    assert list(account.lane.keys) == ["a", "b", "c", "d"]


def test_an_anchor_is_stored_before_words_appear_in_it() -> None:
    account = Account(DeliveryClass.EDIT_ANCHOR)

    call = account.tell(Filled(row("a", "Hello")))
    assert isinstance(call, Post)
    assert call.message.text == "..."
    edit = account.end(Worked("m1"))

    assert edit == Edit(CHAT, "m1", "Hello")
    assert account.states == ["pending"]
    assert account.end(Worked(None)) is None
    assert account.states == ["pending", "delivered"]


def test_streamed_words_are_the_latest_ones_and_keep_their_distance() -> None:
    account = Account(DeliveryClass.EDIT_ANCHOR)
    account.tell(Opened(row("a")))
    account.tell(LiveText(CHAT, "a", "one"))
    account.tell(LiveText(CHAT, "a", "one two"))

    assert account.end(Worked("m1")) == Edit(CHAT, "m1", "one two", live=True)
    account.tell(LiveText(CHAT, "a", "one two three"))
    assert account.end(Worked(None)) is None
    assert account.acts == (WakeIn(1.0),)
    account.now = 1.0
    assert account.tell(Woke(CHAT)) == Edit(CHAT, "m1", "one two three", live=True)


def test_streamed_words_keep_the_distance_of_their_chat() -> None:
    account = Account(DeliveryClass.EDIT_ANCHOR, edit_min_s_where=(("-", 9.0), ("4", 4.0)))
    account.tell(Opened(row("a")))
    account.tell(LiveText(CHAT, "a", "one"))
    account.end(Worked("m1"))
    account.tell(LiveText(CHAT, "a", "one two"))
    account.end(Worked(None))
    assert account.acts == (WakeIn(4.0),)


def test_words_that_were_on_their_way_when_they_became_the_answer_are_edited_once_more() -> None:
    """By that the platform hears that all is said: the web page would else wait for more."""
    account = Account(DeliveryClass.EDIT_ANCHOR)
    account.tell(Opened(row("a")))
    account.end(Worked("m1"))
    account.tell(LiveText(CHAT, "a", "one two"))
    assert account.tell(Filled(row("a", "one two"))) is None, "one call at a time"
    assert account.end(Worked(None)) == Edit(CHAT, "m1", "one two")
    assert "delivered" not in account.states
    assert account.end(Worked(None)) is None
    assert account.states[-1] == "delivered"


def test_streamed_words_that_failed_are_not_sent_again() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Opened(row("a")))
    account.end(Worked("m1"))
    account.tell(LiveText(CHAT, "a", "one"))

    assert account.end(Unsent("503")) is None
    assert account.states == ["open"]
    account.now = 100.0
    assert account.tell(Woke(CHAT)) is None


def test_long_streamed_words_show_their_end() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Opened(row("a")))
    account.end(Worked("m1"))

    assert account.tell(LiveText(CHAT, "a", LONG)) == Edit(CHAT, "m1", "And the third.", live=True)


def test_an_open_anchor_of_an_earlier_process_is_left_as_it_is() -> None:
    for rule in DeliveryClass:
        account = Account(rule)

        assert account.tell(TakenUp(CHAT, (row("a"), replace(row("b"), message_ids=("m1",))))) is None
        assert account.acts == ()
        assert account.lane.keys == ("a", "b")


def test_an_open_anchor_blocks_nothing() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Opened(row("a")))

    call = account.end(Unsent("503")) or account.tell(Filled(row("b", "a question")))

    assert isinstance(call, Post)
    assert call.message.text == "a question"


def test_a_filled_delivery_that_waits_holds_back_what_comes_after_it() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(row("a", "first")))
    account.end(Unsent("503"))

    assert account.tell(Filled(row("b", "second"))) is None
    assert account.tell(Opened(row("c"))) is None
    assert account.states == ["retry"]


def test_a_refused_delivery_is_dead_at_once_and_the_next_one_goes_on() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(row("a", "first")))
    account.tell(Filled(row("b", "second")))

    call = account.end(Forbidden("403 blocked"))

    assert isinstance(call, Post)
    assert call.message.text == "second"
    assert (account.states, account.facts[0].error) == (["dead"], "403 blocked")


def test_a_refused_anchor_waits_silently_for_its_text() -> None:
    account = Account(DeliveryClass.EDIT_ANCHOR)
    account.tell(Opened(row("a")))

    assert account.end(Forbidden("403")) is None
    assert account.tell(LiveText(CHAT, "a", "words")) is None
    assert account.facts == []
    assert isinstance(account.tell(Filled(row("a", "Hello"))), Post)
    account.end(Forbidden("403"))
    assert account.states == ["dead"]


def fail_until_dead(account: Account, outcome: Outcome) -> int:
    account.tell(Filled(row("a", "Hello")))
    for attempt in count(1):
        account.end(outcome)
        if account.facts[-1].delivery.state is DeliveryState.DEAD:
            return attempt
        assert account.facts[-1].delivery.retry_at is not None
        account.now = account.facts[-1].delivery.retry_at
        assert account.tell(Woke(CHAT)) is not None
    raise AssertionError


@pytest.mark.parametrize("outcome", [Unsent("503"), Doubtful("no answer", raised=False)], ids=["an outage", "silence"])
def test_trouble_of_the_platform_is_waited_out_for_a_day(outcome: Outcome) -> None:
    account = Account(DeliveryClass.NATIVE_KEY)

    assert fail_until_dead(account, outcome) > LIMITS.attempts_max
    assert LIMITS.give_up_s <= account.now < LIMITS.give_up_s + 2 * LIMITS.backoff_max_s


def test_a_call_that_keeps_raising_is_given_up_after_its_attempts() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)

    assert fail_until_dead(account, Doubtful("KeyError", raised=True)) == LIMITS.attempts_max
    assert account.facts[-1].error == "given up after 12 attempts: KeyError"


def test_a_message_to_reply_to_that_is_gone_is_not_replied_to() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(row("a", "Hello")))

    call = account.end(Gone("reply target"))

    assert call is None or isinstance(call, Post)
    call = call or account.tell(Woke(CHAT))
    assert isinstance(call, Post)
    assert call.message.reply_to is None


def test_a_wall_clock_that_jumps_ahead_gives_nothing_up() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(row("a", "Hello")))
    for _ in range(LIMITS.attempts_max):
        account.wall += 2 * LIMITS.give_up_s
        account.end(Unsent("503"))
        account.now += LIMITS.backoff_max_s
        account.tell(Woke(CHAT))

    assert set(account.states) == {"retry"}
    assert account.end(Worked("m1")) is None
    assert account.states[-1] == "delivered"


@pytest.mark.parametrize("after_s, pause_s", [(7.0, 7.0), (-1.0, 0.0), (1e9, 3600.0), (float("nan"), 3600.0)])
def test_a_pause_is_the_accounts_and_is_believed_within_limits(after_s: float, pause_s: float) -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(row("a", "Hello")))
    account.lane, effects = step(account.ways, account.lane, CallEnded(Postponed(after_s)), Moment(0.0, 0.0, 1.0))

    assert effects.acts == (Pause(pause_s), AskSlot())
    assert effects.facts == ()


def test_words_of_blanks_only_leave_no_placeholder_behind() -> None:
    account = Account(DeliveryClass.EDIT_ANCHOR)
    account.tell(Opened(row("a")))
    account.tell(Filled(row("a", " \n")))

    assert account.end(Worked("m1")) == Edit(CHAT, "m1", "(no words)")


def test_what_is_said_twice_is_done_once() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Filled(row("a", "Hello")))
    account.tell(Filled(row("a", "Hello")))
    account.tell(Opened(row("a")))
    account.tell(TakenUp(CHAT, (row("a", "Hello"),)))

    assert account.end(Worked("m1")) is None
    assert account.lane == Lane()


def test_a_call_that_ends_twice_moves_nothing() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)

    assert account.end(Worked("m1")) is None
    assert account.lane == Lane()


def test_a_text_that_a_session_could_not_tell_of_is_found_by_a_reading() -> None:
    account = Account(DeliveryClass.NATIVE_KEY)
    account.tell(Opened(row("a")))
    account.end(Worked("m1"))

    assert account.tell(TakenUp(CHAT, (row("a", "Hello"),))) == Edit(CHAT, "m1", "Hello")
