import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from greenroom.actors.delivery_actor import DeliveryActor
from greenroom.actors.entry import REPEAT_MARK, OutboxLimits
from greenroom.actors.facts import DeliveryFilled, DeliveryOpened, DeliveryRevived, Fact, InboundStored
from greenroom.actors.model import (
    Delivery,
    DeliveryClass,
    DeliveryKind,
    DeliveryState,
    Generation,
    Inbound,
    SessionId,
    SessionKey,
)
from greenroom.actors.outbox_words import (
    Filled,
    LiveText,
    Opened,
    OutboxStatus,
    PlatformDown,
    PlatformUp,
    ReadStatus,
    Reread,
    Revived,
    WhenFlushed,
)
from greenroom.actors.ref import Ref
from greenroom.actors.runtime import Failure
from greenroom.actors.simulation import SimRuntime
from greenroom.actors.store import Committed, OwedOf, Query, ReadAnswer, ReadFailed, Refused
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform, Fault, Seen
from greenroom.storage.faulty_disk import Disk
from greenroom.storage.faulty_file import Loss
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place

CHATS = tuple(SessionKey("fake", "bot", name) for name in ("ann", "bob", "cleo"))
ANN, BOB, _ = CHATS
WORDS = ("First one. " * 3, "Second one.", "Third one.")
SEEDS = range(40)


class House:
    """The real actor on the real store on a simulated disk, between a server that lasts and sessions played by hand."""

    def __init__(self, seed: int, delivery: DeliveryClass, limits: OutboxLimits = OutboxLimits()) -> None:  # noqa: B008
        self.runtime = SimRuntime(seed)
        self.delivery = delivery
        self.limits = limits
        self.server = FakeChatServer(native_keys=delivery is DeliveryClass.NATIVE_KEY)
        self.failures: list[Failure] = []
        self.stack = ExitStack()
        self.disk = self.stack.enter_context(Disk(seed))
        self.rng = random.Random(seed)
        self.choose: Callable[[Seen], Fault | None] = lambda _seen: None
        self.boot()
        self.sessions: dict[SessionKey, SessionId] = {}
        for chat in CHATS:
            committed = self.write(InboundStored(Inbound(chat, f"hello-{chat.chat}", "hello"), 1.0))
            self.sessions[chat] = committed.receipts[0].session_id

    def boot(self) -> None:
        self.runtime.on_failure(self.failures.append)
        self.store = SqliteStore.open(Place("/bot.db", vfs=self.disk.vfs_name), self.runtime, version="test")
        self.start()

    def fault_of(self, seen: Seen) -> Fault | None:
        return self.choose(seen)

    def start(self) -> None:
        self.platform = FakePlatform(self.server, self.delivery, choose=self.fault_of)
        self.actor: Ref[DeliveryActor] = self.runtime.start(
            DeliveryActor, self.store, self.platform, limits=self.limits
        )

    def kill(self) -> None:
        """As kill -9 does; then the next process is started."""
        self.runtime.crash()
        self.disk = self.stack.enter_context(self.disk.reboot(Loss.NOTHING))
        self.boot()

    def close(self) -> None:
        self.runtime.close(60)
        self.stack.close()

    def write(self, *facts: Fact) -> Committed:
        answers: list[Committed | Refused] = []
        self.store.write(facts, answers.append)
        while not answers:
            assert self.runtime.step()
        answer = answers[0]
        assert isinstance(answer, Committed), answer
        return answer

    def row(self, chat: SessionKey, key: str, text: str | None = None) -> Delivery:
        state = DeliveryState.OPEN if text is None else DeliveryState.PENDING
        at = self.runtime.clock.now()
        return Delivery(key, self.sessions[chat], chat, DeliveryKind.ANSWER, text, state, created_at=at)

    def open(self, chat: SessionKey, key: str) -> None:
        """A session opens a delivery: first its row, then the word."""
        delivery = self.row(chat, key)
        self.write(DeliveryOpened(self.store.epoch, Generation(0), delivery))
        self.actor.tell(Opened(delivery))

    def fill(self, chat: SessionKey, key: str, text: str) -> None:
        """A session opens a delivery with its text, or fills the one it opened."""
        delivery = self.row(chat, key, text)
        opened = DeliveryOpened(self.store.epoch, Generation(0), self.row(chat, key))
        self.write(opened, DeliveryFilled(key, text, delivery.created_at, delivery.kind))
        self.actor.tell(Filled(delivery))

    def owed(self) -> Sequence[Delivery]:
        answers: list[Any] = []
        self.store.read(OwedOf("fake", "bot"), answers.append)
        while not answers:
            assert self.runtime.step()
        assert isinstance(answers[0], tuple)
        return answers[0]

    def settle(self, seconds: float = 200_000.0) -> None:
        self.runtime.run(until_s=self.runtime.now + seconds)

    def texts(self, chat: SessionKey) -> list[str]:
        """What a person reads, without stray placeholders and without the marks of repeats."""
        texts = self.server.texts(chat)
        if self.delivery is DeliveryClass.EDIT_ANCHOR:
            return [text for text in texts if text != "..."]
        if self.delivery is DeliveryClass.NONE:
            firsts = [text for text in texts if not text.startswith(REPEAT_MARK)]
            assert len(set(firsts)) == len(firsts)
            return list(dict.fromkeys(text.removeprefix(REPEAT_MARK) for text in texts))
        return texts


@contextmanager
def house(
    delivery: DeliveryClass = DeliveryClass.NATIVE_KEY,
    seed: int = 1,
    limits: OutboxLimits = OutboxLimits(),  # noqa: B008
) -> Iterator[House]:
    made = House(seed, delivery, limits)
    try:
        yield made
    finally:
        made.close()


HEALING = (
    *(Fault.HANGS_BEFORE, Fault.HANGS_AFTER, Fault.BREAKS_BEFORE, Fault.BREAKS_AFTER, Fault.LATE, Fault.NOT_SENT),
)
MORE = (Fault.RETRY_LATER, Fault.SLOW, Fault.EXITS)


def storm(made: House) -> None:
    """Three chats talk at once under faults; the process is killed at moments that the seed chooses."""
    rng = made.rng
    made.choose = lambda _seen: rng.choice(HEALING + MORE) if rng.random() < 0.3 else None
    for number, words in enumerate(WORDS):
        for chat in CHATS:
            key = f"{chat.chat}-{number}"
            if rng.random() < 0.5:
                made.open(chat, key)
                made.actor.tell(LiveText(chat, key, words[:5]))
                made.runtime.run(max_steps=rng.randrange(40))
            made.fill(chat, key, words)
            made.runtime.run(max_steps=rng.randrange(40))
            if rng.random() < 0.4:
                made.kill()
    made.settle()


@pytest.mark.parametrize("delivery", DeliveryClass)
def test_through_faults_and_kills_each_text_is_visible_once_and_in_order(delivery: DeliveryClass) -> None:
    for seed in SEEDS:
        with house(delivery, seed) as made:
            storm(made)

            for chat in CHATS:
                assert made.texts(chat) == list(WORDS), (seed, chat)
            assert made.owed() == ()
            assert made.failures == []


def test_the_storm_sees_a_key_that_is_not_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = random.Random(1)
    monkeypatch.setattr("greenroom.actors.entry.outgoing_key", lambda _uid, _entry: f"random-{drawn.random()}")
    for seed in SEEDS:
        with house(DeliveryClass.NATIVE_KEY, seed) as made:
            storm(made)
            if any(made.texts(chat) != list(WORDS) for chat in CHATS):
                return
    pytest.fail("no seed saw it")


def test_an_ordinary_answer_is_one_call_and_one_write() -> None:
    with house() as made:
        made.fill(ANN, "a", "Hello")
        made.settle(5)

        (call,) = made.platform.calls
        assert (call.name, call.key, call.text) == ("send", f"{made.store.uid}-a-0", "Hello")
        assert made.owed() == ()


def test_streamed_words_end_as_the_answer_in_the_same_message() -> None:
    with house(DeliveryClass.EDIT_ANCHOR) as made:
        made.open(ANN, "a")
        made.settle(2)
        for words in ("Let", "Let me", "Let me see"):
            made.actor.tell(LiveText(ANN, "a", words))
            made.settle(0.6)
        made.fill(ANN, "a", "Let me see. It is four.")
        made.settle(5)

        (message,) = made.server.visible(ANN)
        assert message.texts == ["...", "Let", "Let me", "Let me see. It is four."]


def test_an_anchor_whose_run_has_gone_is_filled_by_the_next_process() -> None:
    with house(DeliveryClass.EDIT_ANCHOR) as made:
        made.open(ANN, "a")
        made.settle(2)
        made.kill()
        made.settle(100_000)

        assert made.server.texts(ANN) == ["..."]
        assert [each.state for each in made.owed()] == [DeliveryState.OPEN]
        made.fill(ANN, "a", "Here it is.")
        made.settle(5)
        assert made.server.texts(ANN) == ["Here it is."]


def test_told_to_come_back_later_the_whole_account_waits() -> None:
    with house() as made:
        made.platform.faults.append(Fault.RETRY_LATER)
        made.fill(ANN, "a", "one")
        made.settle(1)
        made.fill(BOB, "b", "two")
        made.settle(5)

        assert len(made.platform.calls) == 1
        made.settle(3)
        assert (made.server.texts(ANN), made.server.texts(BOB)) == (["one"], ["two"])


def test_one_chats_silence_delays_no_other() -> None:
    with house() as made:
        made.choose = lambda seen: Fault.HANGS_BEFORE if seen.session == ANN else None
        made.fill(ANN, "a", "one")
        made.fill(BOB, "b", "two")
        made.settle(1)

        assert made.server.texts(BOB) == ["two"]


def test_never_more_calls_at_once_than_the_limit() -> None:
    with house(limits=OutboxLimits(in_flight_max=2)) as made:
        made.choose = lambda _seen: Fault.SLOW
        for chat in CHATS:
            made.fill(chat, f"{chat.chat}-a", "one")
        made.settle(1)
        assert made.actor.ask(ReadStatus(), timeout=5) == OutboxStatus(3, 0, 2, up=True, paused_s=0.0)
        made.settle(20)

        assert made.platform.in_flight_most == 2
        assert all(made.server.texts(chat) == ["one"] for chat in CHATS)


def test_nothing_is_tried_while_the_platform_is_down_and_everything_at_once_when_it_is_up() -> None:
    with house() as made:
        made.platform.faults.append(Fault.NOT_SENT)
        made.fill(ANN, "a", "one")
        made.settle(0.1)
        made.actor.tell(PlatformDown())
        made.fill(BOB, "b", "two")
        made.settle(1_000)
        assert len(made.platform.calls) == 1

        made.actor.tell(PlatformUp())
        made.settle(0.1)
        assert (made.server.texts(ANN), made.server.texts(BOB)) == (["one"], ["two"])


def test_a_chat_that_is_gone_is_a_dead_letter_and_blocks_nobody() -> None:
    with house() as made:
        made.server.block(ANN)
        made.fill(ANN, "a", "one")
        made.fill(ANN, "b", "two")
        made.fill(BOB, "c", "three")
        made.settle(5)

        assert made.owed() == ()
        assert made.server.texts(BOB) == ["three"]


def test_a_dead_letter_that_an_operator_revived_is_sent_at_once() -> None:
    with house() as made:
        made.platform.faults.append(Fault.REFUSED)
        made.fill(ANN, "a", "one")
        made.settle(5)
        assert made.server.texts(ANN) == []

        made.write(DeliveryRevived(made.row(ANN, "a", "one"), 2.0))
        made.actor.tell(Revived(made.row(ANN, "a", "one")))
        made.settle(5)
        assert made.server.texts(ANN) == ["one"]


def test_a_row_that_was_found_owed_died_and_was_revived_is_sent_by_the_same_actor() -> None:
    with house() as made:
        made.write(DeliveryOpened(made.store.epoch, Generation(0), made.row(ANN, "a", "one")))
        made.platform.faults.append(Fault.REFUSED)
        made.actor.tell(Reread())
        made.settle(5)
        assert made.server.texts(ANN) == []

        made.write(DeliveryRevived(made.row(ANN, "a", "one"), 2.0))
        made.actor.tell(Revived(made.row(ANN, "a", "one")))
        made.settle(5)
        assert made.server.texts(ANN) == ["one"]


def test_who_waits_for_the_flush_is_told_when_nothing_is_owed_any_more() -> None:
    with house() as made:
        flushed: list[list[str]] = []
        made.platform.faults.append(Fault.NOT_SENT)
        made.fill(ANN, "a", "one")
        made.open(BOB, "b")
        made.actor.tell(WhenFlushed(lambda: flushed.append(made.server.texts(ANN))))
        made.settle(100)

        assert flushed == [["one"]]


def test_a_successor_in_the_same_process_takes_up_what_the_dead_one_left() -> None:
    with house(DeliveryClass.EDIT_ANCHOR) as made:
        made.choose = lambda _seen: Fault.HANGS_AFTER
        made.fill(ANN, "a", "one")
        made.settle(1)
        made.actor.stop(block=False)
        made.choose = lambda _seen: None
        made.settle(1)
        made.start()
        made.settle(5)

        assert made.server.texts(ANN) == ["...", "one"]
        assert made.owed() == ()


def test_it_asks_again_when_the_store_cannot_say_what_is_owed() -> None:
    with house() as made:
        made.platform.faults.append(Fault.NOT_SENT)
        made.fill(ANN, "a", "one")
        made.actor.stop(block=False)
        made.settle(1)
        read = made.store.read
        silences = [ReadFailed("the disk is busy")] * 3

        def trouble(query: Query, then: Callable[[ReadAnswer], None]) -> None:
            then(silences.pop()) if silences else read(query, then)

        made.store.read = trouble  # type: ignore[method-assign]
        made.start()
        made.settle(20)

        assert silences == []
        assert made.server.texts(ANN) == ["one"]


def test_what_is_said_after_a_reread_waits_until_the_store_has_told_what_came_before() -> None:
    with house(DeliveryClass.NONE) as made:  # No anchor keeps the place of what is not said yet.
        made.open(ANN, "a")
        made.settle(5)
        read = made.store.read
        silences = [ReadFailed("the disk is busy")] * 3

        def trouble(query: Query, then: Callable[[ReadAnswer], None]) -> None:
            then(silences.pop()) if silences and isinstance(query, OwedOf) else read(query, then)

        made.store.read = trouble  # type: ignore[method-assign]
        made.write(DeliveryFilled("a", "one", 1.0, DeliveryKind.ANSWER))  # Who filled it died: the row alone knows.
        made.actor.tell(Reread())
        made.fill(ANN, "b", "two")
        made.settle(20)

        assert made.server.texts(ANN) == ["one", "two"]


def test_a_message_it_does_not_know_ends_in_a_named_error() -> None:
    with house() as made, pytest.raises(TypeError, match="takes the messages of"):
        made.actor.ask("hello", timeout=5)
