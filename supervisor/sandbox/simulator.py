"""One seed: a world is drawn, the process lives and dies in it, and at the end every promise is checked."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from greenroom.actors.facts import MessageAppended
from greenroom.actors.model import Epoch, Generation, Message, Role, Seq, SessionId
from greenroom.actors.simulation import WALL, SimRuntime
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, Loss
from greenroom.storage.writer import Place
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.owned import open_owned
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.agents import ENDINGS, STEPS, ScriptedAgent
from greenroom.supervisor.sandbox.faults import (
    CLASSES,
    DEFAULT_MIX,
    DISK_FAULTS,
    HEALS_AFTER_S,
    VICTIMS,
    Accident,
    Accidents,
    Ending,
    Mix,
    draw_disk_fault,
    draw_loss,
    platform_faults,
)
from greenroom.supervisor.sandbox.invariants import AFTER_BOOT, AT_THE_END, Check, Violation, check, rows
from greenroom.supervisor.sandbox.life import PATH, Life
from greenroom.supervisor.sandbox.world import Happening, World, make_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenroom.actors.model import SessionKey

DAY_S = 86_400.0
STEPS_MAX = 200_000
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
    history: tuple[Happening, ...] = ()


def simulate(seed: int, mix: Mix = DEFAULT_MIX, *, history: bool = False) -> Report:
    """Live through one seed. `history` keeps what happened, for a replay; it changes nothing else."""
    with quiet():
        return Simulation(seed, mix, history=history).run()


@dataclass(slots=True, order=True)
class Plan:
    """Something that a person or fate does at a moment of the world."""

    at: float
    number: int
    do: Callable[[], None] = field(compare=False)


class Simulation:
    """The driver. Nothing here is random but through the seed."""

    def __init__(self, seed: int, mix: Mix, *, history: bool) -> None:
        """Draw the world and its people."""
        self.seed = seed
        self.mix = mix
        self.rng = rng = random.Random(f"plan of {seed}")
        networks = tuple(
            make_network(
                f"p{n}",
                rng.choice(CLASSES),
                rng.randint(1, mix.chats_max),
                text_max=rng.choice((4096, 4096, 60)),
                edit_min_s=rng.choice((0.0, 1.0)),
            )
            for n in range(1, rng.choice((1, 1, 2)) + 1)
        )
        self.world = World(networks, migrated().reboot(Loss.NOTHING, seed=seed), history=[] if history else None)
        self.world.choose = platform_faults(random.Random(f"platforms of {seed}"), mix.platform_fault)
        self.policy = draw_policy(rng)
        self.accidents = Accidents()
        self.violations: list[Violation] = []
        self.boots = 0
        self.steps = 0
        self.digest = blake2b(digest_size=16)
        self._plans: list[Plan] = []
        self._numbers = 0
        self._epochs: list[Epoch] = []
        self._draw_messages()

    def run(self) -> Report:
        """Live, die, live again; then calm, and check."""
        with self.accidents.planted():
            for _ in range(self.rng.randint(0, self.mix.lives_max)):
                self._live()
                if self.violations:
                    break
            if not self.violations:
                self._settle()
        self.violations += [Violation(*mistake.split(": ", 1)) for mistake in self.world.mistakes]
        world = self.world
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
            history=tuple(world.history or ()),
        )

    # -- people ----------------------------------------------------------------------------------------------------

    def _draw_messages(self) -> None:
        rng = self.rng
        chats = [chat for network in self.world.networks for chat in network.chats]
        rate = rng.choice((2.0, 20.0, 200.0))
        at = 0.0
        for n in range(1, rng.randint(1, self.mix.messages_max) + 1):
            chat, text = rng.choice(chats), self._draw_text(f"m{n}")
            at += rng.expovariate(1.0) * rate / self.mix.messages_max
            self._plan(at, chat, f"u{n}", text)
            if rng.random() < self.mix.duplicate:
                self._plan(at + rng.choice((0.0, 1.0, 30.0, 400.0)), chat, f"u{n}", text)

    def _draw_text(self, name: str) -> str:
        rng = self.rng
        steps = [rng.choice(STEPS) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
        if rng.random() < 0.04:
            steps.insert(rng.randint(0, len(steps)), "kill")
        ending = rng.choice(ENDINGS) if rng.random() < 0.3 else "answer"
        return " ".join((name, *steps, ending))

    def _plan(self, at: float, chat: SessionKey, update_id: str, text: str) -> None:
        def say() -> None:
            if update_id in self.world.said:
                self.world.faults["chat: an update comes again"] += 1
            if self.world.runtime is None:
                self.world.faults["chat: written while the process is down"] += 1
            self.world.say(chat, update_id, text)

        self._at(at, say)

    def _at(self, at: float, do: Callable[[], None]) -> None:
        self._numbers += 1
        self._plans.append(Plan(at, self._numbers, do))
        self._plans.sort()

    def _reply(self) -> bool:
        """Persons answer the questions that they see; True if there was one."""
        found = False
        for network in self.world.networks:
            for chat in network.chats:
                shown = network.server.visible(chat)
                asks = [each for each in shown if "back?" in each.text or "- yes" in each.text]
                if asks and (network.name, asks[-1].id) not in self.world.replied:
                    self.world.replied.update((network.name, each.id) for each in asks)
                    found = True
                    self._answer_question(chat, asks[-1].text)
        return found

    def _answer_question(self, chat: SessionKey, question: str) -> None:
        number = len(self.world.said) + 1
        text = f"r{number}"
        if "- yes" in question:
            text = self.rng.choice(("yes", "no", text))
            self.world.granted[str(chat)] += text == "yes"
        self.world.say(chat, f"v{number}", text)

    # -- lives -----------------------------------------------------------------------------------------------------

    def _start(self) -> Life:
        self.boots += 1
        life = Life(self.world, self.seed * 1_000 + self.boots, self._agent(), self.policy, self._look_after_boot)
        if life.lives() and life.owned is not None:
            self._epochs.append(life.owned.port.epoch)
        return life

    def _agent(self) -> ScriptedAgent:
        return ScriptedAgent(self.world)

    def _live(self) -> None:
        """One life with faults, and the time until the next."""
        rng, world = self.rng, self.world
        ending = rng.choice(list(Ending))
        if ending is Ending.POWER_CUT:
            world.disk.inject(Fault(FaultKind.CUT, nth=int(2 ** rng.uniform(2, 9))))
        life = self._start()
        steps = {int(2 ** rng.uniform(3, 9)): a for a in rng.choices(list(Accident), k=rng.randint(0, 2))}
        last = int(2 ** rng.uniform(2, 10))
        taken, asked = 0, False
        while life.lives() and taken < last:
            upcoming = min((step for step in steps if step > taken), default=last)
            taken += self._advance(life, min(upcoming, last) - taken)
            if life.lives() and taken in steps:
                self._happen(life, steps.pop(taken))
            if self._is_idle(life):
                asked = rng.random() < 0.5 and self._reply()
                if not asked:
                    break
        self._end(life, ending, rng)
        if ending is not Ending.POWER_CUT or world.crashes:
            world.fault(ending.value)
        self._bury(life, draw_loss(rng, ending))
        self._stay_down(rng.choice((0.0, 0.5, 2.0, 30.0, 400.0, 4_000.0)) if rng.random() < 0.9 else DAY_S)

    def _advance(self, life: Life, steps: int) -> int:
        """Go on to the next plan, or so many steps; returns the steps taken."""
        world = self.world
        taken = life.run(self._plans[0].at if self._plans else None, steps)
        while self._plans and self._plans[0].at <= world.now and life.lives():
            self._plans.pop(0).do()
        return taken

    def _is_idle(self, life: Life) -> bool:
        return not life.runtime._ready and life.runtime.next_at() == float("inf") and not self._plans  # noqa: SLF001

    def _end(self, life: Life, ending: Ending, rng: random.Random) -> None:
        if not life.lives():
            return
        self._check(life, AFTER_BOOT)
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
        until = self.world.now + for_s
        while steps > 0 and life.lives() and self.world.now < until:
            at = min(until, self._plans[0].at if self._plans else until)
            steps -= max(1, life.run(max(at, self.world.now), steps))
            while self._plans and self._plans[0].at <= self.world.now and life.lives():
                self._plans.pop(0).do()

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
        while self._plans and self._plans[0].at <= ends_at:
            plan = self._plans.pop(0)
            world.wall += max(0.0, plan.at - world.began)
            world.began = max(world.began, plan.at)
            plan.do()
        world.wall += ends_at - world.began
        world.began = ends_at

    # -- accidents -------------------------------------------------------------------------------------------------

    def _happen(self, life: Life, accident: Accident) -> None:
        rng, world, runtime = self.rng, self.world, life.runtime
        world.fault(accident.value)
        if accident in VICTIMS:
            self.accidents.plan(accident)
            return
        if accident in DISK_FAULTS:
            disk = world.disk
            disk.inject(draw_disk_fault(rng, accident))
            runtime.timers.arm(("sandbox", accident), rng.choice(HEALS_AFTER_S), disk.heal)
            return
        match accident:
            case Accident.TIMER_RAISES:
                runtime.timers.arm("sandbox", 0.0, _raise)
            case Accident.DISCONNECT:
                self._disconnect(runtime)
            case Accident.CLOCK_BACK:
                runtime.jump_wall(-DAY_S)
            case Accident.CLOCK_FORWARD:
                runtime.jump_wall(DAY_S)
            case Accident.SLEEP:
                runtime._move_to(runtime.now + 3_600.0)  # noqa: SLF001 - nothing ran meanwhile, all timers are late
            case Accident.MESSAGE_REMOVED | Accident.BLOCKED:
                self._harass(accident)
            case Accident.ZOMBIE:
                self._wake_zombie(life)
            case _:
                pass

    def _disconnect(self, runtime: SimRuntime) -> None:
        wire = self.rng.choice(self.world.wires)
        if wire.door is not None:
            door = wire.door
            door.disconnected("the network is gone")
            runtime.timers.arm(("sandbox", wire.name), self.rng.choice((0.5, 40.0)), door.connected)

    def _harass(self, accident: Accident) -> None:
        network = self.rng.choice(self.world.networks)
        chat = self.rng.choice(network.chats)
        if accident is Accident.BLOCKED:
            if self.rng.random() < 0.2:
                network.server.block(chat)
        elif shown := network.server.visible(chat):
            network.server.delete(self.rng.choice(shown).id)

    def _wake_zombie(self, life: Life) -> None:
        """An older owner offers a row through the living store: the fence refuses it, whatever it believes."""
        store = life.core.store
        if store is None or len(self._epochs) < 2:
            return
        found: list[tuple[Any, ...]] | None = life.look(lambda db: rows(db, "SELECT id, generation FROM sessions"))
        if found:
            session_id, generation = SessionId(found[0][0]), Generation(found[0][1])
            row = Message(Seq(9_999), generation, "zombie", Role.ASSISTANT, "boo", 0.0, finish="stop")
            store.write((MessageAppended(session_id, self._epochs[-2], row),), self._hear_zombie)

    def _hear_zombie(self, answer: Committed | Refused) -> None:
        if not isinstance(answer, Refused) or answer.kind is RefusalKind.CONFLICT:
            self.world.break_promise("a_stale_writer_is_refused", str(answer))

    # -- the end ---------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No fault any more: everything owed must be done within bounded virtual time."""
        world = self.world
        world.calm = True
        world.disk.heal()
        self._stay_down(max(self.policy.unclean_window_s + 1.0, 1.0))
        life = self._start()
        if not life.lives():
            self.violations.append(Violation("it_comes_up", str(life.over)))
            return
        while life.lives():
            ends_at = world.now + self.mix.settle_s
            self._quiesce(life, ends_at)
            if not life.lives() or self.violations or not self._reply():
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
            taken += life.run(self._plans[0].at if self._plans else None, 500)
            while self._plans and self._plans[0].at <= self.world.now:
                self._plans.pop(0).do()
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


def draw_policy(rng: random.Random) -> Policy:
    """The host's knobs: mostly patient, with every limit near enough to be met."""
    return Policy(
        silent_max_s=rng.choice((120.0, 120.0, 900.0)),
        notice_first_s=20.0,
        notice_every_s=30.0,
        idle_s=rng.choice((5.0, 60.0)),
        fresh_s=rng.choice((3600.0, 3600.0, 60.0, 0.0)),
        unclean_boots_max=rng.choice((3, 100)),
        drain_s=rng.choice((0.0, 5.0, 30.0)),
        resume_concurrency=rng.choice((1, 8)),
        inbox_batch_max=rng.choice((1, 100)),
        late_s=300.0,
        transcript_window=1_000,
    )


@cache
def migrated() -> Disk:
    """A disk with a new database, the start of every world."""
    disk, runtime = Disk(0), SimRuntime(0, wall=WALL)
    open_owned(Place(PATH, vfs=disk.vfs_name), runtime, version="sandbox").close("made")
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


def _raise() -> None:
    msg = "an accident in a timer"
    raise RuntimeError(msg)
