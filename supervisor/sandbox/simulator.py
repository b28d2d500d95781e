"""One seed: a world is drawn, the process lives and dies in it, and at the end every promise is checked."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

from greenroom.actors.simulation import WALL, SimRuntime
from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, Loss
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.sandbox.agents import ScriptedAgent
from greenroom.supervisor.sandbox.faults import (
    CLASSES,
    DAY_S,
    DEFAULT_MIX,
    Accident,
    Accidents,
    Ending,
    Mix,
    draw_life,
    draw_policy,
    draw_waiver,
    platform_faults,
)
from greenroom.supervisor.sandbox.happening import PROCESS, Happening, Kind
from greenroom.supervisor.sandbox.invariants import AFTER_BOOT, AT_REST, AT_THE_END, Check, Violation, check
from greenroom.supervisor.sandbox.latecomers import Latecomers
from greenroom.supervisor.sandbox.letters import draw_letters
from greenroom.supervisor.sandbox.life import PATH, Life
from greenroom.supervisor.sandbox.mishaps import Mishaps
from greenroom.supervisor.sandbox.networks import Network, make_network
from greenroom.supervisor.sandbox.operators import draw_orders
from greenroom.supervisor.sandbox.parts import Parts, split_dice
from greenroom.supervisor.sandbox.people import People
from greenroom.supervisor.sandbox.strangers import draw_strangers
from greenroom.supervisor.sandbox.world import World

STEPS_MAX = 20_000
"""A life that takes more steps than this goes round in circles."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one seed."""

    seed: int
    violations: tuple[Violation, ...]
    crashes: int
    boots: int
    runs: int
    steps: int
    virtual_s: float
    faults: Counter[str]
    trace: str
    parts: tuple[str, ...] = ()
    history: tuple[Happening, ...] = ()


def simulate(seed: int, mix: Mix = DEFAULT_MIX, *, history: bool = False, omitted: Collection[str] = ()) -> Report:
    """Live through one seed, without the parts that are `omitted` (see `parts.py`).

    `history` keeps what happened, for a replay; it changes nothing else.
    """
    with quiet():
        return Simulation(seed, mix, history=history, omitted=omitted).run()


class Simulation:
    """The driver. Nothing here is random but through the seed."""

    def __init__(self, seed: int, mix: Mix, *, history: bool, omitted: Collection[str]) -> None:
        """Draw the world and its people."""
        self.seed = seed
        self.mix = mix
        self.rng = rng = random.Random(f"plan of {seed}")
        self.parts = Parts(omitted)
        networks = tuple(self._draw_network(f"p{n}") for n in range(1, rng.choice((1, 1, 2)) + 1))
        self.world = World(networks, migrated().reboot(Loss.NOTHING, seed=seed), history=[] if history else None)
        self.policy = draw_policy(rng)
        self.world.choose = platform_faults(split_dice(rng), rng.choice(mix.platform_fault), self.parts)
        self._lives = [split_dice(rng) for _ in range(rng.randint(1, mix.lives_max))]
        self.accidents = Accidents()
        self.violations: list[Violation] = []
        self.boots = 0
        self.steps = 0
        self.digest = blake2b(digest_size=16)
        self._people = People(self.world, split_dice(rng), mix, self.parts)
        self.world.late = Latecomers(random.Random(f"late of {seed}"))
        self._people.join(draw_orders(self.world, random.Random(f"operator of {seed}"), self.parts))
        self._people.join(draw_strangers(self.world, random.Random(f"strangers of {seed}"), self.parts))
        self._people.join(draw_letters(self.world, random.Random(f"letters of {seed}"), self.parts))
        self._mishaps = Mishaps(self.world, self.accidents)

    def _draw_network(self, name: str) -> Network:
        rng, mix = self.rng, self.mix
        delivery, chats = rng.choice(CLASSES), rng.randint(1, mix.chats_max)
        text_max, edit_min_s = rng.choice((4096, 4096, 60)), rng.choice((0.0, 1.0))
        buttons = rng.choice((False, True))
        waived_from = draw_waiver(random.Random(f"promise of {name} of {self.seed}"), text_max, self.parts, name)
        return make_network(
            name,
            delivery,
            chats,
            text_max=text_max,
            edit_min_s=edit_min_s,
            buttons=buttons,
            waived_from=waived_from,
        )

    def run(self) -> Report:
        """Live, die, live again; then calm, and check."""
        with self.accidents.planted(), self.world.archive.planted(self.world):
            try:
                self._live_all()
            except Exception as error:  # Invariant: a seed that breaks the simulator is a finding, with its story.
                self.violations.append(Violation("nothing_escapes", f"{type(error).__name__}: {error}"))
        world = self.world
        for violation in self.violations:
            world.note(PROCESS, str(violation), kind=Kind.BROKEN)
        self.violations += [Violation(*mistake.split(": ", 1)) for mistake in world.mistakes]
        return Report(
            seed=self.seed,
            violations=tuple(self.violations),
            crashes=world.crashes,
            boots=self.boots,
            runs=world.runs,
            steps=self.steps,
            virtual_s=world.now,
            faults=world.faults,
            trace=self.digest.hexdigest(),
            parts=self.parts.happened,
            history=tuple(world.history or ()),
        )

    def _live_all(self) -> None:
        for number, rng in enumerate(self._lives, 1):
            if self.parts.happens(f"life{number}"):
                self._live(number, rng)
            if self.violations:
                return
        self._settle()

    # -- lives -----------------------------------------------------------------------------------------------------

    def _start(self, number: int) -> Life:
        self.boots += 1
        life = Life(self.world, self.seed * 1_000 + number, self._agent(), self.policy, self._look_after_boot)
        if life.lives() and life.owned is not None:
            self._mishaps.remember(life.owned.port.epoch)
        return life

    def _agent(self) -> ScriptedAgent:
        return ScriptedAgent(self.world, fresh_s=self.policy.fresh_s)

    def _live(self, number: int, rng: random.Random) -> None:
        """One life with faults, and the time until the next."""
        world, plan = self.world, draw_life(rng, self.mix, self.parts, f"life{number}")
        if plan.cut_at is not None:
            world.disk.inject(Fault(FaultKind.CUT, nth=plan.cut_at))
        life = self._start(number)
        taken, asked, steps = 0, False, dict(plan.accidents)
        while life.lives() and taken < plan.steps:
            upcoming = min((step for step in steps if step > taken), default=plan.steps)
            taken += self._advance(life, min(upcoming, plan.steps) - taken)
            if life.lives() and taken in steps:
                self._mishaps.happen(life, *steps.pop(taken))
            if self._is_idle(life):
                asked = rng.random() < 0.5 and self._people.reply()
                if not asked:
                    self._check(life, AT_REST)
                    break
        self._end(life, plan.ending, rng)
        if plan.ending is not Ending.POWER_CUT or world.crashes:
            world.fault(plan.ending.value)
        self._bury(life, plan.loss)
        if plan.ending in {Ending.POWER_CUT, Ending.POWER_FAILURE}:
            world.power_fails()
        else:
            world.note_survivors()
        self._stay_down(plan.down_s)

    def _advance(self, life: Life, steps: int) -> int:
        """Go on until somebody does something, or for so many steps; returns the steps taken."""
        taken = life.run(self._people.next_at, steps)
        self._people.act()
        return taken

    def _is_idle(self, life: Life) -> bool:
        return life.runtime.is_idle() and self._people.next_at is None

    def _end(self, life: Life, ending: Ending, rng: random.Random) -> None:
        if not life.lives():
            return
        self._check(life, AFTER_BOOT)
        if not life.lives():
            return
        match ending:
            case Ending.DRAIN | Ending.HURRIED | Ending.KILLED_IN_DRAIN:
                life.intent = rng.choice(list(Intent))
                life.core.drain(life.intent)
                if ending is Ending.HURRIED:
                    self._go(life, rng.randint(0, 60))
                    life.core.drain(life.intent)
                self._go(life, rng.randint(0, 60) if ending is Ending.KILLED_IN_DRAIN else STEPS_MAX, for_s=120.0)
                if life.lives() and ending is not Ending.KILLED_IN_DRAIN:
                    self.violations.append(Violation("a_drain_ends", "120 s after it was ordered it is not over"))
            case _:
                pass
        if life.lives():
            self.world.kill("process: killed")

    def _go(self, life: Life, steps: int, for_s: float = 5.0) -> None:
        """Go on for so long. What the process spends frozen, as by a disk that is slow, does not count."""
        ends_at = self.world.now + for_s - life.runtime.frozen_s
        while steps > 0 and life.lives() and self.world.now < (until := ends_at + life.runtime.frozen_s):
            upcoming = self._people.next_at
            steps -= max(1, life.run(until if upcoming is None else min(until, upcoming), steps))
            self._people.act()

    def _bury(self, life: Life, loss: Loss) -> None:
        if not life.lives() and str(life.over).startswith("fatal"):
            self.world.fault("process: gives up")
        self._hash(life.runtime)
        life.end(loss)
        self.accidents.clear()

    def _hash(self, runtime: SimRuntime) -> None:
        self.steps += runtime.steps
        self.digest.update(runtime.trace_hash().encode())

    def _stay_down(self, seconds: float) -> None:
        world = self.world
        ends_at = world.began + seconds
        while (at := self._people.next_at) is not None and at <= ends_at:
            _pass(world, max(0.0, at - world.began))
            self._people.act()
        _pass(world, ends_at - world.began)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No fault any more: everything owed must be done within bounded virtual time."""
        world = self.world
        world.calm = True
        world.disk.heal()
        self._stay_down(max(self.policy.unclean_window_s + 1.0, 1.0))
        life = self._start(0)
        if not life.lives():
            self.violations.append(Violation("it_comes_up", str(life.over)))
            return
        while life.lives():
            set_back_s = DAY_S * world.faults[Accident.CLOCK_BACK.value]  # So much longer a question may wait.
            ends_at = world.now + self.mix.settle_s + set_back_s
            self._quiesce(life, ends_at)
            if not life.lives() or self.violations or not self._people.reply():
                break
        if not life.lives():
            self.violations.append(Violation("it_lives_on", str(life.over)))
        elif not self.violations:
            self._check(life, AT_THE_END)
        self._hash(life.runtime)
        life.end()
        world.disk.unmount()

    def _quiesce(self, life: Life, ends_at: float) -> None:
        taken = 0
        while life.lives() and not self._is_idle(life):
            taken += life.run(self._people.next_at, 500)
            self._people.act()
            if self.world.now >= ends_at or taken > STEPS_MAX:
                self.violations.append(
                    Violation("it_comes_to_rest", f"busy after {taken} steps, {self.world.now:.0f} s")
                )
                return

    def _look_after_boot(self, life: Life) -> None:
        self._check(life, AFTER_BOOT)

    def _check(self, life: Life, checks: tuple[Check, ...]) -> None:
        if life.began:
            self.violations += life.look(lambda db: check(checks, db, self.world)) or ()


@cache
def migrated() -> Disk:
    """A disk with a new database, the start of every world."""
    disk, runtime = Disk(0), SimRuntime(0, wall=WALL)
    SqliteStore.open(Place(PATH, vfs=disk.vfs_name), runtime, version="sandbox").close("made")
    disk.write_file(PATH, disk.read_file(PATH))  # As bytes, which all worlds share until they write.
    return disk


@contextmanager
def quiet() -> Iterator[None]:
    """Thousands of staged failures are not worth a line of log each."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _pass(world: World, seconds: float) -> None:
    """Let time go by without a process."""
    world.began += seconds
    world.wall += seconds
