"""The roof's shell: starts, watches, restarts, passivates and drains session actors. What it decides is pure elsewhere.

Every inbound reaches its session through here, so the tree knows how much it told each actor, and an actor may rest
only when it has handled all of it. Sessions are held by number; a ref never outlives its actor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pykka import ActorDeadError

from greenroom.actors.events import Arrived, CutShort, Drained, Resumed, TreeEvent, Woke
from greenroom.actors.model import Receipt, SessionId, SessionKey, StoredInbound
from greenroom.actors.pooled import PooledActor
from greenroom.actors.runtime import Failure, Solicited
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.store import Committed, ReadAnswer, Refused, Unfinished, UnfinishedOf
from greenroom.supervisor.drain import CloseBoot, Drain, Intent, InterruptRuns, MarkRuns, WaitUntil, decide_drain
from greenroom.supervisor.recovery import Account, Circumstances, Decided, Recovery
from greenroom.supervisor.restarts import FRESH, Budget, GiveUp, RestartAfter, decide_restart

if TYPE_CHECKING:
    from greenroom.actors.house import House
    from greenroom.actors.ref import Ref
    from greenroom.supervisor.policy import Policy

logger = logging.getLogger("greenroom.tree")

DECISIONS_PER_WRITE = 512
"""Decisions of a boot that share one transaction."""

DRAIN_LOOK_S = 0.2
"""How often a drain looks whether deliveries are still owed."""


@dataclass(frozen=True, slots=True)
class Begin(Solicited):
    """Look at what is open, and decide."""


@dataclass(frozen=True, slots=True)
class InboundCommitted(Solicited):
    """An inbound is on disk: wake its session."""

    receipt: Receipt
    inbound: StoredInbound


@dataclass(frozen=True, slots=True)
class OpenRead(Solicited):
    """The store's answer to what is open."""

    answer: ReadAnswer
    of: SessionId | None  # None: of all, at a boot
    gave_up: bool = False  # its restarts are spent


@dataclass(frozen=True, slots=True)
class DecisionsWritten(Solicited):
    """Decisions are on disk: now they take effect."""

    decided: tuple[Decided, ...]
    answer: Committed | Refused
    boot: bool


@dataclass(frozen=True, slots=True)
class RunReported(Solicited):
    """A run of a session became live or ended."""

    session_id: SessionId
    live: bool


@dataclass(frozen=True, slots=True)
class RestOffered(Solicited):
    """A session is idle and has handled `told` messages of ours."""

    session_id: SessionId
    told: int


@dataclass(frozen=True, slots=True)
class ActorFailed(Solicited):
    """The runtime reports a failure."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class RestartDue(Solicited):
    """The back-off of a dead session is over."""

    session_id: SessionId


@dataclass(frozen=True, slots=True)
class PlatformConnected(Solicited):
    """A platform account can be reached."""

    account: Account


@dataclass(frozen=True, slots=True)
class PlatformDisconnected(Solicited):
    """A platform account cannot be reached."""

    account: Account


@dataclass(frozen=True, slots=True)
class DrainOrdered(Solicited):
    """The process is to end. Ordered again, it ends at once."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class DrainLooked(Solicited):
    """Something may have changed for the drain."""


@dataclass(slots=True)
class Ward:
    """A live session actor."""

    ref: Ref[SessionActor]
    told: int = 0


@dataclass(frozen=True, slots=True)
class TreeHooks:
    """Whom the tree tells; each call returns at once."""

    take_up: Callable[[SessionKey], None]  # the outbox of this session's platform should read what is owed
    owed: Callable[[], int]  # deliveries that could be sent now and are not yet
    drained: Callable[[CloseBoot], None]
    began: Callable[[tuple[Decided, ...]], None]  # the boot's decisions are on disk
    fatal: Callable[[str], None]


class TreeActor(PooledActor):
    """Supervises the sessions of one store."""

    def __init__(self, house: House, policy: Policy, hooks: TreeHooks, *, unclean_boots: int) -> None:
        """Begin with nothing; `Begin` starts the boot's decisions."""
        super().__init__()
        self._house = house
        self._policy = policy
        self._hooks = hooks
        self._unclean_boots = unclean_boots
        self._recovery = Recovery(policy)
        self._wards: dict[SessionId, Ward] = {}
        self._by_urn: dict[str, SessionId] = {}
        self._live: set[SessionId] = set()
        self._deciding: set[SessionId] = set()  # not to be started before their decision is on disk
        self._arrived: set[SessionId] = set()  # have inbound that waits for that
        self._budgets: dict[SessionId, Budget] = {}
        self._connected: set[Account] = set()
        self._booting = True
        self._drain: Drain | None = None

    def on_receive(self, message: Any) -> None:  # noqa: C901 - pykka's signature; one line a message
        """Take one message of the roof."""
        match message:
            case InboundCommitted(receipt, inbound):
                self._inbound(receipt.session_id, Arrived(inbound))
            case RunReported(session_id, live):
                self._run_reported(session_id, live=live)
            case RestOffered(session_id, told):
                self._rest(session_id, told)
            case Begin():
                self._read_open(None)
            case OpenRead():
                self._decide(message)
            case DecisionsWritten(decided, answer, boot):
                self._take_effect(decided, answer, boot=boot)
            case ActorFailed(failure):
                self._failed(failure)
            case RestartDue(session_id):
                self._read_open(session_id)
            case PlatformConnected(account):
                self._connect(account)
            case PlatformDisconnected(account):
                self._connected.discard(account)
            case DrainOrdered(intent):
                self._order_drain(intent)
            case DrainLooked():
                self._look_at_drain()
            case _:
                super().on_receive(message)

    def on_stop(self) -> None:
        """Take the sessions down too: nothing lives that nobody watches."""
        self._kill_all()

    def on_failure(self, *_: object) -> None:
        """Take the sessions down too: nothing lives that nobody watches."""
        self._kill_all()

    def _kill_all(self) -> None:
        for ward in self._wards.values():
            ward.ref.kill()

    # -- sessions --------------------------------------------------------------------------------------------------

    def _inbound(self, session_id: SessionId, event: Arrived) -> None:
        if self._drain is not None:
            return  # It is on disk; the next boot hands it to a run.
        if self._booting or session_id in self._deciding:
            self._arrived.add(session_id)
            return
        self._recovery.overtaken(session_id)
        self._tell(session_id, event)

    def _tell(self, session_id: SessionId, event: TreeEvent) -> None:
        ward = self._wards.get(session_id) or self._start(session_id)
        ward.told += 1
        try:
            ward.ref.tell(event)
        except ActorDeadError:
            return  # Its failure is on its way to us; the store remembers what counts.

    def _start(self, session_id: SessionId) -> Ward:
        ref = self.runtime.start(SessionActor, self._house, session_id, mailbox_max=self._policy.session_mailbox_max)
        ward = self._wards[session_id] = Ward(ref)
        self._by_urn[ref.actor_urn] = session_id
        return ward

    def _rest(self, session_id: SessionId, told: int) -> None:
        ward = self._wards.get(session_id)
        if ward is not None and ward.told == told:
            self._forget(session_id)
            ward.ref.stop(block=False)

    def _forget(self, session_id: SessionId) -> None:
        ward = self._wards.pop(session_id, None)
        if ward is not None:
            self._by_urn.pop(ward.ref.actor_urn, None)

    def _run_reported(self, session_id: SessionId, *, live: bool) -> None:
        if live:
            self._live.add(session_id)
        else:
            self._live.discard(session_id)
            self._budgets.pop(session_id, None)  # A run that came to its end is progress.
            self._recovery.ended(session_id)
            self._resume_next()
        self._look_at_drain()

    # -- decisions -------------------------------------------------------------------------------------------------

    def _read_open(self, session_id: SessionId | None, *, gave_up: bool = False) -> None:
        store = self._house.store
        store.read(UnfinishedOf(session_id), lambda answer: self.hear(OpenRead(answer, session_id, gave_up)))

    def _decide(self, read: OpenRead) -> None:
        if not isinstance(read.answer, tuple):
            self._hooks.fatal(f"what is open could not be read: {read.answer}")
            return
        items: tuple[Unfinished, ...] = read.answer  # type: ignore[assignment]  # UnfinishedOf answers these
        around = Circumstances(self._house.store.epoch, self._unclean_boots, self._is_connected)
        decide = self._recovery.give_up if read.gave_up else self._recovery.decide
        decided = decide(items, self.runtime.clock.now(), around)
        if read.of is not None:
            self._deciding.discard(read.of)
        undecided = {item.session_id for item in items if item.waiting and self._policy.allows(item.key)}
        self._arrived |= undecided - {each.unfinished.session_id for each in decided}  # Simply handled, however old.
        self._deciding.update(each.unfinished.session_id for each in decided)
        boot = read.of is None
        batches = [decided[at : at + DECISIONS_PER_WRITE] for at in range(0, len(decided), DECISIONS_PER_WRITE)]
        for batch in batches[:-1]:
            self._write_decisions(tuple(batch), boot=False)
        self._write_decisions(tuple(batches[-1]) if batches else (), boot=boot)

    def _write_decisions(self, decided: tuple[Decided, ...], *, boot: bool) -> None:
        facts = [fact for each in decided for fact in each.facts]
        if not facts:
            self._take_effect(decided, Committed(), boot=boot)
            return
        self._house.store.write(facts, lambda answer: self.hear(DecisionsWritten(decided, answer, boot)))

    def _take_effect(self, decided: tuple[Decided, ...], answer: Committed | Refused, *, boot: bool) -> None:
        if isinstance(answer, Refused):
            self._hooks.fatal(f"resume decisions were refused: {answer.kind.value} ({answer.detail})")
            return
        for each in decided:
            session_id = each.unfinished.session_id
            self._deciding.discard(session_id)
            if each.serves_inbound:
                self._arrived.add(session_id)
            if each.speaks:
                self._hooks.take_up(each.unfinished.key)
        if boot:
            self._booting = False
            self._hooks.began(decided)
        if not self._booting:
            self._wake_arrived()
            self._resume_next()

    def _wake_arrived(self) -> None:
        ready = self._arrived - self._deciding
        self._arrived -= ready
        for session_id in ready:
            if self._drain is None:
                self._recovery.overtaken(session_id)
                self._tell(session_id, Woke())

    def _resume_next(self) -> None:
        while self._drain is None and not self._booting and (taken := self._recovery.next()) is not None:
            session_id, reason = taken
            self._tell(session_id, Resumed(reason))

    def _connect(self, account: Account) -> None:
        self._connected.add(account)
        for session_id in self._recovery.release(account):
            self._deciding.add(session_id)
            self._read_open(session_id)

    def _is_connected(self, key: SessionKey) -> bool:
        return (key.platform, key.account) in self._connected

    # -- failures --------------------------------------------------------------------------------------------------

    def _failed(self, failure: Failure) -> None:
        session_id = self._by_urn.get(failure.urn)
        if session_id is None or not failure.stopped:
            return
        self._forget(session_id)
        self._live.discard(session_id)
        self._recovery.ended(session_id)
        if self._drain is None:
            self._deciding.add(session_id)
            self._restart(session_id, f"{type(failure.error).__name__}: {failure.error}")
        self._resume_next()
        self._look_at_drain()

    def _restart(self, session_id: SessionId, what: str) -> None:
        now, chance = self.runtime.clock.now(), self.runtime.random.random()
        budget = self._budgets.get(session_id, FRESH)
        match decide_restart(budget, what, now=now, policy=self._policy, random_unit=chance):
            case RestartAfter(delay_s, spent):
                logger.warning("session %s died and is started again in %.1f s: %s", session_id, delay_s, what)
                self._budgets[session_id] = spent
                due = partial(self.hear, RestartDue(session_id))
                self.runtime.timers.arm((session_id, "restart"), delay_s, due)
            case GiveUp(why):
                logger.error("session %s is quarantined: %s", session_id, why)
                self._read_open(session_id, gave_up=True)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _order_drain(self, intent: Intent) -> None:
        if self._drain is not None:
            self._drain = replace(self._drain, told_again=True)
        else:
            self._drain = Drain(intent, self.runtime.clock.monotonic())
            self._recovery.clear()
        self._look_at_drain()

    def _look_at_drain(self) -> None:
        if self._drain is None:
            return
        self._drain = replace(self._drain, running=frozenset(self._live), owed=0 if self._live else self._hooks.owed())
        while self._drain is not None:
            step = decide_drain(self._drain, now=self.runtime.clock.monotonic(), policy=self._policy)
            match step:
                case MarkRuns(session_ids, reason):
                    self._tell_all(session_ids, Drained(reason))
                    self._drain = replace(self._drain, marked=self._drain.marked | session_ids)
                case InterruptRuns(session_ids):
                    self._tell_all(session_ids, CutShort())
                    self._drain = replace(self._drain, interrupted=self._drain.interrupted | session_ids)
                case WaitUntil(at):
                    self._look_again(at)
                    return
                case CloseBoot():
                    self._drain = None
                    self._booting = True  # Nothing is started any more.
                    self._hooks.drained(step)

    def _look_again(self, at: float) -> None:
        after_s = min(DRAIN_LOOK_S, max(0.0, at - self.runtime.clock.monotonic()))
        self.runtime.timers.arm("drain", after_s, partial(self.hear, DrainLooked()))

    def _tell_all(self, session_ids: frozenset[SessionId], event: TreeEvent) -> None:
        for session_id in session_ids:
            if session_id in self._wards:
                self._tell(session_id, event)
