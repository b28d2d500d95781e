"""Actors: how many live in how much memory, how fast they are told, timers, and the way to a coroutine and back."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pykka
from benchmarks.figures import Figure

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.pooled import PooledActor
from greenroom.actors.simulation import SimRuntime

PATIENCE_S = 120.0
"""How long any one measurement may take before it is a failure."""


class Idle(PooledActor):
    """The smallest session there is: what the runtime itself costs."""

    def on_receive(self, message: Any) -> Any:
        return message


class Counting:
    """Handles messages and says when the last one of many has come."""

    def __init__(self, expected: int, done: threading.Event) -> None:
        super().__init__()
        self.left = expected
        self.done = done

    def on_receive(self, _message: Any) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


class PooledCounting(Counting, PooledActor):
    """On the pool."""


class ThreadCounting(Counting, pykka.ThreadingActor):
    """On a thread of its own, as pykka comes."""

    use_daemon_thread = True


def run(quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - bin/bench says so
    """Measure; `quick` makes everything ten times smaller, and its figures only indicative."""
    yield from live_actors(100_000 if quick else 1_000_000)
    yield from best(lambda: one_actor(100_000 if quick else 1_000_000))
    yield from best(lambda: fan_out(actors=1_000 if quick else 10_000))
    yield from pending_timers(100_000 if quick else 1_000_000)
    yield from best(lambda: lateness(10_000 if quick else 100_000))
    yield from best(lambda: round_trips(20_000 if quick else 200_000))
    yield from best(lambda: simulated(20_000 if quick else 200_000))


def best(measure: Callable[[], Iterator[Figure]], times: int = 3) -> Iterator[Figure]:
    """Each figure's best of several runs: neighbours on the machine can only make it worse."""
    for same in zip(*(list(measure()) for _ in range(times)), strict=True):
        yield min(same, key=lambda figure: figure.value if figure.unit == "ms" else -figure.value)


def live_actors(count: int) -> Iterator[Figure]:
    """In a child process, so that nothing else is in its memory. Each actor has handled a message: none is unborn."""
    done = subprocess.run(
        [sys.executable, __file__, str(count)],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    measured = json.loads(done.stdout)
    limit = 2e9 if count >= 1_000_000 else 250e6
    total = measured["bytes"]
    yield Figure(f"{count:,} live actors", total / 1e6, "MB", f"< {limit / 1e6:,.0f} MB", total < limit)
    yield Figure("memory of an idle actor", total / count, "B", "< 2,000 B", total / count < 2_000, "pykka: 22,600 B")
    yield Figure("actors started", count / measured["start_s"], "/s", "", None)


def child(count: int) -> None:
    """What the child process does: live, handle one message each, say what it cost."""
    runtime = PoolRuntime()
    before = resident()
    begun = time.perf_counter()
    refs = [runtime.start(Idle) for _ in range(count)]
    started = time.perf_counter() - begun
    for ref in refs:
        ref.tell("x")
    refs[-1].ask("all", timeout=PATIENCE_S)
    settle(lambda: not any(len(mailbox) for mailbox in runtime.living.values()))
    print(json.dumps({"bytes": resident() - before, "start_s": started}))
    sys.stdout.flush()
    runtime.close(PATIENCE_S)


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - not a file
        return int(statm.read().split()[1]) * 4096


def nothing() -> None:
    """A timer that is never due rings nothing."""


def settle(true: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > ends_at:
            raise TimeoutError
        time.sleep(0.001)


def one_actor(count: int) -> Iterator[Figure]:
    """Told as fast as one thread can, and handled to the last."""
    runtime = PoolRuntime()
    done = threading.Event()
    ref = runtime.start(PooledCounting, count, done, mailbox_max=count)
    told, handled = _flood([ref] * count, done)
    runtime.close(PATIENCE_S)
    beside = threading.Event()
    slower, slower_handled = _flood([ThreadCounting.start(count // 10, beside)] * (count // 10), beside)
    yield Figure(
        "tell to one actor", count / told, "/s", ">= 1,000,000 /s", count / told >= 1e6, _pykka(count // 10, slower)
    )
    yield Figure("told and handled by one actor", count / handled, "/s", "", None, _pykka(count // 10, slower_handled))


def fan_out(actors: int) -> Iterator[Figure]:
    """Every actor told in turn, thirty times; the clock stops when all have handled all."""
    rounds = 30
    runtime = PoolRuntime()
    gate = CountDown(actors)
    refs = [runtime.start(PooledCounting, rounds, gate, mailbox_max=rounds) for _ in range(actors)]
    _, ours = _flood(refs * rounds, gate.all_done)
    runtime.close(PATIENCE_S)
    few = actors // 10
    gate = CountDown(few)
    others = [ThreadCounting.start(rounds, gate) for _ in range(few)]
    _, theirs = _flood(others * rounds, gate.all_done)
    for other in others:
        other.stop(block=False)
    rate = actors * rounds / ours
    yield Figure(
        f"fan-out over {actors:,} actors",
        rate,
        "/s",
        ">= 300,000 /s",
        rate >= 300_000,
        f"{_pykka(few * rounds, theirs)} over {few:,}",
    )


class CountDown(threading.Event):
    """An event to many: `all_done` is set when `set` was called so many times."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self._left = expected
        self._mutex = threading.Lock()
        self.all_done = threading.Event()

    def set(self) -> None:
        with self._mutex:
            self._left -= 1
            if not self._left:
                self.all_done.set()


def _flood(refs: list[Any], done: threading.Event) -> tuple[float, float]:
    """Tell each in turn; seconds until all was told, and until all was handled."""
    begun = time.perf_counter()
    for ref in refs:
        ref.tell(None)
    told = time.perf_counter() - begun
    assert done.wait(PATIENCE_S)
    return told, time.perf_counter() - begun


def _pykka(count: int, seconds: float) -> str:
    return f"pykka.ThreadingActor: {count / seconds:,.0f} /s"


def pending_timers(count: int) -> Iterator[Figure]:
    """All pending at once, on one thread."""
    runtime = PoolRuntime()
    arm = runtime.timers.arm
    begun = time.perf_counter()
    for n in range(count):
        arm(n, 3_600.0, nothing)
    seconds = time.perf_counter() - begun
    pending = len(runtime.timers)
    assert pending == count
    threads = sum(thread.name == "greenroom-timers" for thread in threading.enumerate())
    runtime.close(PATIENCE_S)
    yield Figure(
        "pending timers on one thread", pending, "", "1,000,000", pending >= 1_000_000 or None, f"{threads} thread"
    )
    yield Figure("timers armed", count / seconds, "/s", "", None, "threading.Timer: none beyond ~22,000")


def lateness(count: int) -> Iterator[Figure]:
    """How late timers ring that are spread over ten seconds, with `count` pending."""
    runtime = PoolRuntime()
    late: list[float] = []
    monotonic = time.monotonic
    probes = 2_000
    for n in range(count):
        runtime.timers.arm(n, 3_600.0, nothing)
    done = CountDown(probes)

    def probe(due: float) -> Callable[[], None]:
        def ring() -> None:
            late.append(monotonic() - due)
            done.set()

        return ring

    for n in range(probes):
        after_s = 0.1 + n * 0.001
        runtime.timers.arm(("probe", n), after_s, probe(monotonic() + after_s))
    assert done.all_done.wait(PATIENCE_S)
    runtime.close(PATIENCE_S)
    p99, bare = p99_ms(late), p99_ms(late_sleeps(probes))
    beside = f"median {statistics.median(late) * 1e3:.3g} ms; a bare sleep: {bare:.3g} ms"
    yield Figure(f"p99 lateness of {count:,} timers", p99, "ms", "<= 2 ms", p99 <= 2, beside)


def late_sleeps(count: int) -> list[float]:
    """How late one thread wakes that does nothing but sleep: what the machine itself adds."""
    began = time.monotonic()
    late = []
    for n in range(count):
        due = began + n * 0.001
        time.sleep(max(0.0, due - time.monotonic()))
        late.append(time.monotonic() - due)
    return late


def p99_ms(seconds: list[float]) -> float:
    """The 99th percentile, in milliseconds."""
    return statistics.quantiles(seconds, n=100)[98] * 1e3


class Returning(PooledActor):
    """Posts to a coroutine, and posts again whenever it hears back."""

    def __init__(self, total: int, done: threading.Event, queue_name: str) -> None:
        super().__init__()
        self.left = total
        self.unsent = total
        self.done = done
        self.loop = self.runtime.loop(queue_name)
        self.workers: list[Waiting] = []

    def on_receive(self, message: Any) -> None:
        if isinstance(message, list):
            self.workers = message
            for worker in self.workers:
                self._send(worker)
            return
        self.left -= 1
        if not self.left:
            self.done.set()
        self._send(message)

    def _send(self, worker: "Waiting") -> None:
        if self.unsent:
            self.unsent -= 1
            self.loop.post(worker.wake)


class Waiting:
    """A coroutine that waits for a word from its actor and answers it."""

    def __init__(self, ref: Any) -> None:
        self.ref = ref
        self.woken: asyncio.Future[None] | None = None

    def wake(self) -> None:
        assert self.woken is not None
        self.woken.set_result(None)

    async def run(self, ready: CountDown) -> None:
        loop = asyncio.get_running_loop()
        self.woken = loop.create_future()
        ready.set()
        while True:
            await self.woken
            self.woken = loop.create_future()
            self.ref.tell(self)


def round_trips(count: int) -> Iterator[Figure]:
    """Actor to suspended coroutine and back, 512 in flight."""
    flying = 512
    runtime = PoolRuntime()
    done = threading.Event()
    ref = runtime.start(Returning, count, done, "bench", mailbox_max=4 * flying)
    workers = [Waiting(ref) for _ in range(flying)]
    ready = CountDown(flying)
    for worker in workers:
        runtime.loop("bench").spawn(worker.run(ready), name="worker", done=None)
    assert ready.all_done.wait(PATIENCE_S)
    begun = time.perf_counter()
    ref.tell(workers)
    assert done.wait(PATIENCE_S)
    seconds = time.perf_counter() - begun
    runtime.close(PATIENCE_S)
    yield Figure(
        "actor to coroutine and back, 512 in flight",
        count / seconds,
        "/s",
        ">= 150,000 /s",
        count / seconds >= 150_000,
    )


def simulated(count: int) -> Iterator[Figure]:
    """Messages between actors under a seed, each one a choice of its own."""
    simulation = SimRuntime(1)
    refs = [simulation.start(Idle, mailbox_max=count) for _ in range(20)]
    begun = time.perf_counter()
    for n in range(count):
        refs[n % 20].tell(n)
    simulation.run()
    seconds = time.perf_counter() - begun
    simulation.close(1)
    yield Figure("simulated messages", count / seconds, "/s", ">= 200,000 /s", count / seconds >= 200_000)


if __name__ == "__main__":
    child(int(sys.argv[1]))
