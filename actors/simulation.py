"""The runtime of simulation: one thread, virtual time, and a seed that decides everything a scheduler would.

What is ready (an actor with its next message, a loop with its next callback, the next due timer) stands in one list,
and the seed picks from it. Time passes only when the list is empty, to the moment of the next timer. The same seed
gives the same run.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from array import array
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from pykka import ActorDeadError

from greenroom.actors.bridge import Bridge
from greenroom.actors.hosting import HostingRuntime
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.runtime import Deadlock
from greenroom.actors.virtual_loop import VirtualLoop
from greenroom.actors.virtual_time import SimClock, SimTimers

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenroom.actors.answer import Answer
    from greenroom.actors.mailbox import Ready
    from greenroom.actors.pooled import PooledActor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

WALL = 1_700_000_000.0
"""Where the wall clock of a simulation starts: 14 November 2023."""

_TRACE_MAX = 8_192
"""How many choices are kept before they go into the hash."""


class SimRuntime(HostingRuntime):
    """`Runtime` under a seed. An `ask` from outside steps it until the answer is there."""

    def __init__(self, seed: int, *, wall: float = WALL) -> None:
        super().__init__(f"sim-{seed}")
        self.seed = seed
        self.clock = SimClock(wall)
        self.random = random.Random(f"world of {seed}")
        self._choice = random.Random(f"schedule of {seed}").random
        self._ready: list[Mailbox | VirtualLoop | SimTimers] = []
        self.put: Callable[[Any], None] = self._ready.append
        self.timers = SimTimers(self)
        self._loops: dict[str, Bridge] = {}
        self._virtual: list[VirtualLoop] = []
        self._trace = array("q")
        self._digest = hashlib.blake2b(digest_size=16)
        self.steps = 0
        self.frozen_s = 0.0
        self._depth = 0  # Steps under way: an ask inside a handler steps again.
        self._dead = False  # After a crash in mid-step, until the last frame of the dead process is gone.
        self._crashes = 0

    @property
    def now(self) -> float:
        """Virtual seconds since the simulation began; the monotonic clock."""
        return self.clock.monotonic()

    def jump_wall(self, by_s: float) -> None:
        """Move the wall clock alone; nothing rings earlier or later for it."""
        self.clock.jump_wall(by_s)

    # Runtime

    def _ready_for(self, actor_class: type[PooledActor], number: int) -> Ready:  # noqa: ARG002
        return self

    def start(self, actor_class: type[Any], *args: Any, **kwargs: Any) -> Any:
        """See `Runtime.start`; a dedicated thread is simulated like any other."""
        self.refuse_if_dead(f"start {actor_class.__name__}")
        return super().start(actor_class, *args, **kwargs)

    def wait(self, answer: Answer[Any], timeout: float | None) -> bool:
        """Step until the answer is there. Raises `Deadlock` if nothing can happen any more, whatever the timeout."""
        ends_at = float("inf") if timeout is None else self.now + timeout
        crashes = self._crashes
        while not answer.done:
            if not self._ready and self.next_at() > ends_at and self.next_at() != float("inf"):
                self._move_to(ends_at)
                return False
            if not self.step():
                msg = "an answer is awaited that nobody can give: nothing is ready and no timer is armed"
                raise Deadlock(msg)
            if self._crashes != crashes:
                msg = "the simulated process crashed before it answered"
                raise ActorDeadError(msg)
        return True

    def loop(self, name: str) -> Bridge:
        """See `Runtime.loop`."""
        if name not in self._loops:
            self._refuse_if_closed(f"open loop {name!r}")
            self.refuse_if_dead(f"open loop {name!r}")
            report = partial(self.report_loop, name)
            virtual = VirtualLoop(  # type: ignore[abstract]  # what is missing is added, as refusals
                self.clock.monotonic, self.put, report, number=-1 - len(self._virtual)
            )
            self._virtual.append(virtual)
            self._loops[name] = Bridge(virtual, report)
        return self._loops[name]

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """See `Runtime.in_thread`: other things may happen first, then it runs here."""
        await asyncio.sleep(0)
        return fn(*args)

    def close(self, timeout_s: float) -> None:
        """See `Runtime.close`; the timeout is virtual."""
        self._closed = True
        ends_at = self.now + timeout_s
        self.timers.discard()
        endings = self.kill_all()
        for bridge in self._loops.values():
            if not bridge.closing:
                bridge.asyncio_loop.create_task(bridge.end_all(timeout_s), name="close")
        self.run(until_s=ends_at)
        for virtual in self._virtual:
            virtual.discard()
        if not all(ending.done for ending in endings):
            msg = f"after {timeout_s} simulated seconds {len(self.living)} actors still run"
            raise TimeoutError(msg)

    # Simulation

    def step(self) -> bool:
        """Let one thing happen, after moving time to it if need be; False if nothing can ever happen again."""
        ready = self._ready
        if not ready:
            at = self.next_at()
            if at == float("inf"):
                return False
            self._move_to(at)
            return True
        last = len(ready) - 1
        at_index = int(self._choice() * (last + 1)) if last else 0
        chosen = ready[at_index]
        ready[at_index] = ready[last]
        ready.pop()
        self._note(chosen.number)
        self.steps += 1
        self._depth += 1
        again = chosen.turn(self._share(chosen)) if type(chosen) is Mailbox else chosen.turn()  # type: ignore[call-arg]
        self._depth -= 1
        if self._dead and not self._depth:
            self._bury()
        if again:  # Never after a crash in this turn: the dead have nothing left to do.
            ready.append(chosen)
        return True

    def _share(self, mailbox: Mailbox) -> int:
        """One message; of a batch as many as the seed says, so that groups of every size are met."""
        actor = mailbox.actor
        if actor is None or not actor._takes_batches:  # noqa: SLF001
            return 1
        most = 1 + int(self._choice() * len(mailbox))
        self._note(most)
        return most

    def run(self, until_s: float | None = None, max_steps: int | None = None) -> int:
        """Step until nothing is left to do, or until the virtual moment `until_s`; returns the steps taken."""
        ends_at = float("inf") if until_s is None else until_s
        taken = 0
        while max_steps is None or taken < max_steps:
            if not self._ready and self.next_at() > ends_at:
                break
            if not self.step():
                break
            taken += 1
        else:
            return taken
        if until_s is not None:
            self._move_to(until_s)
        return taken

    def advance(self, seconds: float) -> int:
        """Let `seconds` pass, and everything happen that happens in them; returns the steps taken."""
        return self.run(until_s=self.now + seconds)

    def freeze(self, seconds: float) -> None:
        """Let time pass without anything happening in it, as when the host sleeps: all timers ring late."""
        self.frozen_s += seconds
        self._move_to(self.now + seconds)

    def is_idle(self) -> bool:
        """Whether nothing can ever happen again unless somebody outside does something."""
        return not self._ready and self.next_at() == float("inf")

    def next_at(self) -> float:
        """When the next timer or sleeping coroutine is due; infinity if there is none."""
        return min(self.timers.next_at(), *(virtual.next_at() for virtual in self._virtual), float("inf"))

    def _move_to(self, at: float) -> None:
        self.clock.move_to(at)
        self._note(int(at * 1e6))
        self.timers.ripen()
        for virtual in self._virtual:
            virtual.ripen()

    def _note(self, choice: int) -> None:
        self._trace.append(choice)
        if len(self._trace) >= _TRACE_MAX:
            self._digest.update(self._trace.tobytes())
            del self._trace[:]

    def trace_hash(self) -> str:
        """A name for everything the seed has decided so far: equal runs have equal names."""
        digest = self._digest.copy()
        digest.update(self._trace.tobytes())
        return digest.hexdigest()

    # Crashes

    def crash(self) -> None:
        """Lose all of the process at once, as kill -9 does: actors, mailboxes, timers, coroutines, failure callbacks.

        No hook and no `done` runs. The clock and the seed go on, and the next process may be started in the same
        runtime. Called from inside a step, what the dying frames still try finds nobody and starts nothing until that
        step has returned.
        """
        self._crashes += 1
        self._dead = True
        self._callbacks.clear()
        for mailbox in tuple(self.living.values()):
            mailbox.discard()
        for bridge in self._loops.values():
            bridge.discard()
        for virtual in self._virtual:
            virtual.discard()
        self._loops.clear()
        self.timers.discard()
        self._ready.clear()
        self._closed = False
        if not self._depth:
            self._bury()

    def _bury(self) -> None:
        """The last frame of the dead process has returned; a coroutine that was running then can be closed now."""
        for virtual in self._virtual:
            virtual.discard()
        self._virtual.clear()
        self._dead = False

    def report(self, failure: Any) -> None:
        """See `HostingRuntime.report`; a dead process reports nothing."""
        if not self._dead:
            super().report(failure)

    def refuse_if_dead(self, what: str) -> None:
        """Raise `ActorDeadError` at a frame of the process that crashed in this very step."""
        if self._dead:
            msg = f"cannot {what}: the simulated process has crashed"
            raise ActorDeadError(msg)
