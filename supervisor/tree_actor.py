"""The roof's shell: starts, watches, restarts, passivates and drains session actors. What it decides is pure elsewhere.

Every inbound reaches its session through here, so the tree knows how much it told each actor, and an actor may rest
only when it has handled all of it. Sessions are held by number; a ref never outlives its actor.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

from greenroom.actors.events import Arrived, CutShort, Drained, Released, Resumed, Undelivered, Woke
from greenroom.actors.facts import SessionReleased
from greenroom.actors.model import SessionId, SessionKey
from greenroom.actors.pooled import PooledActor
from greenroom.actors.runtime import Failure, Falls
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.store import Committed, Refused, Unfinished, UnfinishedOf
from greenroom.supervisor import tree_words as words
from greenroom.supervisor.budgets import Budgets
from greenroom.supervisor.drain import CloseBoot, Drain, Intent, InterruptRuns, MarkRuns, WaitUntil, decide_drain
from greenroom.supervisor.passing import Fate, Passing, decide_fate, decide_passing
from greenroom.supervisor.recovery import Account, Circumstances, Decided, Recovery
from greenroom.supervisor.restarts import FRESH, Budget, GiveUp, RestartAfter, decide_restart
from greenroom.supervisor.resume import Wait
from greenroom.supervisor.wards import Ward, Wards

if TYPE_CHECKING:
    from greenroom.actors.events import ProcessEvent, TreeEvent
    from greenroom.actors.house import House
    from greenroom.actors.ref import Ref
    from greenroom.supervisor.policy import Policy

logger = logging.getLogger("greenroom.tree")


class TreeActor(PooledActor):
    """Supervises the sessions of one store."""

    falls = Falls.HOUSE

    def __init__(self, house: House, policy: Policy, hooks: words.TreeHooks, *, unclean_boots: int) -> None:
        """Begin with nothing; `Begin` starts the boot's decisions."""
        super().__init__()
        self._house = house
        self._policy = policy
        self._hooks = hooks
        self._unclean_boots = unclean_boots
        self._recovery = Recovery(policy)
        self._wards = Wards(partial(self.runtime.start, SessionActor, house, mailbox_max=policy.session_mailbox_max))
        self._live: set[SessionId] = set()  # an agent runs; from a drain's order on: may run, as far as is known
        self._deciding: set[SessionId] = set()  # not to be started before their decision is on disk
        self._releasing: set[SessionId] = set()  # are being given back
        self._arrived: dict[SessionId, tuple[SessionKey, list[TreeEvent]]] = {}  # have something that waits for that
        self._budgets = Budgets()
        self._connected: set[Account] = set()
        self._booting, self._over = True, False
        self._boot: list[Decided] = []
        self._drain: Drain | None = None

    def on_receive(self, message: Any) -> None:  # noqa: C901, PLR0912 - pykka's signature; one line a message
        """Take one message of the roof."""
        match message:
            case words.InboundCommitted(receipt, inbound):
                self._pass_on(receipt.session_id, receipt.key, Arrived(inbound))
            case words.ProcessReported(session_id, key, event):
                self._pass_on(session_id, key, event)
            case words.RunReported():
                self._run_reported(message)
            case words.SessionFollowed(key, successor):
                self._recovery.followed(key)
                self._keep(successor, key)
                self._wake_arrived()
            case words.ReleaseOrdered(session_id):
                self._release(session_id)
            case words.ReleaseWritten():
                self._hear_release(message)
            case words.RestOffered(actor, told):
                self._rest(actor, told)
            case words.DeliveryDied(session_id, key):
                self._tell_living(session_id, Undelivered(key))
            case words.OpenRead():
                self._decide(message)
            case words.DecisionsWritten(decided, answer, boot):
                self._take_effect(decided, answer, boot=boot)
            case words.ActorFailed(failure):
                self._failed(failure)
            case words.Due():
                self._read_open(message)
            case words.PlatformConnected(account):
                self._connect(account)
            case words.PlatformDisconnected(account):
                self._connected.discard(account)
            case words.DrainOrdered(intent):
                self._order_drain(intent)
            case words.Pulse(then):
                then(None)
            case words.TimersAsked(session_id):
                message.pass_on(self._wards.get(session_id))
            case words.DrainLooked():
                self._look_at_drain()
            case words.Doomed(why):
                self._hooks.fatal(why)
            case _:
                super().on_receive(message)

    def on_stop(self) -> None:
        """Take the sessions down too: nothing lives that nobody watches."""
        self._wards.kill()

    def on_failure(self, *_: object) -> None:
        """See `on_stop`."""
        self.on_stop()

    # -- sessions --------------------------------------------------------------------------------------------------

    @property
    def _ending(self) -> bool:
        """Whether nothing is begun any more."""
        return self._over or self._drain is not None

    def _pass_on(self, session_id: SessionId, key: SessionKey, event: Arrived | ProcessEvent) -> None:
        """It is on disk as well: a session that is about to be decided about, or the next boot, finds it there."""
        passing = decide_passing(
            event,
            others_kept=session_id in self._arrived,
            deciding=self._booting or self._is_held(session_id),
            ending=self._ending,
            lives=session_id in self._wards and not self._over,
        )
        if passing is Passing.KEEP:
            self._keep(session_id, key).append(event)
        elif passing is Passing.TELL:
            self._wards.tell(session_id, key, event)

    def _rest(self, actor: Ref[Any], told: int) -> None:
        if (ward := self._wards.whose(actor)) and ward.told == told:
            self._forget(ward.session_id)
            actor.stop(block=False)

    def _release(self, session_id: SessionId) -> None:
        """A living session writes it by itself: it may be writing something else."""
        if session_id in self._releasing:
            return
        self._releasing.add(session_id)
        if session_id in self._wards:
            self._tell_living(session_id, Released())
        else:
            self._write_release(session_id)

    def _write_release(self, session_id: SessionId) -> None:
        fact = SessionReleased(session_id, self.runtime.clock.now())
        self._house.store.write((fact,), lambda answer: self.hear(words.ReleaseWritten(session_id, answer)))

    def _hear_release(self, written: words.ReleaseWritten) -> None:
        session_id, answer = written.session_id, written.answer
        self._releasing.discard(session_id)
        self._hooks.released(session_id, answer)
        if isinstance(answer, Committed):
            self._budgets.forget(session_id)
            if session_id not in self._live and not self._ending:
                self._deciding.add(session_id)  # as at a start
                self._read_open(words.Due(session_id, interrupted=written.interrupted))
        self._wake_arrived()

    def _is_held(self, session_id: SessionId) -> bool:
        """Whether it is not to be started: what it would read of itself is about to change."""
        return session_id in self._deciding or (session_id in self._releasing and session_id not in self._wards)

    def _forget(self, session_id: SessionId) -> None:
        self._live.discard(session_id)
        self._wards.forget(session_id)
        if session_id in self._releasing:  # And nobody can say whether it still wrote that. Twice is as good as once.
            self._write_release(session_id)

    def _run_reported(self, said: words.RunReported) -> None:
        session_id = said.session_id
        if said.live:
            self._live.add(session_id)
            self._recovery.overtaken(session_id)  # Not sooner: what its user sent may come to nothing.
        else:
            if session_id in self._live and not self._ending:
                self._count(session_id, FRESH)  # A run that came to its end is progress.
            if self._drain is None or said.for_good:  # Else it said so before it heard of the drain: the next may run.
                self._live.discard(session_id)
            self._recovery.ended(session_id)
            self._resume_next()
        if not self._live:  # Else the drain looks by itself, and not once for each of thousands.
            self._look_at_drain()

    # -- decisions -------------------------------------------------------------------------------------------------

    def _read_open(self, due: words.Due) -> None:
        self._house.store.read(UnfinishedOf(due.of), lambda answer: self.hear(words.OpenRead(answer, due)))

    def _decide(self, read: words.OpenRead) -> None:
        due = read.due
        if not isinstance(read.answer, tuple):
            after_s, again = read.again()
            logger.warning("what is open could not be read and is asked again in %.0f s: %s", after_s, read.answer)
            self.runtime.timers.arm((self.actor_urn, due.of), after_s, partial(self.hear, again))
            return
        items = [each for each in cast("tuple[Unfinished, ...]", read.answer) if not self._goes_on(each, due)]
        now = self.runtime.clock.now()
        self._budgets.read(items, now)
        around = Circumstances(self._house.store.epoch, self._unclean_boots, self._is_connected)
        decide = self._recovery.give_up if due.gave_up else self._recovery.decide
        decided = decide([item for item in items if due.of in {None, item.session_id}], now, around)
        self._deciding -= {due.of}
        handled = {each.unfinished.session_id for each in decided}
        for item in items:  # What no run ever had is simply handled, however old.
            if (item.waiting or item.untold) and item.session_id not in handled and self._policy.allows(item.key):
                self._keep(item.session_id, item.key)
        self._deciding |= handled
        *before, last = words.in_batches(decided)
        for batch in before:
            self._write_decisions(batch, boot=False)
        self._write_decisions(last, boot=due.of is None)

    def _goes_on(self, item: Unfinished, due: words.Due) -> bool:
        """Whether the open run is that of an actor that lives: it was begun while it was looked what is open."""
        if item.session_id not in self._wards or item.run is None or item.run.generation == due.interrupted:
            return False
        return item.run.epoch == self._house.store.epoch

    def _write_decisions(self, decided: tuple[Decided, ...], *, boot: bool) -> None:
        facts = [fact for each in decided for fact in each.facts]
        if facts:
            self._house.store.write(facts, lambda answer: self.hear(words.DecisionsWritten(decided, answer, boot)))
        else:
            self._take_effect(decided, Committed(), boot=boot)

    def _take_effect(self, decided: tuple[Decided, ...], answer: Committed | Refused, *, boot: bool) -> None:
        if isinstance(answer, Refused):
            self._hear_refusal(decided, answer)
            if answer.kind not in words.OF_ONE_SESSION:
                return
            decided = ()
        for each in decided:
            self._adopt(each)
        if self._booting:
            self._boot.extend(decided)
        if boot:
            self._booting = False
            self._hooks.began(tuple(self._boot))
            self._boot.clear()
        self._wake_arrived()
        self._resume_next()

    def _adopt(self, decided: Decided) -> None:
        """One decision is on disk."""
        session_id, key = decided.unfinished.session_id, decided.unfinished.key
        self._deciding.discard(session_id)
        if decided.changes and not self._ending and (ward := self._wards.get(session_id)):
            self._replace(ward)
        self._recovery.remember(decided)
        if decided.serves_inbound:
            self._keep(session_id, key)
        if decided.speaks:
            self._hooks.take_up(key)
        if decided.sets_aside:
            self._hooks.set_aside(session_id, key)
        elif decided.concludes:
            self._hooks.concluded(key)
        if isinstance(decided.decision, Wait) and self._is_connected(key):
            self._connect((key.platform, key.account))  # It came while the decision was being written.

    def _replace(self, ward: Ward) -> None:
        """What the actor knows of its session is no longer true: the next one reads it, and what this one missed."""
        ward.ref.kill()
        self._bury(ward)
        self._keep(ward.session_id, ward.key)
        self._deciding.add(ward.session_id)  # It may have given the same work up, and begun a run, that very moment.
        self._read_open(words.Due(ward.session_id))

    def _hear_refusal(self, decided: tuple[Decided, ...], refused: Refused) -> None:
        session_id = decided[0].unfinished.session_id
        why = f"resume decisions were refused: {refused.kind.value} ({refused.detail})"
        match decide_fate(refused.kind, [each.decision for each in decided], lives=session_id in self._wards):
            case Fate.END:
                self.runtime.timers.arm((self.actor_urn, "doom"), words.DOOM_S, partial(self.hear, words.Doomed(why)))
            case Fate.APART:
                for each in decided:
                    self._write_decisions((each,), boot=False)
            case Fate.OVERTAKEN:
                self._deciding.discard(session_id)
            case Fate.AGAIN:
                self._read_open(words.Due(session_id, gave_up=decided[0].gives_up))
            case Fate.LEFT:
                logger.error("session %s is left alone until the next start: %s", session_id, why)
            case Fate.RESTART:
                self._restart(session_id, why)

    def _wake_arrived(self) -> None:
        if self._ending or self._booting:
            return
        for session_id in [each for each in self._arrived if not self._is_held(each)]:
            key, events = self._arrived.pop(session_id)
            heard = events if session_id in self._wards else ()  # Who is started now finds them on disk.
            for event in heard or (Woke(),):
                self._wards.tell(session_id, key, event)

    def _keep(self, session_id: SessionId, key: SessionKey) -> list[TreeEvent]:
        return self._arrived.setdefault(session_id, (key, []))[1]

    def _resume_next(self) -> None:
        while not self._ending and not self._booting and (taken := self._recovery.next()) is not None:
            self._wards.tell(taken.session_id, taken.key, Resumed(taken.reason))

    def _connect(self, account: Account) -> None:
        self._connected.add(account)
        for session_id, interrupted in {} if self._ending else self._recovery.release(account).items():
            self._deciding.add(session_id)
            self._read_open(words.Due(session_id, interrupted=interrupted))

    def _is_connected(self, key: SessionKey) -> bool:
        return (key.platform, key.account) in self._connected

    # -- failures --------------------------------------------------------------------------------------------------

    def _failed(self, failure: Failure) -> None:
        if (ward := self._wards.whose(failure.ref)) is None:
            return
        self._bury(ward)
        if not self._ending:
            self._restart(ward.session_id, f"{type(failure.error).__name__}: {failure.error}")
        self._resume_next()
        self._look_at_drain()

    def _bury(self, ward: Ward) -> None:
        self._forget(ward.session_id)
        self._recovery.died(ward.session_id)
        # It may have died after its commit and before its acts; or its commit is on its way, and comes before this one.
        self._house.store.write((), lambda _: self._hooks.died(ward.key))
        self._house.end_unwanted(ward.session_id)

    def _restart(self, session_id: SessionId, what: str) -> None:
        now, chance = self.runtime.clock.now(), self.runtime.random.random()
        self._deciding.add(session_id)
        match decide_restart(self._budgets.of(session_id), what, now=now, policy=self._policy, random_unit=chance):
            case RestartAfter(delay_s, spent):
                logger.warning("session %s died and is started again in %.1f s: %s", session_id, delay_s, what)
                self._count(session_id, spent)
                due = partial(self.hear, words.Due(session_id))
                self.runtime.timers.arm((self.actor_urn, session_id), delay_s, due)
            case GiveUp(why):
                logger.error("session %s is quarantined: %s", session_id, why)
                self._read_open(words.Due(session_id, gave_up=True))

    def _count(self, session_id: SessionId, budget: Budget) -> None:
        """Remember a session's restarts, also for the boots to come."""
        if counted := self._budgets.count(session_id, budget):
            self._house.store.write(counted, lambda _: None)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _order_drain(self, intent: Intent) -> None:
        if self._drain is not None:
            self._drain = replace(self._drain, told_again=True)
        else:
            self._drain = Drain(intent, self.runtime.clock.monotonic())
            self._recovery.clear()
            self._live.update(self._wards)  # Each may be about to start a run; it says so, or that it will not.
        self._look_at_drain()

    def _look_at_drain(self) -> None:
        if self._drain is None:
            return
        running, now = frozenset(self._live), self.runtime.clock.monotonic()
        self._drain = self._drain.seen(running, 0 if running else self._hooks.owed(), now=now)
        while self._drain is not None:
            match decide_drain(self._drain, now=now, policy=self._policy):
                case MarkRuns(session_ids, reason):
                    for session_id in session_ids:
                        self._tell_living(session_id, Drained(reason))
                    self._drain = replace(self._drain, marked=self._drain.marked | session_ids)
                case InterruptRuns(session_ids):
                    for session_id in session_ids:
                        self._tell_living(session_id, CutShort())
                    self._drain = replace(self._drain, interrupted=self._drain.interrupted | session_ids)
                case WaitUntil(at):
                    after_s = min(words.DRAIN_LOOK_S, max(0.0, at - now))
                    self.runtime.timers.arm((self.actor_urn, "drain"), after_s, partial(self.hear, words.DrainLooked()))
                    return
                case CloseBoot() as step:
                    self._drain, self._over = None, True
                    self._hooks.drained(step)

    def _tell_living(self, session_id: SessionId, event: TreeEvent) -> None:
        """One that does not live reads from the store what it missed."""
        if ward := self._wards.get(session_id):
            self._wards.tell(session_id, ward.key, event)
