"""What actors may expect of the world they live in, as types.

Two worlds keep these promises: `actors.pool.PoolRuntime` (threads, real time) and `actors.simulation.SimRuntime` (one
thread, virtual time, a seed). Nothing is global: two runtimes live side by side in one process and know nothing of
each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine, Hashable

    from greenroom.actors.pooled import PooledActor
    from greenroom.actors.ref import Ref

A = TypeVar("A", bound="PooledActor")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAILBOX_MAX = 1_000
"""How many messages wait for one actor unless its starter says otherwise. Beyond it senders get `MailboxFull`."""


class Clock(Protocol):
    """The two clocks there are: one for people, one for waiting."""

    def now(self) -> float:
        """Wall time in UTC epoch seconds. It may jump either way."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment in this process's life. It never goes back."""
        ...


class Timers(Protocol):
    """Keyed alarms on the monotonic clock."""

    def arm(self, key: Hashable, after_s: float, ring: Callable[[], None]) -> None:
        """Call `ring` once, in `after_s` seconds; a timer armed before under this key never rings.

        `ring` runs on the timers' thread, so it tells somebody and returns. What it raises is reported as a `Failure`.
        """
        ...

    def cancel(self, key: Hashable) -> bool:
        """True if a timer was pending and will not ring."""
        ...


class Job(Protocol):
    """One coroutine that runs on a `Loop`."""

    def cancel(self) -> None:
        """Ask it to stop, from any thread. It may still finish; `done` tells how it ended."""
        ...


class Loop(Protocol):
    """An asyncio loop, seen from outside. Every method may be called from any thread."""

    def post(self, fn: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call `fn(*args)` on the loop, in order of posting; what it raises is reported as a `Failure`."""
        ...

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        name: str,
        done: Callable[[BaseException | None, T | None], None] | None,
    ) -> Job:
        """Run a coroutine; `done(error, result)` is called on the loop when it has ended, however it ended.

        This is the wall around foreign code: whatever the coroutine raises, `SystemExit` included, ends only this
        coroutine. A cancelled one ends with `asyncio.CancelledError`. Without `done` an error is a reported `Failure`.
        """
        ...

    def busy_with(self) -> str | None:
        """Name the job whose code runs on the loop at this moment; None: none does."""
        ...


class Where(StrEnum):
    """What failed. Each failure of an actor, a timer or a loop is reported under exactly one of these."""

    ASK = "ask"
    TELL = "tell"
    ON_START = "on_start"
    ON_STOP = "on_stop"
    ON_FAILURE = "on_failure"
    TIMER = "timer"
    LOOP = "loop"


class Falls(StrEnum):
    """What falls with an actor that dies, and so who builds it anew. Each class of actors says it of itself."""

    PROCESS = "the process: it ends, and its next life goes on"
    HOUSE = "storage, the tree and all that stands on them"
    WIRE = "the way to one platform account"
    SESSION = "one session"
    NOTHING = "nothing: it is of no house of ours, or a timer, or a loop"


@dataclass(frozen=True, slots=True)
class Failure:
    """Something raised and was contained.

    `actor` is the class name of the actor, the timer's key or the loop's name; `urn` and `ref` are empty for those two.
    `stopped` says whether the actor died of it; if so, its `on_failure` has run.
    """

    where: Where
    actor: str
    urn: str
    ref: Ref[Any] | None
    error: BaseException
    stopped: bool
    falls: Falls = Falls.NOTHING


@dataclass(frozen=True, slots=True)
class Depth:
    """The actors of one class: how many live, and how many messages wait, for all together and for the busiest."""

    actors: int
    messages: int
    deepest: int


class Runtime(Protocol):
    """Everything an actor may reach that is not a message."""

    clock: Clock
    timers: Timers
    random: random.Random
    """The only source of chance: of the system in production, of the seed in simulation."""

    def start(self, actor_class: type[A], *args: Any, mailbox_max: int = MAILBOX_MAX, **kwargs: Any) -> Ref[A]:
        """Make an actor and let it run. What its constructor raises is raised here; it lives until it is stopped.

        An actor class with `dedicated_thread = True` gets a thread of its own, since it waits for something slow.
        """
        ...

    def loop(self, name: str) -> Loop:
        """The asyncio loop of this name, made on first use, on a thread of its own called `greenroom-loop-<name>`."""
        ...

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run synchronous foreign code beside the loop; in simulation it runs at once, in place."""
        ...

    def depths(self) -> dict[str, Depth]:
        """Count the living actors by the name of their class, and what waits for them. Costs what lives."""
        ...

    def on_failure(self, callback: Callable[[Failure], None]) -> None:
        """Call `callback` for every failure from now on, on the thread where it happened: tell somebody and return."""
        ...

    def close(self, timeout_s: float) -> None:
        """Stop every actor (skipping its queue), timer, job and thread; `TimeoutError` names what would not end."""
        ...


class Solicited:
    """Base of messages an actor asked for (a commit's result, loaded state): a full mailbox never refuses them."""

    __slots__ = ()


class Awaited:
    """Base of messages whose sender waits for a word: where no actor will handle one any more, it is asked for that."""

    __slots__ = ()

    def turn_back(self) -> None:
        """Tell the sender; on any thread, maybe its own. Raises nothing."""
        raise NotImplementedError


class MailboxFull(Exception):
    """The actor has too much to do; nothing was enqueued."""


class RuntimeClosed(RuntimeError):
    """The runtime was closed, or its simulated process crashed: nothing can be started in it."""


class Deadlock(RuntimeError):
    """Somebody waits for an answer that nobody can give any more. Only a simulation can know."""
