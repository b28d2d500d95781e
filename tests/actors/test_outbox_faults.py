from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from greenroom.actors.calls import Call, Doubtful, Edit, Forbidden, Gone, Look, Outcome, Post, Postponed, Unsent, Worked
from greenroom.actors.entry import REPEAT_MARK, DeliveryPolicy, Entry, OutboxLimits, Ways, next_call
from greenroom.actors.facts import DeliveryMoved
from greenroom.actors.model import Delivery, DeliveryClass, DeliveryKind, DeliveryState, SessionId, SessionKey
from greenroom.actors.outbox import step
from greenroom.actors.outbox_words import (
    AskSlot,
    Bury,
    CallEnded,
    Conclude,
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
    YieldSlot,
)
from greenroom.actors.ports import LATE_S, SendRefusedError, TargetGoneError, Traits
from greenroom.platforms.fakes.chat_server import FakeChatServer

CHAT = SessionKey("fake", "bot", "42")
LONG = "The first sentence of it. The second one. And the third."
FAULTS = ("works", "lost before", "lost after", "late", "unsent", "later", "removed")
OWED = {DeliveryState.DELIVERED, DeliveryState.DEAD}
LIMITS = OutboxLimits()


def row(key: str, text: str | None = None, created_at: float = 0.0) -> Delivery:
    state = DeliveryState.OPEN if text is None else DeliveryState.PENDING
    return Delivery(key, SessionId(1), CHAT, DeliveryKind.ANSWER, text, state, created_at=created_at, reply_to="u1")


def ways_of(rule: DeliveryClass, policy: DeliveryPolicy = DeliveryPolicy.EXACTLY_ONCE) -> Ways:
    edits = rule in {DeliveryClass.NATIVE_KEY, DeliveryClass.EDIT_ANCHOR}
    return Ways.of(Traits(rule, text_max=50, edits=edits), policy, "store001", LIMITS)


@dataclass(frozen=True)
class Said:
    """One thing a session does: the row as it writes it (None: nothing durable), then what it tells."""

    delivery: Delivery | None
    event: Event


def opens(key: str, at: float) -> Said:
    return Said(row(key, created_at=at), Opened(row(key, created_at=at)))


def fills(key: str, text: str, at: float) -> Said:
    return Said(row(key, text, at), Filled(row(key, text, at)))


ONE_SHOT = (fills("a", LONG, 1.0), fills("b", "A short line.", 2.0))
STREAMED = (
    opens("a", 1.0),
    Said(None, LiveText(CHAT, "a", "The first")),
    fills("a", LONG, 1.0),
    opens("b", 2.0),
    fills("b", "A short line.", 2.0),
)
SCRIPTS = {"one shot": ONE_SHOT, "streamed": STREAMED}
EXPECTED = ("The first sentence of it. The second one. ", "And the third.", "A short line.")
EXPECTED_NONE = ("The first sentence of it. ", "The second one. And the third.", "A short line.")


class Crash(Exception):
    pass


class World:
    """The pure machine between rows that survive and a server that survives; the process in between does not."""

    def __init__(self, ways: Ways, script: tuple[Said, ...], faults: tuple[str, ...], crashes: frozenset[int]) -> None:
        self.ways = ways
        self.script = deque(script)
        self.faults = deque(faults)
        self.crashes = crashes
        self.rows: dict[str, Delivery] = {}
        self.server = FakeChatServer(native_keys=ways.rule is DeliveryClass.NATIVE_KEY)
        self.calls: list[Call] = []
        self.late: deque[Call] = deque()  # their effects come after their senders have given them up
        self.died = self.removed_after_a_crash = False
        self.now = 0.0
        self.points = 0
        self.lane = Lane()
        self.events: deque[Event] = deque()

    def run(self) -> None:
        for _ in range(len(self.crashes) + 1):
            try:
                self.live()
                return
            except Crash:
                self.died = True
                self.lane, self.events = Lane(), deque()
                owed = tuple(each for each in self.rows.values() if each.state not in OWED)
                self.events.append(TakenUp(CHAT, owed))
        self.live()

    def live(self) -> None:
        while self.events or self.script or self.lane.busy or any(e.parts is not None for e in self.lane.entries):
            if self.script and len(self.events) < 2:  # The session speaks while the outbox works.
                self.hear(self.script.popleft())
            elif self.events:
                self.feed(self.events.popleft())
            else:
                self.come_late()
                self.now += max(LIMITS.backoff_max_s, LATE_S)
                self.events.append(Woke(CHAT))
            assert self.points < 2_000, "the lane never comes to rest"

    def hear(self, said: Said) -> None:
        if said.delivery is not None:
            known = self.rows.get(said.delivery.key, said.delivery)
            state = DeliveryState.PENDING if said.delivery.text and known.state is DeliveryState.OPEN else known.state
            self.rows[said.delivery.key] = replace(known, text=said.delivery.text, state=state)
        self.point()
        self.events.append(said.event)

    def feed(self, event: Event) -> None:
        moment = Moment(self.now, 1_700_000_000.0 + self.now, 0.5)
        lane, effects = step(self.ways, self.lane, event, moment)
        self.point()
        if effects.facts:
            for fact in effects.facts:
                self.write(fact)
            self.point()
        self.lane = lane
        for act in effects.acts:
            match act:
                case AskSlot():
                    self.events.append(SlotGranted())
                case Perform(call):
                    self.events.append(CallEnded(self.perform(call)))
                    self.point()
                case Pause(after_s):
                    self.now += after_s
                case WakeIn() | YieldSlot() | Conclude() | Bury():
                    pass

    def come_late(self) -> None:
        """What was given up takes effect after all."""
        while self.late:
            with suppress(TargetGoneError, SendRefusedError):
                self.effect(self.late.popleft())

    def write(self, fact: DeliveryMoved) -> None:
        """As the store does: the text is never touched, and an open row whose text came meanwhile is pending."""
        known, moved = self.rows[fact.delivery.key], fact.delivery
        state = DeliveryState.PENDING if moved.state is DeliveryState.OPEN and known.text else moved.state
        self.rows[moved.key] = replace(moved, state=state, text=known.text)

    def perform(self, call: Call) -> Outcome:
        self.calls.append(call)
        fault = self.faults.popleft() if self.faults else "works"
        match fault:
            case "lost before":
                return Doubtful("no answer", raised=False)
            case "late":
                self.late.append(call)
                return Doubtful("no answer", raised=False)
            case "unsent":
                return Unsent("503")
            case "later":
                return Postponed(3.0)
            case "refused":
                return Forbidden("403")
            case "removed" if isinstance(call, Edit):
                self.removed_after_a_crash |= self.died
                self.server.delete(call.message_id)
        try:
            worked = Worked(self.effect(call))
        except TargetGoneError as error:
            return Gone(str(error))
        except SendRefusedError as error:
            return Forbidden(str(error))
        return Doubtful("no answer", raised=False) if fault == "lost after" else worked

    def effect(self, call: Call) -> str | None:
        match call:
            case Post(message):
                return self.server.post(message)
            case Look(message):
                return self.server.find(message.session, message.key)
            case Edit(session, message_id, text):
                self.server.edit(session, message_id, text)
                return None

    def point(self) -> None:
        self.points += 1
        if self.points in self.crashes:
            raise Crash


def check(world: World) -> None:
    """Every text is visible once and in order, and its row says so; what is visible besides is a bare placeholder."""
    assert all(each.state in OWED for each in world.rows.values() if each.text), world.rows
    texts = world.server.texts(CHAT)
    if world.ways.rule is DeliveryClass.EDIT_ANCHOR:
        texts = [text for text in texts if text != world.ways.placeholder]
    if world.ways.rule is DeliveryClass.NONE:
        firsts = [text for text in texts if not text.startswith(REPEAT_MARK)]
        assert len(set(firsts)) == len(firsts), "an unmarked repeat"
        texts = list(dict.fromkeys(text.removeprefix(REPEAT_MARK) for text in texts))
    expected = EXPECTED_NONE if world.ways.rule is DeliveryClass.NONE else EXPECTED
    if world.removed_after_a_crash:  # A later part may have been there already: what replaces the earlier comes below.
        assert sorted(texts) == sorted(expected)
    else:
        assert texts == list(expected)


def every_case(rule: DeliveryClass, policy: DeliveryPolicy) -> Iterator[World]:
    """Each script under each pair of faults, with the process killed at each point, and not at all."""
    for script, faults in product(SCRIPTS.values(), product(FAULTS, repeat=2)):
        for crash_at in count():
            world = World(ways_of(rule, policy), script, faults, frozenset({crash_at} - {0}))
            world.run()
            yield world
            if crash_at > world.points:
                break


CLASSES = [
    *((rule, DeliveryPolicy.EXACTLY_ONCE) for rule in DeliveryClass),
    *((rule, DeliveryPolicy.AT_LEAST_ONCE) for rule in DeliveryClass if rule is not DeliveryClass.NONE),
]


@pytest.mark.parametrize("rule, policy", CLASSES)
def test_under_every_fault_and_crash_each_text_is_visible_once_and_in_order(
    rule: DeliveryClass, policy: DeliveryPolicy
) -> None:
    for world in every_case(rule, policy):
        check(world)


@given(
    st.sampled_from(CLASSES),
    st.sampled_from(sorted(SCRIPTS)),
    st.lists(st.sampled_from(FAULTS), max_size=10),
    st.frozensets(st.integers(1, 120), max_size=4),
)
def test_under_many_faults_and_crashes_too(
    case: tuple[DeliveryClass, DeliveryPolicy], script: str, faults: list[str], crashes: frozenset[int]
) -> None:
    world = World(ways_of(*case), SCRIPTS[script], tuple(faults), crashes)

    world.run()

    check(world)


@pytest.mark.parametrize("fault", ["works", "lost after"])
@pytest.mark.parametrize("rule", DeliveryClass)
@pytest.mark.parametrize("text", ["A short line.", LONG])
def test_what_was_begun_under_another_promise_loses_no_word_and_doubles_none_unmarked(
    rule: DeliveryClass, text: str, fault: str
) -> None:
    """Its placeholder stands there, or a part of it; the host wants no more than "at least once" from now on."""
    script = (opens("a", 1.0), Said(None, LiveText(CHAT, "a", "The fir")), fills("a", text, 1.0))
    before, after = (ways_of(rule, policy) for policy in DeliveryPolicy)
    for crash_at in range(1, 200):
        world = World(before, script, (fault,), frozenset({crash_at}))
        with suppress(Crash):
            world.live()
        if world.points < crash_at:
            break
        world.ways, world.lane = after, Lane()
        world.events = deque([TakenUp(CHAT, tuple(each for each in world.rows.values() if each.state not in OWED))])
        world.live()
        texts = [shown for shown in world.server.texts(CHAT) if shown != before.placeholder]
        for sentence in text.split(". "):
            found = [shown for shown in texts if sentence in shown]
            assert len([shown for shown in found if not shown.startswith(REPEAT_MARK)]) <= 1, (crash_at, texts)
            assert found, (crash_at, texts)
        assert "The fir" not in texts, crash_at
    assert 5 < crash_at < 199


def first_failure(rule: DeliveryClass) -> str:
    for world in every_case(rule, DeliveryPolicy.EXACTLY_ONCE):
        try:
            check(world)
        except AssertionError as error:
            return str(error)
    return ""


def test_a_random_key_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = count()
    monkeypatch.setattr("greenroom.actors.entry.outgoing_key", lambda _uid, _entry: f"random-{next(fresh)}")

    assert first_failure(DeliveryClass.NATIVE_KEY)


def test_an_anchor_edited_before_its_id_is_stored_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: World, fact: DeliveryMoved) -> None:
        if fact.delivery.state is DeliveryState.DELIVERED:
            write(self, fact)

    write = World.write
    monkeypatch.setattr(World, "write", forgetful)

    assert first_failure(DeliveryClass.EDIT_ANCHOR)


def test_a_second_send_without_a_look_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(ways: Ways, entry: Entry) -> Call | None:
        call = next_call(ways, entry)
        return Post(call.message) if isinstance(call, Look) else call

    monkeypatch.setattr("greenroom.actors.outbox.next_call", blind)

    assert first_failure(DeliveryClass.RECONCILE)
