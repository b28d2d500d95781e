"""One life of the simulated process: the real house on the world's disk and platforms, from its start to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import apsw
from pykka import ActorDeadError

from greenroom.actors.simulation import SimRuntime
from greenroom.storage.faulty_disk import Loss, PowerCut
from greenroom.storage.group import Fenced
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.writer import Place, Troubled
from greenroom.supervisor.core import Core, CoreHooks
from greenroom.supervisor.drain import CloseBoot, Intent
from greenroom.supervisor.owned import OwnedSqlite, open_owned
from greenroom.supervisor.sandbox.happening import PROCESS, STORE, Kind
from greenroom.supervisor.sandbox.noted_store import NotedSqlite

if TYPE_CHECKING:
    from greenroom.actors.model import Epoch
    from greenroom.actors.ports import Agent
    from greenroom.actors.runtime import Failure
    from greenroom.storage.trouble import Trouble
    from greenroom.supervisor.policy import Policy
    from greenroom.supervisor.recovery import Decided
    from greenroom.supervisor.sandbox.world import World

T = TypeVar("T")

PATH = "/room/bot.db"
"""Where the simulated process keeps its database."""


class Life:
    """Started by its making; over when `over` says why. Everything is driven from outside, step by step."""

    def __init__(
        self, world: World, seed: int, agent: Agent, policy: Policy, began: Callable[[Life], None] = lambda _: None
    ) -> None:
        """Start the process. Look at `over`: it may not have come up. `began` is called when its boot has decided."""
        self.world = world
        self._told = began
        self.over: str | None = None
        self.began = False
        self.owned: OwnedSqlite | None = None
        self.troubles: list[Trouble | None] = []  # what the host was told of the disk; None: it works again
        self.intent = Intent.RESTART
        self.runtime = world.runtime = SimRuntime(seed, wall=world.wall)
        self._crashes = world.crashes
        world.disk.on_cut = self._power_fails
        hooks = CoreHooks(began=self._began, drained=self._drained, fatal=self._fatal)
        self._backlog_max = policy.chat_backlog_max
        self.core = Core(self.runtime, self._open_store, agent, policy, hooks)
        self.runtime.on_failure(self._hear_failure)
        world.policy = policy
        world.note(PROCESS, f"starts, wall clock {world.wall:.0f}", kind=Kind.START)
        try:
            self.core.start()
            for wire in world.make_wires():
                self.core.attach(wire)
        except (CannotOpen, PowerCut, ActorDeadError, apsw.Error) as error:
            self.over = "it did not come up: " + str(error)
            world.note(PROCESS, self.over, kind=Kind.END)
        self._look_for_death()

    def _open_store(self, fell: Epoch | None) -> OwnedSqlite:
        place = Place(PATH, vfs=self.world.disk.vfs_name)
        owned = open_owned(
            place,
            self.runtime,
            version="sandbox",
            fell=fell,
            backlog_max=self._backlog_max,
            on_trouble=self._hear_trouble,
        )
        if self.world.history is not None:
            owned = NotedSqlite(owned.store, self.world)
        self.owned, self.began = owned, False  # A store that is opened again is decided about again.
        return owned

    def _hear_trouble(self, trouble: Trouble | None) -> None:
        self.troubles.append(trouble)
        self.world.note(STORE, "the disk works again" if trouble is None else trouble.text)

    def _power_fails(self) -> None:
        self.world.note(PROCESS, "power fails", kind=Kind.CRASH)
        self.world.crashes += 1
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
        self.over = "drained"

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
        taken = self.runtime.run(until_s=until_s, max_steps=max_steps)
        self._look_for_death()
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
                closed = self.core.close(self.intent.value)
                world.note(PROCESS, f"ends in order, clean: {closed}", kind=Kind.END)
        world.wall = self.runtime.clock.now()
        if self.over != "crashed":
            self.runtime.crash()
        found, left = world.disk.reboot(loss), world.disk
        left.on_cut, left.dead = _nothing, False  # Nobody looks at it again: SQLite may tidy up there.
        left.heal()
        with contextlib.suppress(apsw.Error):
            self.core.abandon()
        left.unmount()
        world.disk = found
        for network in world.networks:
            network.server.hang_up()
        world.began, world.runtime = world.now, None


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
