"""Composes store, tree, outboxes and platforms on a runtime it is given: the same in production and in simulation.

Everything here is called from any thread and returns at once; answers come by callback. When the storage actor dies,
all that stands above it is stopped and built anew on the reopened store, as after a restart of the process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from greenroom.actors.entry import DeliveryPolicy
from greenroom.actors.floor import Floor
from greenroom.actors.house import House
from greenroom.actors.keeper import Keeper
from greenroom.actors.model import SessionId, SessionKey
from greenroom.actors.runtime import Depth, Failure, Falls
from greenroom.supervisor import tree_words as words
from greenroom.supervisor.access import Access
from greenroom.supervisor.answers import Answers, Waiter
from greenroom.supervisor.attachments import REOPEN_S, Attachments
from greenroom.supervisor.drain import CloseBoot
from greenroom.supervisor.erasing import Erasing
from greenroom.supervisor.foreign import walled
from greenroom.supervisor.letters import Letters
from greenroom.supervisor.operations import Operations
from greenroom.supervisor.platform_door import PlatformDoor
from greenroom.supervisor.rebuild_actor import Fell, RebuildActor, RebuildDue
from greenroom.supervisor.reception import Inside, Reception, called_back
from greenroom.supervisor.restarts import FRESH, GiveUp, RestartAfter, decide_restart
from greenroom.supervisor.resume import count_unclean_boots
from greenroom.supervisor.storey import Storey
from greenroom.supervisor.tree_actor import TreeActor

if TYPE_CHECKING:
    from greenroom.actors.acts import Showing
    from greenroom.actors.events import ProcessEvent
    from greenroom.actors.model import Delivery, Epoch, Generation
    from greenroom.actors.ports import Agent, Platform, Summarise
    from greenroom.actors.ref import Ref
    from greenroom.actors.runtime import Runtime
    from greenroom.actors.spawner import Spawner
    from greenroom.actors.store import Store
    from greenroom.storage.trouble import Trouble
    from greenroom.supervisor.drain import Intent
    from greenroom.supervisor.owned import OwnedStore
    from greenroom.supervisor.policy import Policy
    from greenroom.supervisor.recovery import Account, Decided

logger = logging.getLogger("greenroom.supervisor")


@dataclass(frozen=True, slots=True)
class CoreHooks:
    """What the host hears; each is called on an inner thread and must return at once."""

    began: Callable[[tuple[Decided, ...]], None] = lambda _: None
    drained: Callable[[CloseBoot], None] = lambda _: None
    fatal: Callable[[str], None] = lambda _: None


class Core:
    """The supervisor without a face. Made once; `start`, then `close` or `abandon`, once."""

    def __init__(
        self,
        runtime: Runtime,
        open_store: Callable[[Epoch | None], OwnedStore],
        agent: Agent,
        policy: Policy,
        hooks: CoreHooks,
        spawner: Spawner | None = None,
        summarise: Summarise | None = None,
    ) -> None:
        """Remember the parts; nothing is opened yet.

        `open_store` is given the epoch of the store that fell in this process, if one did. Without a `spawner` agents
        start no background processes.
        """
        self._runtime = runtime
        self._open_store = open_store
        self._agent = agent
        self._spawner = spawner
        self.attachments = Attachments(runtime, policy, self.report_dead)
        self.access = Access(runtime, policy, lambda: self.store, self.attachments.show_notice)
        self._policy = policy = self.access.policy
        self._summarise = summarise
        self._hooks = CoreHooks(
            began=walled("on_began", hooks.began, None),
            drained=walled("drained", hooks.drained, None),
            fatal=walled("fatal", hooks.fatal, None),
        )
        self._lock = threading.Lock()
        self._storey: Storey | None = None
        self._fallen: Epoch | None = None  # what stood on this epoch, and all since, fell in this very process
        self._bereft: Keeper | None = None  # of what fell last: it may not have ended all processes yet
        self._rebuilder: Ref[RebuildActor] | None = None
        self._floor = Floor()  # A run may outlive the tree that it belonged to.
        self._budget = FRESH
        self._ending = False
        self._draining: Intent | None = None  # The order outlives the tree that heard it.
        self.reception = Reception(runtime.clock, policy, self.access.meet)
        self._answers = Answers(runtime.timers, lambda: self.store)
        self.operations = Operations(runtime, self.reception, self._answers, lambda: self.store, self._tell)
        self.erasing = Erasing(runtime, self.operations, self._answers, lambda: self._owned, self.attachments.revise)
        self.letters = Letters(runtime.clock, lambda: self.store, self.attachments.revise, self.report_dead)
        runtime.on_failure(self._hear_failure)

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the store and decide what is open. Raises what opening the store raises."""
        store = self._open_store(self._fallen)
        try:
            self._build_on(store)
        except BaseException:  # Invariant: a store that nothing stands on (Ctrl-C in this moment) is not held.
            store.abandon()
            raise

    def _build_on(self, store: OwnedStore) -> None:
        self.access.take_up(store.pairings)
        now = self._runtime.clock.now()
        unclean = count_unclean_boots(store.former_boots, now=now, window_s=self._policy.unclean_window_s)
        keeper = self._make_keeper(store.port)
        house = House(store.port, self._agent, self._policy.rules(), self, self._floor, keeper, self._summarise)
        hooks = words.TreeHooks(
            take_up=self.attachments.take_up,
            concluded=self.report_concluded,
            set_aside=self._set_aside,
            released=self.operations.hear_release,
            owed=self.attachments.count_owed,
            drained=partial(self._end_processes, keeper),
            began=self._hooks.began,
            fatal=self.fail,
        )
        tree = self._runtime.start(
            TreeActor, house, self._policy, hooks, unclean_boots=unclean, mailbox_max=self._policy.shared_mailbox_max
        )
        storey = Storey(store, tree, keeper)
        with self._lock:
            ended, ordered = self._ending, self._draining
            self._storey = None if ended else storey
        if ended:  # It was taken down while the store was being opened.
            tree.kill()
            store.abandon()
            return
        self._fallen = None
        self.attachments.build(store.port)
        for account in self.attachments.connected():
            storey.tell(words.PlatformConnected(account))
        self.reception.open(Inside(store.port, storey.tell))  # What comes in is kept until the boot has decided.
        if keeper is None:
            storey.tell(words.Due(None))
        else:  # What lives on of an earlier life is ended before anything is decided.
            keeper.sweep(partial(storey.tell, words.Due(None)))
        if ordered is not None:
            storey.tell(words.DrainOrdered(ordered))
        self._answers.look_again()

    def _make_keeper(self, store: Store) -> Keeper | None:
        if self._spawner is None:
            return None
        return Keeper(self._runtime, self._spawner, store, self._policy.rules(), self._report_process)

    def _report_process(self, session_id: SessionId, key: SessionKey, event: ProcessEvent) -> None:
        if self._policy.allows(key):
            self._tell(words.ProcessReported(session_id, key, event))

    def _end_processes(self, keeper: Keeper | None, step: CloseBoot) -> None:
        """The last of a drain: what agents left running is ended and marked, while the store can still be written."""
        if keeper is None:
            self._hooks.drained(step)
        else:
            keeper.end_all(partial(self._hooks.drained, step), at_once=not step.clean)

    @property
    def store(self) -> Store | None:
        """The store that is open now."""
        storey = self._storey
        return storey.store.port if storey is not None else None

    @property
    def _owned(self) -> OwnedStore | None:
        storey = self._storey
        return storey.store if storey is not None else None

    def drain(self, intent: Intent) -> None:
        """Begin the orderly end; asked again, end at once. `hooks.drained` tells when it is over.

        Platforms receive until `close`: what comes in meanwhile is stored for the next start; what is owed goes out.
        Asked while the store is being opened again, it begins when that is done.
        """
        with self._lock:
            again, self._draining = self._draining is not None, intent
            storey, bereft = self._storey, self._bereft
        if storey is not None:
            storey.tell(words.DrainOrdered(intent))
        elif again:
            self._end_processes(bereft, CloseBoot(clean=False, left=frozenset(), hurried=True))

    def close(self, reason: str, *, clean: bool = True) -> bool:
        """Close the store as the end of this boot; the runtime is closed by its owner afterwards.

        True if the boot ended clean, which it does not where its host, or an owner in a hurry, says so.
        """
        storey = self._take_down()
        return storey.store.close(reason, clean=clean) if storey is not None else False

    def abandon(self) -> None:
        """Let go of everything at once, as a killed process would."""
        storey = self._take_down()
        if storey is not None:
            storey.store.abandon()

    def _take_down(self) -> Storey | None:
        self.reception.close()
        self.attachments.stop_receiving()
        with self._lock:
            self._ending = True
            storey, self._storey = self._storey, None
        self.operations.fall()
        self.erasing.end()
        self._answers.end("greenroom was closed before there was an answer; ask again when it runs again")
        return storey

    def hear_trouble(self, trouble: Trouble | None) -> None:
        """The disk refuses; None: it takes writes again. Platforms are told at once what that means to them."""
        why_not = None if trouble is None else f"cannot save right now: {trouble.brief}"
        self.reception.hear_trouble(why_not)
        self.attachments.hear_trouble(why_not)

    # -- the door --------------------------------------------------------------------------------------------------

    def attach(
        self,
        platform: Platform,
        hung_up: Callable[[BaseException | None], bool] = lambda _: False,
        promise: DeliveryPolicy = DeliveryPolicy.EXACTLY_ONCE,
    ) -> None:
        """Serve a platform from now on; `hung_up` is told when it ends and says whether that is for good.

        Raises ValueError for a second one of the same name and account.
        """
        door = PlatformDoor(self, (platform.name, platform.account))
        self.attachments.attach(platform, door, walled("hung_up", hung_up, otherwise=False), promise)

    def turn(self, account: Account, why_not: str | None) -> bool:
        """A platform can be reached (what waited for it is decided and sent), or cannot. True where that is new."""
        new = self.attachments.turn(account, why_not)
        self._tell(words.PlatformConnected(account) if why_not is None else words.PlatformDisconnected(account))
        return new

    def await_answer(self, waiter: Waiter) -> None:
        """Tell the waiter when its answer is on disk, or at once if it is."""
        self._answers.add(waiter)

    def forget_waiter(self, waiter: Waiter) -> None:
        """Nobody waits for this answer any more."""
        self._answers.remove(waiter)

    # -- what sessions tell (actors.house.Surroundings) ------------------------------------------------------------

    def deliver(self, session: SessionKey, act: Showing) -> None:
        """Hand an act to the outbox of the session's platform account."""
        self.attachments.deliver(session, act)

    def shows_typing(self, session: SessionKey) -> bool:
        """Whether the session's platform can show that somebody is typing."""
        return self.attachments.shows_typing(session)

    def report_run(self, session_id: SessionId, *, live: bool, for_good: bool) -> None:
        """Pass on that a run became live or ended."""
        self._tell(words.RunReported(session_id, live, for_good))

    def report_concluded(self, session: SessionKey) -> None:
        """Look whether somebody waits for an answer in this chat."""
        self._answers.look(session)

    def report_released(self, session_id: SessionId, interrupted: Generation | None) -> None:
        """Pass on that a session was given back."""
        self._tell(words.ReleaseWritten(session_id, interrupted=interrupted))

    def report_succeeded(self, session: SessionKey, successor: SessionId) -> None:
        """Pass on that another session has this chat."""
        self._tell(words.SessionFollowed(session, successor))

    def _set_aside(self, session_id: SessionId, session: SessionKey) -> None:
        self._answers.set_aside(session_id, session)

    def offer_rest(self, actor: Ref[Any], told: int) -> None:
        """Pass on that a session may be passivated."""
        self._tell(words.RestOffered(actor, told))

    def report_dead(self, delivery: Delivery) -> None:
        """Pass on that a delivery became a dead letter."""
        self._tell(words.DeliveryDied(delivery.session_id, delivery.key))

    async def pulse(self) -> None:
        """Return when the tree has answered; never, while it is being built anew: the caller has a time-out."""
        await called_back(lambda then: self._tell(words.Pulse(then)))

    def ask_timers(self, session_id: SessionId, then: Callable[[Mapping[str, float]], None]) -> None:
        """Let `then` hear in how many seconds each timer of a session rings; never, while the tree is built anew."""
        self._tell(words.TimersAsked(session_id, then))

    def depths(self) -> Mapping[str, Depth]:
        """See `Runtime.depths`."""
        return self._runtime.depths()

    # -- failures --------------------------------------------------------------------------------------------------

    def _tell(self, message: object) -> None:
        if (storey := self._storey) is not None:
            storey.tell(message)

    def _hear_failure(self, failure: Failure) -> None:
        if self._ending:
            return
        level = logging.ERROR if failure.stopped else logging.WARNING
        logger.log(level, "%s failed in %s", failure.actor, failure.where.value, exc_info=failure.error)
        match falls := failure.falls if failure.stopped else Falls.NOTHING:
            case Falls.HOUSE:
                self._runtime.timers.arm("greenroom-fall", 0.0, partial(self._order, Fell(failure)))
            case Falls.PROCESS:
                self.fail(f"it could not be built anew: {failure.error!r}")
            case Falls.WIRE:
                again = partial(self.attachments.reopen, failure.urn)
                self._runtime.timers.arm((failure.urn, "reopen"), REOPEN_S, again)
            case Falls.SESSION:
                self._tell(words.ActorFailed(failure))
            case Falls.NOTHING:
                pass
            case _:
                assert_never(falls)

    def _order(self, message: Fell | RebuildDue) -> None:
        """On the timers' thread, which has more to do than to wait for a disk."""
        if self._ending:
            return
        if self._rebuilder is None:
            self._rebuilder = self._runtime.start(RebuildActor, self._fall, self._rebuild)
        self._rebuilder.tell(message)

    def _fall(self, failure: Failure) -> None:
        """Storage or tree died: stop what stands on it, and build anew on the reopened store, within a budget."""
        with self._lock:
            storey, self._storey = self._storey, None
            self._bereft = storey.keeper if storey is not None else self._bereft
        if storey is None or self._ending:
            return
        self.reception.close()
        self.operations.fall()
        self.attachments.fall()
        if self._fallen is None:
            self._fallen = storey.store.port.epoch
        storey.tree.kill()
        if storey.keeper is not None:
            storey.keeper.end_all(lambda: None, at_once=True)
        storey.store.abandon()
        self._build_later(f"{failure.actor}: {failure.error!r}")

    def _build_later(self, what: str) -> None:
        now, chance = self._runtime.clock.now(), self._runtime.random.random()
        match decide_restart(self._budget, what, now=now, policy=self._policy, random_unit=chance):
            case RestartAfter(delay_s, budget):
                self._budget = budget
                logger.warning("building anew on the reopened store in %.1f s: %s", delay_s, what)
                self._runtime.timers.arm("greenroom-rebuild", delay_s, partial(self._order, RebuildDue()))
            case GiveUp(why):
                self.fail(why)

    def _rebuild(self) -> None:
        if self._ending:
            return
        try:
            self.start()
        except Exception as error:  # Invariant: a store that stays shut ends the process, once the budget is spent.
            self._build_later(f"the store cannot be opened again: {error}")

    def fail(self, why: str) -> None:
        """Say that it cannot go on: to the log, to those who wait for answers, and to the host, who ends it."""
        if self._ending:
            return
        logger.critical("greenroom cannot go on: %s", why)
        self._answers.end(why)
        self._hooks.fatal(why)
