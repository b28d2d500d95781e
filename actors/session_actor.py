"""The shell of a session: receive, step, commit, adopt, act. It decides nothing; `session.py` does."""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from msgspec.structs import replace

from greenroom.actors.acts import (
    Act,
    ArmAlarm,
    ArmIdle,
    ArmRetry,
    CallOff,
    CancelAlarms,
    CancelRun,
    Confirm,
    Deliver,
    Effects,
    EndProcesses,
    OpenAnchor,
    ReadPast,
    ReportConcluded,
    ReportReleased,
    ReportRun,
    ReportSucceeded,
    Rest,
    ShowText,
    ShowTyping,
    StartRun,
)
from greenroom.actors.alarms import Alarms
from greenroom.actors.events import (
    Added,
    Alarm,
    Cancelled,
    Event,
    IdleRang,
    PastRead,
    Rang,
    RetryRang,
    RunEnded,
    SayTimers,
    TreeEvent,
)
from greenroom.actors.link import Place
from greenroom.actors.model import Generation, InboxId, SessionId, Snapshot
from greenroom.actors.pooled import PooledActor
from greenroom.actors.run import run_agent
from greenroom.actors.runtime import Falls, Job, Solicited
from greenroom.actors.session import Session, open_session, step
from greenroom.actors.store import Committed, Past, PastOf, ReadAnswer, Refused, SnapshotOf, StoreRefusedError
from greenroom.actors.turn import LiveTurn

if TYPE_CHECKING:
    from greenroom.actors.events import Outcome
    from greenroom.actors.house import House

logger = logging.getLogger("greenroom.session")

AGENTS_LOOP = "agents"
"""The asyncio loop on which agents run."""


class StoreUnreadableError(Exception):
    """The session could not be read from the store."""


class Loaded(Solicited):
    """The store's answer to the actor's first question."""

    __slots__ = ("answer",)

    def __init__(self, answer: ReadAnswer) -> None:
        """Carry the answer."""
        self.answer = answer


class Written(Solicited):
    """The store's answer to the actor's commit."""

    __slots__ = ("answer",)

    def __init__(self, answer: Committed | Refused) -> None:
        """Carry the answer."""
        self.answer = answer


class AlarmsRang(Solicited):
    """One of the actor's deadlines may have come."""

    __slots__ = ()


ALARMS_RANG = AlarmsRang()
IDLE_RANG = IdleRang()
LINGER_LOOK_S = 1.0
"""How soon it is looked again whether an agent has ended that has concluded."""
IDLE, RETRY = "idle", "retry"
"""Name the alarms that are not a run's."""


class SessionActor(PooledActor):
    """Owns one session: its transcript's end, its run, its timers. Everything it knows can be read back from disk."""

    falls = Falls.SESSION

    def __init__(self, house: House, session_id: SessionId) -> None:
        """Begin empty; the state is asked for in `on_start`."""
        super().__init__()
        self._house = house
        self._id = session_id
        self._session: Session | None = None
        self._pending: tuple[Session, tuple[Act, ...]] | None = None  # what is adopted when the commit is durable
        self._stash: deque[Event] | None = None  # Made when it is needed, and not kept: most sessions idle.
        self._alarms: Alarms[Event] = Alarms(self.runtime, self._ring)
        self._turn: LiveTurn | None = None
        self._job: Job | None = None
        # Of an agent that has concluded, and for whose end the run after it waits.
        self._late: tuple[LiveTurn, Job] | None = None
        self._told = 0
        self._asleep_s = 0.0  # by which alarms of the run were late, in sum
        self._successor = session_id  # who has the chat
        self._gone = False  # forgotten since somebody had something for it: there is no row to wake from

    def on_start(self) -> None:
        """Ask the store what this session is."""
        self._house.store.read(SnapshotOf(self._id), lambda answer: self.hear(Loaded(answer)))

    def on_receive(self, message: Any) -> None:
        """Take an event, or the store's word; events wait while the store is asked."""
        if isinstance(message, Written):
            self._adopt(message.answer)
        elif isinstance(message, Loaded):
            self._open(message.answer)
        elif isinstance(message, SayTimers):
            message.then(self._alarms.pending())
        elif isinstance(message, AlarmsRang):
            due = self._alarms.due()
            self._asleep_s += self._alarms.late_s
            for event in due:
                self._hear_event(self._completed(event) if isinstance(event, Rang) else event)
        else:
            awaited = self._forget_run(message.generation) if isinstance(message, RunEnded | Added) else True
            if awaited or not isinstance(message, Added):  # Who cancelled a run hears nothing that it adds.
                self._hear_event(message)
            return
        self._unstash()

    def on_stop(self) -> None:
        """Leave no timer and no coroutine behind."""
        self._let_go()

    def on_failure(self, *_: object) -> None:
        """Leave no timer and no coroutine behind; the supervisor hears of it from the runtime."""
        self._let_go()

    # -- receive, commit, adopt ----------------------------------------------------------------------------------

    @property
    def _state(self) -> Session:
        """The state that is on disk. Events wait until it is loaded, so there always is one when it is asked for."""
        if self._session is None:
            msg = f"session {self._id} is not loaded"
            raise StoreUnreadableError(msg)
        return self._session

    def _open(self, answer: ReadAnswer) -> None:
        if answer is None:
            logger.info("session %s was forgotten; what somebody had for it yet comes to nothing", self._id)
            self._gone = True
            return
        if not isinstance(answer, Snapshot):
            msg = f"session {self._id}: {answer}"
            raise StoreUnreadableError(msg)
        own = replace(answer, epoch=self._house.store.epoch)  # What the file says now may be another owner's.
        self._session = open_session(own)

    def _hear_event(self, event: Event) -> None:
        if self._gone:
            self._pass_over(event)
            return
        if self._session is not None and self._pending is None:
            self._take(event)
            return
        if self._stash is None:
            self._stash = deque()
        self._stash.append(event)

    def _take(self, event: Event) -> None:
        self._told += isinstance(event, TreeEvent)  # Handled, not merely received: what is stashed forbids to rest.
        after, effects = step(self._state, event, self.runtime.clock.now(), self._house.rules)
        self._commit(after, effects)

    def _commit(self, after: Session, effects: Effects) -> None:
        if not effects.facts:
            self._session = after
            self._perform(effects.acts)
            return
        self._pending = (after, effects.acts)
        self._house.store.write(effects.facts, lambda answer: self.hear(Written(answer)))

    def _adopt(self, answer: Committed | Refused) -> None:
        if isinstance(answer, Refused):
            msg = f"session {self._id}: {answer.kind.value} ({answer.detail})"
            raise StoreRefusedError(msg)
        if self._pending is not None:
            self._session, acts = self._pending
            if answer.receipts:
                self._successor = answer.receipts[-1].session_id
            self._pending = None
            self._perform(acts)

    def _pass_over(self, event: Event) -> None:
        self._told += isinstance(event, TreeEvent)
        self._house.around.report_run(self._id, live=False, for_good=True)
        self._house.around.offer_rest(self.actor_ref, self._told)

    def _unstash(self) -> None:
        while self._stash and self._gone:
            self._pass_over(self._stash.popleft())
        while self._stash and self._session is not None and self._pending is None:
            self._take(self._stash.popleft())
        if not self._stash:
            self._stash = None

    # -- act -----------------------------------------------------------------------------------------------------

    def _perform(self, acts: tuple[Act, ...]) -> None:
        for act in acts:
            self._act(act)

    def _act(self, act: Act) -> None:
        match act:
            case ArmAlarm() | ArmIdle() | ArmRetry():
                self._arm(act)
            case CancelAlarms():
                self._silence()
            case Confirm():
                self._confirm(act)
            case StartRun():
                self._start_run(act)
            case CancelRun() | CallOff():
                self._end_run(act)
            case EndProcesses():
                self._house.end_unwanted(self._id)
            case OpenAnchor() | ShowText() | ShowTyping() | Deliver():
                self._house.around.deliver(self._state.key, act)
            case ReportRun() | ReportConcluded() | ReportReleased() | ReportSucceeded():
                self._tell_house(act)
            case ReadPast(inbox_id):
                self._house.store.read(PastOf(self._id), partial(self._hear_past, inbox_id))
            case Rest() if self._lingers():
                self._arm(ArmIdle(LINGER_LOOK_S))  # Its agent has concluded, and may have something to add.
            case Rest():
                self._house.around.offer_rest(self.actor_ref, self._told)
            case _:
                assert_never(act)

    def _tell_house(self, act: ReportRun | ReportConcluded | ReportReleased | ReportSucceeded) -> None:
        around = self._house.around
        match act:
            case ReportRun(live, for_good):
                around.report_run(self._id, live=live, for_good=for_good)
            case ReportConcluded():
                around.report_concluded(self._state.key)
            case ReportReleased(interrupted):
                around.report_released(self._id, interrupted)
            case ReportSucceeded():
                around.report_succeeded(self._state.key, self._successor)
            case _:
                assert_never(act)

    def _arm(self, act: ArmAlarm | ArmIdle | ArmRetry) -> None:
        match act:
            case ArmAlarm(alarm=Alarm.TYPING) if not self._house.around.shows_typing(self._state.key):
                pass  # Nobody would see it.
            case ArmAlarm(generation, alarm, after_s, question):
                self._alarms.set(alarm, after_s, Rang(generation, alarm, question=question))
            case ArmIdle(after_s):
                self._alarms.set(IDLE, after_s, IDLE_RANG)
            case ArmRetry(generation, after_s):
                self._alarms.set(RETRY, after_s, RetryRang(generation))
            case _:
                assert_never(act)

    def _ring(self) -> None:
        """On the timers' thread."""
        self.hear(ALARMS_RANG)

    def _completed(self, event: Rang) -> Rang:
        """Add what could not be known when the alarm was armed."""
        ran_s = self._ran_s() if event.alarm is Alarm.SILENCE or event.alarm is Alarm.LIMIT else event.ran_s
        return replace(event, ran_s=ran_s, late_s=self._alarms.late_s)

    def _ran_s(self) -> float:
        """How long the agent has been at it, without the time for which the host slept, as far as that was noticed."""
        began_at = self._turn.began_at if self._turn is not None else None
        if began_at is None:
            busy_with = self.runtime.loop(AGENTS_LOOP).busy_with() or "nothing"
            logger.warning("a run of %s has not begun; the agents' loop is busy with %s", self._state.key, busy_with)
            return 0.0
        return max(0.0, self.runtime.clock.monotonic() - began_at - self._asleep_s)

    def _silence(self) -> None:
        for alarm in Alarm:
            self._alarms.cancel(alarm)

    def _start_run(self, act: StartRun) -> None:
        self._alarms.cancel(IDLE)
        self._asleep_s = 0.0
        if self._turn is None or self._job is None or not self._turn.over:
            self._cancel_run()
        else:
            self._late = self._turn, self._job
        loop = self.runtime.loop(AGENTS_LOOP)
        place = Place(self._id, self._state.key, self._house, self.runtime, loop, self.hear)
        turn = LiveTurn(place, act)
        self._turn = turn
        name = f"run {self._id}.{act.run.generation}"
        done = partial(self._report_end, act.run.generation)
        self._job = loop.spawn(run_agent(self._house.agent, turn), name=name, done=done)

    def _end_run(self, act: CancelRun | CallOff) -> None:
        if isinstance(act, CancelRun):
            self._cancel_run()
        elif self._turn is not None:
            self.runtime.loop(AGENTS_LOOP).post(self._turn.call_off)

    def _cancel_run(self) -> None:
        if self._job is not None:
            if self._turn is not None:
                self._turn.stopping = True
            self._job.cancel()
        if self._late is not None:
            self._late[1].cancel()
        self._job = self._turn = self._late = None

    def _forget_run(self, generation: Generation) -> bool:
        """It is over: what it said is in the event, or was shown. False if it was cancelled before."""
        if self._turn is not None and self._turn.generation == generation:
            self._job = self._turn = None
        elif self._late is not None and self._late[0].generation == generation:
            self._late = None
        else:
            return False
        return True

    def _lingers(self) -> bool:
        """Whether a run may add something yet, or has: what it adds must not meet an actor that is about to end."""
        late = self._late[0] if self._late is not None else None
        waits = any(isinstance(event, Added) for event in self._stash or ())
        return waits or any(turn is not None and turn.lingers for turn in (self._turn, late))

    def _confirm(self, act: Confirm) -> None:
        turn = self._turn
        if turn is not None:
            self.runtime.loop(AGENTS_LOOP).post(turn.confirm, act.key, act.answer)

    def _hear_past(self, inbox_id: InboxId, answer: ReadAnswer) -> None:
        """On a storage thread."""
        self.hear(PastRead(inbox_id, answer if isinstance(answer, Past) else None))

    def _let_go(self) -> None:
        self._alarms.end()
        self._cancel_run()

    def _report_end(self, generation: Generation, error: BaseException | None, outcome: Outcome | Added | None) -> None:
        """On the agents' loop. A coroutine cancelled before its first step never reached the wall in `run_agent`."""
        if isinstance(outcome, Added):
            self.hear(outcome)
            return
        self.hear(RunEnded(generation, outcome if error is None and outcome is not None else Cancelled()))
