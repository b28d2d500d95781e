"""The pool: many actors on few threads, none lost, none on two threads, no thread left."""

import asyncio
import threading
from typing import Any

import pykka
import pytest

from greenroom.actors import pool as pool_module
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.pooled import PooledActor
from greenroom.actors.runtime import RuntimeClosed


class Tally(PooledActor):
    """Counts, and notices if two threads are ever in it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.inside = threading.Lock()
        self.threads: set[str] = set()

    def on_receive(self, message: Any) -> Any:
        assert self.inside.acquire(blocking=False), "two threads in one actor"
        self.count += 1
        self.threads.add(threading.current_thread().name)
        self.inside.release()
        return self.count


class Asker(PooledActor):
    """Asks onward from inside: what session code never does, and others may."""

    def __init__(self, onward: Any) -> None:
        super().__init__()
        self.onward = onward

    def on_receive(self, message: Any) -> Any:
        return self.onward.ask(message, timeout=10)


class Gate(PooledActor):
    """Holds its thread until the test opens it."""

    def __init__(self, entered: threading.Event, opened: threading.Event) -> None:
        super().__init__()
        self.entered = entered
        self.opened = opened

    def on_receive(self, message: Any) -> Any:
        self.entered.set()
        return self.opened.wait(30)


def ours() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("greenroom-")}


def test_ten_thousand_actors_lose_nothing_between_four_senders(pool: PoolRuntime) -> None:
    refs = [pool.start(Tally) for _ in range(10_000)]

    def send() -> None:
        for ref in refs:
            ref.tell("x")
            ref.tell("y")

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    answers = [ref.ask("how many?", block=False) for ref in refs]
    assert {answer.get(timeout=60) for answer in answers} == {9}


def test_an_actor_is_never_on_two_threads_at_once() -> None:
    pool = PoolRuntime(threads=4, slice_=1)
    refs = [pool.start(Tally) for _ in range(3)]
    senders = [
        threading.Thread(target=lambda ref=ref: [ref.tell(n) for n in range(900)]) for ref in refs for _ in range(1)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [ref.ask("how many?", timeout=30) for ref in refs] == [901] * 3
    pool.close(10)


def test_one_actors_flood_does_not_keep_another_waiting(pool: PoolRuntime) -> None:
    """With one thread, the flooded actor yields after each slice."""
    alone = PoolRuntime(threads=1, slice_=8)
    order: list[str] = []

    class Named(PooledActor):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def on_receive(self, message: Any) -> Any:
            if message == "flood":
                for _ in range(800):
                    self.actor_ref.tell("drop")
                other.tell("urgent")
            order.append(self.name)

    flooded, other = alone.start(Named, "flooded"), alone.start(Named, "other")
    flooded.tell("flood")
    flooded.ask("end", timeout=10)
    assert order.index("other") <= 16
    alone.close(10)


def test_a_pool_thread_that_waits_for_an_answer_gets_a_stand_in() -> None:
    pool = PoolRuntime(threads=1)
    ref: Any = pool.start(Tally)
    for _ in range(5):
        ref = pool.start(Asker, ref)
    assert ref.ask("down and up again", timeout=10) == 1
    for n in range(50):
        assert ref.ask("again", timeout=10) == n + 2
    pool.close(10)


def test_stand_ins_retire_when_nobody_waits_any_more() -> None:
    pool = PoolRuntime(threads=1)
    tally = pool.start(Tally)
    ref: Any = tally
    for _ in range(5):
        ref = pool.start(Asker, ref)
    ref.ask("make them", timeout=10)
    barrier = 0
    while len(pool._pool.threads) > 1:
        barrier = tally.ask("let a thread notice", timeout=10)
        assert barrier < 10_000
    pool.close(10)


def test_too_many_waiting_actors_are_refused_instead_of_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "POOL_THREADS_MAX", 3)
    pool = PoolRuntime(threads=1)
    ref: Any = pool.start(Tally)
    for _ in range(5):
        ref = pool.start(Asker, ref)
    with pytest.raises(RuntimeError, match="3 actors wait for answers"):
        ref.ask("too deep", timeout=10)
    pool.close(10)


def test_an_ask_that_is_not_answered_in_time_raises_timeout(pool: PoolRuntime) -> None:
    opened = threading.Event()
    gate = pool.start(Gate, threading.Event(), opened)
    with pytest.raises(pykka.Timeout, match=r"0\.01 seconds"):
        gate.ask("quick", timeout=0.01)
    opened.set()


def test_an_answer_for_a_loop_that_has_closed_harms_nobody() -> None:
    pool = PoolRuntime(threads=1)
    entered, opened = threading.Event(), threading.Event()
    gate = pool.start(Gate, entered, opened)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await gate.ask("slow", block=False)

    asyncio.run(give_up())
    opened.set()
    assert gate.ask("the only thread lives on", timeout=10) is True
    pool.close(10)


def test_every_thread_is_named_and_none_outlives_close() -> None:
    before = ours()
    pool = PoolRuntime()

    class Own(Tally):
        dedicated_thread = True

    own = pool.start(Own)
    own.ask("x", timeout=10)
    pool.timers.arm("k", 3_600, lambda: None)
    done = threading.Event()

    async def work() -> str:
        return await pool.in_thread(lambda: threading.current_thread().name)

    got: list[Any] = []

    def finished(error: BaseException | None, result: str | None) -> None:
        got.append((error, result))
        done.set()

    pool.loop("side").spawn(work(), name="work", done=finished)
    assert done.wait(10)
    assert got == [(None, "greenroom-worker-0")]
    running = ours() - before
    assert {"greenroom-pool-1", "greenroom-pool-2", "greenroom-timers", "greenroom-loop-side"} <= running
    assert {"greenroom-worker-0", "greenroom-Own-1"} <= running
    pool.close(10)
    assert not any(thread.name in running and thread in pool._all_threads() for thread in threading.enumerate()), (
        threading.enumerate()
    )
    assert not own.is_alive()


def test_closing_stops_every_actor_without_handling_its_queue() -> None:
    pool = PoolRuntime(threads=1)
    entered, opened = threading.Event(), threading.Event()
    gate = pool.start(Gate, entered, opened)
    refs = [pool.start(Tally) for _ in range(100)]
    gate.tell("hold the only thread")
    assert entered.wait(10)
    waiting = [ref.ask("never handled", block=False) for ref in refs]

    def open_when_killed() -> None:
        gate.actor_stopped.wait(10)  # It was started first, so it is killed last.
        opened.set()

    opener = threading.Thread(target=open_when_killed)
    opener.start()
    pool.close(10)
    opener.join()
    for answer in waiting:
        with pytest.raises(pykka.ActorDeadError):
            answer.get(timeout=10)
    assert not pool.living


def test_close_names_the_thread_that_would_not_end() -> None:
    pool = PoolRuntime(threads=1)
    entered, opened = threading.Event(), threading.Event()
    pool.start(Gate, entered, opened).tell("hang")
    assert entered.wait(10)
    with pytest.raises(TimeoutError, match="these threads still run: greenroom-pool-1"):
        pool.close(0.01)
    opened.set()
    pool.close(10)


def test_a_closed_runtime_starts_nothing() -> None:
    pool = PoolRuntime()
    pool.close(10)
    pool.close(10)
    with pytest.raises(RuntimeClosed, match="cannot start Tally"):
        pool.start(Tally)
    with pytest.raises(RuntimeClosed, match="cannot open loop 'x'"):
        pool.loop("x")


def test_close_from_an_actor_is_refused(pool: PoolRuntime) -> None:
    class Closer(PooledActor):
        def on_receive(self, message: Any) -> Any:
            self.runtime.close(1)

    with pytest.raises(RuntimeError, match="cannot wait for itself"):
        pool.start(Closer).ask("close", timeout=10)


def test_an_actor_nobody_refers_to_lives_on(pool: PoolRuntime) -> None:
    rung = threading.Event()

    class Lonely(PooledActor):
        def on_start(self) -> None:
            self.runtime.timers.arm(self.actor_urn, 0.001, self.ring)

        def ring(self) -> None:
            self.actor_ref.tell("rung")

        def on_receive(self, message: Any) -> Any:
            rung.set()

    pool.start(Lonely)
    assert rung.wait(10)


def test_two_pools_ask_each_other() -> None:
    here, there = PoolRuntime(threads=1), PoolRuntime(threads=1)
    back = there.start(Asker, here.start(Tally))
    assert here.start(Asker, back).ask("round", timeout=10) == 1
    here.close(10)
    there.close(10)


class Latecomer(PooledActor):
    """Its runtime is closed while it is made."""

    dedicated_thread = True

    def __init__(self, closing: threading.Thread, closed: threading.Event) -> None:
        super().__init__()
        closing.start()
        assert closed.wait(10)


@pytest.mark.parametrize("alone", [True, False])
def test_an_actor_that_is_made_while_its_runtime_is_closed_never_lives(
    *, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, closed = PoolRuntime(), threading.Event()
    kill_all = runtime.kill_all

    def kill_and_say() -> Any:
        endings = kill_all()
        closed.set()
        return endings

    monkeypatch.setattr(runtime, "kill_all", kill_and_say)
    monkeypatch.setattr(Latecomer, "dedicated_thread", alone)
    closing = threading.Thread(target=runtime.close, args=(10,))
    with pytest.raises(RuntimeClosed, match="cannot start Latecomer"):
        runtime.start(Latecomer, closing, closed)
    closing.join(10)
    assert not runtime.living
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("greenroom-Latecomer")]
