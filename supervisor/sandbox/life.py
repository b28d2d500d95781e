"""One life of the simulated process: the real house on the world's disk and platforms, from its start to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import apsw
from pykka import ActorDeadError

from greenroom.actors.simulation import SimRuntime
from greenroom.platforms.fakes.machine import FakeSpawner
from greenroom.storage.boots import read_ownership, take_ownership
from greenroom.storage.checkpointer import Limits
from greenroom.storage.faulty_disk import Fault, FaultKind, Loss, PowerCut
from greenroom.storage.group import Fenced
from greenroom.storage.sqlite import CannotOpen, open_reader
from greenroom.storage.store import StoreHooks
from greenroom.storage.writer import Place, Troubled
from greenroom.supervisor.core import Core, CoreHooks
from greenroom.supervisor.drain import CloseBoot, Intent
from greenroom.supervisor.owned import OwnedSqlite, open_owned
from greenroom.supervisor.sandbox.happening import PROCESS, STORE, Kind
from greenroom.supervisor.sandbox.noted_store import NotedSqlite
from greenroom.supervisor.sandbox.notices import Notices
from greenroom.supervisor.sandbox.scribe import summarise

if TYPE_CHECKING:
    from greenroom.actors.acts import Showing
    from greenroom.actors.commands import Command
    from greenroom.actors.model import Epoch, Receipt, SessionKey
    from greenroom.actors.ports import Agent, Summarise
    from greenroom.actors.runtime import Failure
    from greenroom.storage.trouble import Trouble
    from greenroom.supervisor.policy import Policy
    from greenroom.supervisor.recovery import Decided
    from greenroom.supervisor.sandbox.world import World

T = TypeVar("T")

PATH = "/room/bot.db"
"""Where the simulated process keeps its database."""

FROZEN_S = 10.0
"""How long a process sleeps while another one takes its store."""

CHECKPOINTS = Limits(every_pages=24, cap_pages=96)
"""Small, so that pages are moved in the short lives that are simulated."""


class HeardCore(Core):
    """The house, with an ear at what sessions hand to their outboxes."""

    notices: Notices

    def deliver(self, session: SessionKey, act: Showing) -> None:
        """See `Core.deliver`."""
        self.notices.hear(session, act)
        super().deliver(session, act)

    def drain(self, intent: Intent) -> None:
        """See `Core.drain`."""
        world = self.notices.world
        world.drained_at = world.now if world.drained_at is None else world.drained_at
        super().drain(intent)


class Life:
    """Started by its making; over when `over` says why. Everything is driven from outside, step by step."""

    def __init__(
        self,
        world: World,
        seed: int,
        agent: Agent,
        policy: Policy,
        began: Callable[[Life], None] = lambda _: None,
        summarise: Summarise | None = summarise,
    ) -> None:
        """Start the process. Look at `over`: it may not have come up. `began` is called when its boot has decided."""
        self.world = world
        self._told = began
        self.over: str | None = None
        self.began = False
        self.owned: OwnedSqlite | None = None
        self.troubles: list[Trouble | None] = []  # what the host was told of the disk; None: it works again
        self.intent = Intent.RESTART
        self.clean = False  # what the house said of its orderly end
        self.taken_over: int | None = None  # how many groups the store held when another process took it
        self.runtime = SimRuntime(seed, wall=world.wall)
        world.begin_life(self.runtime)
        self._crashes = world.crashes
        world.disk.on_cut, world.disk.on_fault = self._power_fails, world.hear_disk
        world.disk.sleep = self.runtime.freeze  # On one thread, whoever waits for the disk lets all others wait.
        hooks = CoreHooks(began=self._began, drained=self._drained, fatal=self._fatal)
        self._backlog_max, self._retention = policy.chat_backlog_max, policy.retention()
        spawner = FakeSpawner(world.machine)
        self.core = HeardCore(self.runtime, self._open_store, agent, policy, hooks, spawner, summarise)
        self.core.notices = Notices(world, policy.notice_every_s)
        self.runtime.on_failure(self._hear_failure)
        world.policy, world.order, world.doorkeeper = policy, self._order, self.core.access
        world.letters, world.erasing, world.look = self.core.letters, self.core.erasing, self.look
        world.note(PROCESS, f"starts, wall clock {world.wall:.0f}", kind=Kind.START)
        try:
            self.core.start()
            for network, wire in zip(world.networks, world.make_wires(), strict=True):
                self.core.attach(wire, promise=network.promise(world.lives))
        except (CannotOpen, PowerCut, ActorDeadError, apsw.Error) as error:
            self.over = "it did not come up: " + str(error)
            world.note(PROCESS, self.over, kind=Kind.END)
        self._look_for_death()

    def _open_store(self, fell: Epoch | None) -> OwnedSqlite:
        if self.taken_over is not None:
            raise CannotOpen("another process holds the lock")
        place = Place(PATH, vfs=self.world.disk.vfs_name, checkpoints=CHECKPOINTS)
        owned = open_owned(
            place,
            self.runtime,
            version="sandbox",
            fell=fell,
            backlog_max=self._backlog_max,
            retention=self._retention,
            hooks=StoreHooks(self._hear_trouble, self._lose_ownership),
        )
        if self.world.history is not None:
            owned = NotedSqlite(owned.store, self.world)
        self.owned, self.began = owned, False  # A store that is opened again is decided about again.
        return owned

    def _order(
        self,
        chat: SessionKey,
        command: Command,
        then: Callable[[Receipt | Exception], None],
        text: str,
        order_id: str,
    ) -> None:
        if self.lives():
            self.core.operations.order(chat, command, then, text=text, order_id=order_id)

    def _hear_trouble(self, trouble: Trouble | None) -> None:
        self.troubles.append(trouble)
        self.world.troubles.hear(self.world.now, lasts=trouble is not None)
        self.world.note(STORE, "the disk works again" if trouble is None else trouble.text)
        self.core.hear_trouble(trouble)

    def _lose_ownership(self) -> None:
        self.core.fail("another process has taken over the database")

    def be_taken_over(self) -> None:
        """Another process takes the store while this one is frozen; when it wakes, it writes nothing any more."""

        def take(db: apsw.Connection) -> int | None:
            if db.in_transaction:
                return None
            owned = take_ownership(db, uid_if_new="", at=self.runtime.clock.now(), pid=0, version="another")
            return owned.groups

        self.taken_over = self.look(take)
        if self.taken_over is not None:
            self.world.fault("zombie: another process takes over")
            self.world.late.outlast(FROZEN_S)
            self.world.mail.outlast(FROZEN_S)
            self.world.overtaken_at = self.world.now

    def _power_fails(self) -> None:
        self.world.note(PROCESS, "power fails", kind=Kind.CRASH)
        self.world.crashes += 1
        self.world.power_fails()
        self.runtime.crash()

    def _began(self, decided: tuple[Decided, ...]) -> None:
        self.began = True
        for each in decided:
            self.world.note(PROCESS, f"decided: {each.decision}", str(each.unfinished.key))
        self._told(self)

    def _hear_failure(self, failure: Failure) -> None:
        if self.world.calm and failure.stopped:
            self.world.break_promise("nothing_dies_without_cause", f"{failure.actor}: {failure.error!r}")

    def _drained(self, step: CloseBoot) -> None:
        self.world.note(PROCESS, f"drained: {step}")
        self.clean = step.clean
        self.over = "drained"
        self.world.look_for_processes()

    def _fatal(self, why: str) -> None:
        self.world.note(PROCESS, f"fatal: {why}", kind=Kind.END)
        self.over = f"fatal: {why}"

    def lives(self) -> bool:
        """Whether the process still runs."""
        return self.over is None

    # -- driving ---------------------------------------------------------------------------------------------------

    def run(self, until: float | None, max_steps: int) -> int:
        """Let the process live until this moment of the world (None: until it rests), or for so many steps.

        Returns the steps taken.
        """
        if self.over is not None:
            return 0
        until_s = None if until is None else max(0.0, until - self.world.began)
        if self.world.drained_at is None:
            taken = self.runtime.run(until_s=until_s, max_steps=max_steps)
        else:
            taken = self._run_until_over(until_s, max_steps)
        self._look_for_death()
        return taken

    def _run_until_over(self, until_s: float | None, max_steps: int) -> int:
        """Its host closes the house as soon as it is drained: nothing happens after that."""
        taken = 0
        while self.lives() and taken < max_steps and self.runtime.run(until_s=until_s, max_steps=1):
            taken += 1
        return taken

    def _look_for_death(self) -> None:
        if self.world.crashes != self._crashes and self.over is None:
            self.over = "crashed"

    def look(self, fn: Callable[[apsw.Connection], T]) -> T | None:
        """Read on the living store's own connection; None while its disk does not work."""
        if self.owned is None or self.over is not None:
            return None
        with contextlib.suppress(Troubled, Fenced, PowerCut):
            outcome = self.owned.store.look(lambda db: _attempt(fn, db))
            if isinstance(outcome, _Raised):
                raise outcome.error
            return outcome
        self._look_for_death()  # The power may have failed just now.
        return None

    def end(self, loss: Loss = Loss.NOTHING) -> None:
        """Bury the process: in order if it drained, else as kill -9 does. The world goes on, with the disk it left."""
        world = self.world
        world.wall = self.runtime.clock.now()
        with contextlib.suppress(PowerCut, ActorDeadError, apsw.Error):
            if self.over == "drained":
                closed = self.core.close(self.intent.value, clean=self.clean)
                world.note(PROCESS, f"ends in order, clean: {closed}", kind=Kind.END)
        world.wall = self.runtime.clock.now()
        if self.over != "crashed":
            self.runtime.crash()
        found, left = world.disk.reboot(loss), world.disk
        left.on_cut, left.dead = _nothing, False
        left.heal()
        left.inject(Fault(FaultKind.IO_ERROR, "lock", times=None))  # Nobody looks there again: not worth a checkpoint.
        with contextlib.suppress(apsw.Error):
            self.core.abandon()
        left.heal()
        left.unmount()
        world.disk = found
        self._look_for_zombies()
        for network in world.networks:
            network.server.hang_up()
        world.began, world.runtime = world.now, None
        world.order = world.doorkeeper = world.letters = world.erasing = world.look = None

    def _look_for_zombies(self) -> None:
        if self.taken_over is None:
            return
        with self.world.disk.reboot(Loss.NOTHING, seed=0) as copy:
            db = open_reader(PATH, vfs=copy.vfs_name)
            try:
                owned = read_ownership(db)
            finally:
                db.close()
        if owned is None or owned.groups != self.taken_over:
            self.world.break_promise("a_stale_writer_is_refused", f"{self.taken_over} groups were there, now {owned}")


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def _attempt(fn: Callable[[apsw.Connection], T], db: apsw.Connection) -> T | _Raised:
    """The store takes any exception for a trouble of its disk; ours are none."""
    try:
        return fn(db)
    except apsw.SQLError as error:
        return _Raised(error)  # A check that is written wrong must not pass for a disk that does not work.
    except apsw.Error:
        raise
    except Exception as error:  # Invariant: the store hears of its own troubles only.
        return _Raised(error)


def _nothing() -> None:
    """Nobody is there to die."""
