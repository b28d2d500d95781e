"""The shell of the outbox, one actor per platform account: receives, writes, calls the platform, decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, assert_never

from msgspec import Struct
from pykka import ActorDeadError

from greenroom.actors.calling import Calling
from greenroom.actors.calls import Outcome
from greenroom.actors.entry import DeliveryPolicy, OutboxLimits, Ways
from greenroom.actors.hearsay import Hearsay
from greenroom.actors.model import Delivery, SessionKey
from greenroom.actors.outbox import can_stream, step
from greenroom.actors.outbox_box import Box
from greenroom.actors.outbox_words import (
    AskSlot,
    Bury,
    CallEnded,
    Conclude,
    Dropped,
    Event,
    Filled,
    Forgotten,
    LiveText,
    Moment,
    NoticeWanted,
    Opened,
    OutboxStatus,
    Pause,
    Perform,
    PlatformDown,
    PlatformUp,
    ReadStatus,
    Remarked,
    Reread,
    Revived,
    SlotGranted,
    TakenUp,
    TroubleOver,
    TroubleTold,
    TypingWanted,
    WakeIn,
    WhenFlushed,
    Woke,
    YieldSlot,
)
from greenroom.actors.pooled import PooledActor
from greenroom.actors.ports import Platform
from greenroom.actors.runtime import Falls, Solicited
from greenroom.actors.store import (
    Committed,
    OwedOf,
    OwnerNow,
    ReadAnswer,
    ReadFailed,
    Refused,
    Store,
    StoreRefusedError,
)
from greenroom.actors.traffic import Traffic

DEFAULT_LIMITS = OutboxLimits()

READ_AGAIN_S = 1.0
"""How long to wait when the store could not say what is owed, or whose it is."""

OWNER_NOW = OwnerNow()


class _Written(Struct, Solicited, frozen=True):
    session: SessionKey
    result: Committed | Refused


class _Returned(Struct, Solicited, frozen=True):
    number: int
    outcome: Outcome


class _CallLate(Struct, Solicited, frozen=True):
    pass


class _OwedRead(Struct, Solicited, frozen=True):
    answer: ReadAnswer


class _OwnerRead(Struct, Solicited, frozen=True):
    answer: ReadAnswer
    at: float  # monotonic


class _OwnerUnread(Struct, Solicited, frozen=True):
    pass


class _PauseOver(Struct, Solicited, frozen=True):
    pass


class DeliveryActor(PooledActor):
    """Makes the deliveries of one platform account visible. Everything it knows can be lost: the rows are the outbox.

    Told `Opened`, `Filled`, `Revived`, `Dropped`, `Forgotten`, `LiveText`, `NoticeWanted`, `TroubleTold`,
    `TroubleOver`, `PlatformUp`, `PlatformDown`, `Reread`, `WhenFlushed`; asked `ReadStatus`. It dies with
    StoreRefusedError when the store belongs to somebody else.
    """

    falls = Falls.WIRE

    def __init__(
        self,
        store: Store,
        platform: Platform,
        *,
        policy: DeliveryPolicy = DeliveryPolicy.EXACTLY_ONCE,
        limits: OutboxLimits = DEFAULT_LIMITS,
        report_dead: Callable[[Delivery], object] = lambda _: None,
    ) -> None:
        """`report_dead` is told of each delivery that is given up, once that is on disk."""
        super().__init__()
        self._store = store
        self._clock, self._timers, self._random = self.runtime.clock, self.runtime.timers, self.runtime.random
        self._account = OwedOf(platform.name, platform.account)
        self._ways = Ways.of(platform.traits, policy, store.uid, limits)
        self._traffic = Traffic(limits.in_flight_max)
        self._boxes: dict[SessionKey, Box] = {}
        self._calling = Calling(
            self.runtime,
            platform,
            timeout_s=limits.call_timeout_s,
            tell=lambda number, outcome: self._tell(_Returned(number, outcome)),
            ring=lambda: self._tell(_CallLate()),
        )
        self._early: list[Opened | Filled | LiveText] | None = []  # None: what is owed from before is known
        self._hearsay = Hearsay()
        self._report_dead = report_dead
        self._reread = False
        self._flushed: list[Callable[[], None]] = []

    def on_start(self) -> None:
        self._read_owed()

    def on_stop(self) -> None:
        self._leave()

    def on_failure(self, *_exc_info: Any) -> None:
        self._leave()

    def on_receive(self, message: Any) -> Any:  # noqa: C901, PLR0912, PLR0915 - one line a message
        match message:
            case Opened() | Filled() | LiveText():
                self._hear(message)
            case TypingWanted(session):
                self._show_typing(session)
            case NoticeWanted(message=notice):
                if self._traffic.up:
                    self._calling.plan_notice(notice)
            case TroubleTold():
                self._tell_trouble(message)
            case TroubleOver(key, line):
                self._calling.drop_notices(key)
                for session in tuple(self._boxes):
                    self._feed(session, Remarked(session, line, holds=False))
            case _Returned(number, outcome):
                self._end_call(number, outcome)
            case _CallLate():
                self._end_late()
            case _Written(session, result):
                self._written(session, result)
            case Woke(session):
                self._feed(session, message)
            case _PauseOver():
                pass  # What it held back is granted below.
            case _OwnerRead(answer, at):
                self._hear_owner(answer, at)
            case _OwnerUnread():
                self._ask_owner()
            case PlatformUp() | PlatformDown():
                self._turn(message)
            case _OwedRead(answer):
                self._take_up(answer)
            case Reread():
                self._read_owed()
            case Revived(delivery):
                self._hearsay.revive(delivery.key)
                self._feed(delivery.session, message)
                self._read_owed()
            case Dropped(delivery):
                self._hearsay.drop(delivery.key)
                self._feed(delivery.session, message)
            case Forgotten(session, ids):
                self._hearsay.forget(ids)
                self._feed(session, message)
            case WhenFlushed(then):
                self._flushed.append(then)
            case ReadStatus():
                return self._status()
            case _:
                msg = f"{self} takes the messages of actors/outbox_words.py, got {message!r:.200}"
                raise TypeError(msg)
        self._grant()
        if self._calling.wants_to_ask():
            self._ask_owner()
        self._tell_flushed()
        return None

    # What is owed

    def _hear(self, message: Opened | Filled | LiveText) -> None:
        if isinstance(message, Filled):
            self._calling.hush(message.session)
        if self._early is None:
            self._feed(message.session, message)
        else:
            self._early.append(message)  # What is owed from before comes first.

    def _show_typing(self, session: SessionKey) -> None:
        box = self._boxes.get(session)
        if self._traffic.up and (box is None or not box.owes):
            self._calling.plan_typing(session)

    def _tell_trouble(self, told: TroubleTold) -> None:
        awaited = [session for session, box in self._boxes.items() if box.lane.awaited]
        for session in awaited if told.session is None else (told.session,):
            box = self._boxes.get(session)
            if box is not None and can_stream(self._ways, box.lane):
                self._feed(session, Remarked(session, told.line, holds=True))
            else:
                told.unheard(session)

    def _read_owed(self) -> None:
        self._hold_words()
        if self._hearsay.reading:
            self._reread = True  # The answer under way may be older than what this is about.
        else:
            self._reread = False
            self._hearsay.begin()
            self._store.read(self._account, lambda answer: self._tell(_OwedRead(answer)))

    def _hold_words(self) -> None:
        """From here on words wait until the store has said what came before them."""
        if self._early is None:
            self._early = []

    def _take_up(self, answer: ReadAnswer) -> None:
        if not isinstance(answer, tuple):
            self._hearsay.fail()
            self._arm("read", READ_AGAIN_S, Reread())
            return
        for session, deliveries in self._hearsay.found(row for row in answer if isinstance(row, Delivery)):
            self._feed(session, TakenUp(session, deliveries))
        if self._reread:
            self._read_owed()
            return
        early, self._early = self._early, None
        for message in early or ():
            self._feed(message.session, message)

    # Lanes: receive, write, adopt, act

    def _feed(self, session: SessionKey, event: Event) -> None:
        box = self._boxes.get(session)
        if box is None:
            box = self._boxes[session] = Box()
        box.stash.append(event)
        self._replay(session, box)

    def _replay(self, session: SessionKey, box: Box) -> None:
        while box.stash and box.next is None:
            event = self._news(box.stash.popleft())
            if event is None:
                continue
            lane, effects = step(self._ways, box.lane, event, self._moment())
            box.next, box.acts = lane, effects.acts
            if effects.facts:
                self._store.write(effects.facts, lambda result: self._tell(_Written(session, result)))
            else:
                self._act(session, box)
        if box.next is None and box.lane.rests and session in self._boxes:
            del self._boxes[session]
            self._timers.cancel((self, session))

    def _news(self, event: Event) -> Event | None:
        match event:
            case TakenUp(session, deliveries):
                return TakenUp(session, self._hearsay.news(deliveries))
            case Opened(delivery) | Filled(delivery):
                return event if self._hearsay.news((delivery,)) else None
            case _:
                return event

    def _moment(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now(), self._random.random())

    def _written(self, session: SessionKey, result: Committed | Refused) -> None:
        if isinstance(result, Refused):
            msg = f"the outbox of {session} cannot write: {result.kind}: {result.detail}"
            raise StoreRefusedError(msg)
        box = self._boxes[session]
        self._act(session, box)
        self._replay(session, box)

    def _act(self, session: SessionKey, box: Box) -> None:
        """Adopt the new lane and perform what it asks for."""
        if box.next is not None:
            box.lane, box.next = box.next, None
        acts, box.acts = box.acts, ()
        for act in acts:
            match act:
                case AskSlot():
                    self._traffic.queue(session)
                case YieldSlot():
                    self._traffic.end()
                case Perform(call):
                    self._calling.plan(session, call)
                case WakeIn(after_s):
                    self._arm(session, after_s, Woke(session))
                case Pause(after_s):
                    self._traffic.pause(self._clock.monotonic() + after_s)
                    self._arm("pause", after_s, _PauseOver())
                case Conclude(key):
                    self._hearsay.conclude(key)
                case Bury(delivery):
                    self._hearsay.bury(delivery.key)
                    self._report_dead(delivery)
                case _:
                    assert_never(act)

    # Calls

    def _ask_owner(self) -> None:
        self._store.read(OWNER_NOW, lambda answer: self._tell(_OwnerRead(answer, self._clock.monotonic())))

    def _hear_owner(self, answer: ReadAnswer, at: float) -> None:
        if isinstance(answer, ReadFailed):
            self._arm("owner", READ_AGAIN_S, _OwnerUnread())
        elif answer == self._store.epoch:
            self._calling.let_go(at)
        else:
            msg = f"epoch {self._store.epoch} is over: another process owns the store as epoch {answer}"
            raise StoreRefusedError(msg)

    def _grant(self) -> None:
        while (session := self._traffic.grant(self._clock.monotonic())) is not None:
            self._feed(session, SlotGranted())

    def _end_call(self, number: int, outcome: Outcome) -> None:
        session = self._calling.end(number)
        if session is not None:
            self._traffic.end()
            self._feed(session, CallEnded(outcome))

    def _end_late(self) -> None:
        for number, doubt in self._calling.late():
            self._end_call(number, doubt)

    # The world

    def _turn(self, message: PlatformUp | PlatformDown) -> None:
        came_up = isinstance(message, PlatformUp) and not self._traffic.up
        self._traffic.up = isinstance(message, PlatformUp)
        for session in tuple(self._boxes) if came_up else ():
            self._feed(session, PlatformUp())

    def _tell_flushed(self) -> None:
        if self._flushed and self._early is None and not any(box.owes for box in self._boxes.values()):
            flushed, self._flushed = self._flushed, []
            for then in flushed:
                then()

    def _status(self) -> OutboxStatus:
        entries = [entry for box in self._boxes.values() for entry in box.lane.entries]
        owed = sum(entry.parts is not None for entry in entries)
        paused_s = max(0.0, self._traffic.paused_until - self._clock.monotonic())
        return OutboxStatus(owed, len(entries) - owed, self._traffic.in_flight, self._traffic.up, paused_s)

    def _arm(self, key: Hashable, after_s: float, message: Solicited) -> None:
        self._timers.arm((self, key), after_s, lambda: self._tell(message))

    def _tell(self, message: Solicited) -> None:
        """Tell this actor, from any thread. What comes back to a dead one is found on disk by the next."""
        with suppress(ActorDeadError):
            self.actor_ref.tell(message)

    def _leave(self) -> None:
        """Leave nothing behind that acts: a call that is cut off counts as doubtful for the next actor."""
        self._calling.abandon()
        for key in (*self._boxes, "pause", "read", "owner"):
            self._timers.cancel((self, key))
