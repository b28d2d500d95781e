"""The asyncio loop beside the actors: on its thread, and the same bridge in simulation."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

import pytest

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.pooled import PooledActor
from greenroom.actors.runtime import Failure, RuntimeClosed, Where
from greenroom.actors.simulation import SimRuntime

Runtimes = PoolRuntime | SimRuntime


class Echo(PooledActor):
    def on_receive(self, message: Any) -> Any:
        return message


class Outcome:
    """How a job ended, and a way to wait for it in both worlds."""

    def __init__(self, runtime: Runtimes) -> None:
        self.runtime = runtime
        self.event = threading.Event()
        self.error: BaseException | None = None
        self.result: Any = None
        self.calls = 0

    def __call__(self, error: BaseException | None, result: Any) -> None:
        self.error, self.result = error, result
        self.calls += 1
        self.event.set()

    def wait(self) -> "Outcome":
        if isinstance(self.runtime, SimRuntime):
            self.runtime.run(max_steps=100_000)
            assert self.event.is_set()
        else:
            assert self.event.wait(10)
        return self


def run(runtime: Runtimes, coroutine: Coroutine[Any, Any, Any]) -> Outcome:
    outcome = Outcome(runtime)
    runtime.loop("test").spawn(coroutine, name="job", done=outcome)
    return outcome.wait()


def test_a_coroutine_tells_what_it_returned(runtime: Runtimes) -> None:
    async def work() -> int:
        await asyncio.sleep(0.001)
        return 5

    outcome = run(runtime, work())
    assert (outcome.error, outcome.result, outcome.calls) == (None, 5, 1)


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_whatever_a_coroutine_raises_ends_only_that_coroutine(runtime: Runtimes, error: BaseException) -> None:
    async def work() -> None:
        raise error

    assert run(runtime, work()).error is error
    assert run(runtime, asyncio.sleep(0, "the loop goes on")).result == "the loop goes on"


def test_system_exit_in_a_task_of_foreign_code_does_not_end_the_loop(
    runtime: Runtimes, failures: list[Failure]
) -> None:
    async def leave() -> None:
        raise SystemExit(4)

    async def work() -> str:
        task = asyncio.ensure_future(leave())
        await asyncio.sleep(0.001)
        assert isinstance(task.exception(), SystemExit)
        return "alive"

    assert run(runtime, work()).result == "alive"
    assert [(failure.where, failure.actor, type(failure.error)) for failure in failures] == [
        (Where.LOOP, "test", SystemExit)
    ]


def test_foreign_code_that_stops_the_loop_does_not_end_it(pool: PoolRuntime) -> None:
    async def stop() -> None:
        asyncio.get_running_loop().stop()

    run(pool, stop())
    assert run(pool, asyncio.sleep(0, "on")).result == "on"


def test_an_error_nobody_waits_for_is_reported(runtime: Runtimes, failures: list[Failure]) -> None:
    async def work() -> None:
        raise ValueError("unheard")

    runtime.loop("test").spawn(work(), name="job", done=None)
    run(runtime, asyncio.sleep(0))
    assert [str(failure.error) for failure in failures] == ["unheard"]


def test_an_error_in_done_or_in_a_posted_call_is_reported(runtime: Runtimes, failures: list[Failure]) -> None:
    def broken(*_args: Any) -> None:
        raise SystemExit("broken listener")

    loop = runtime.loop("test")
    loop.post(broken)
    loop.spawn(asyncio.sleep(0), name="job", done=broken)
    run(runtime, asyncio.sleep(0.001))
    assert [failure.where for failure in failures] == [Where.LOOP, Where.LOOP]


def test_posted_calls_run_in_order_on_the_loop(runtime: Runtimes) -> None:
    heard: list[int] = []
    loop = runtime.loop("test")
    for n in range(5_000):
        loop.post(heard.append, n)
    done = Outcome(runtime)
    loop.post(done, None, None)
    done.wait()
    assert heard == list(range(5_000))


def test_many_posts_need_few_wake_ups(simulation: SimRuntime) -> None:
    heard: list[int] = []
    for n in range(1_000):
        simulation.loop("test").post(heard.append, n)
    assert simulation.run() == 1, "one drain carries them all"
    assert len(heard) == 1_000


def test_a_job_can_be_cancelled(runtime: Runtimes) -> None:
    cleaned: list[str] = []

    async def work() -> None:
        started()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("cleaned")

    outcome = Outcome(runtime)
    running = Outcome(runtime)

    def started() -> None:
        running(None, None)

    job = runtime.loop("test").spawn(work(), name="job", done=outcome)
    running.wait()
    job.cancel()
    assert isinstance(outcome.wait().error, asyncio.CancelledError)
    assert cleaned == ["cleaned"]
    job.cancel()
    run(runtime, asyncio.sleep(0))
    assert outcome.calls == 1, "cancelling what has ended does nothing"


def test_a_job_cancelled_before_its_first_step_tells_so_too(runtime: Runtimes) -> None:
    began: list[str] = []

    async def work() -> None:
        began.append("never")

    outcome = Outcome(runtime)
    spawned = Outcome(runtime)

    def spawn_and_cancel() -> None:
        runtime.loop("test").spawn(work(), name="job", done=outcome).cancel()
        spawned(None, None)

    runtime.loop("test").post(spawn_and_cancel)
    spawned.wait()
    assert isinstance(outcome.wait().error, asyncio.CancelledError)
    assert not began


def test_awaiting_an_ask_does_not_block_the_loop(runtime: Runtimes) -> None:
    """Pykka's own future would: the loop would stand still, and an actor that needs it would never answer."""

    class NeedsTheLoop(PooledActor):
        def on_receive(self, message: Any) -> Any:
            self.runtime.loop("test").post(opened.set)
            return message

    opened = asyncio.Event()
    ref = runtime.start(NeedsTheLoop)

    async def work() -> Any:
        answer = await ref.ask("x", block=False)
        await opened.wait()
        with pytest.raises(ValueError, match="from afar"):
            await failing.ask(ValueError("from afar"), block=False)
        return answer

    class Failing(PooledActor):
        def on_receive(self, message: Any) -> Any:
            raise message

    failing = runtime.start(Failing)
    assert run(runtime, work()).result == "x"


def test_awaiting_a_mapped_ask_works_as_in_pykka(runtime: Runtimes) -> None:
    ref = runtime.start(Echo)

    async def work() -> Any:
        return await ref.ask(20, block=False).map(lambda n: n + 1)

    assert run(runtime, work()).result == 21


def test_synchronous_code_runs_beside_the_loop(runtime: Runtimes) -> None:
    async def work() -> tuple[str, str, str]:
        name = await runtime.in_thread(lambda: threading.current_thread().name)
        other = await asyncio.to_thread(lambda: threading.current_thread().name)
        return name, other, await runtime.in_thread(str.upper, "argument")

    name, other, argument = run(runtime, work()).result
    assert argument == "ARGUMENT"
    if isinstance(runtime, PoolRuntime):
        assert name.startswith("greenroom-worker-")
        assert other.startswith("greenroom-worker-")
    else:
        assert {name, other} == {threading.current_thread().name}


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3)])
def test_what_synchronous_code_raises_reaches_who_awaits_it(runtime: Runtimes, error: BaseException) -> None:
    def fail() -> None:
        raise error

    async def work() -> None:
        await runtime.in_thread(fail)

    assert run(runtime, work()).error is error
    assert run(runtime, runtime.in_thread(int, "3")).result == 3


def test_synchronous_code_that_raises_stop_iteration_does_not_hang(runtime: Runtimes) -> None:
    async def work() -> None:
        await runtime.in_thread(next, iter(()))

    assert isinstance(run(runtime, work()).error, RuntimeError)


def test_no_more_threads_run_than_the_limit_says() -> None:
    pool = PoolRuntime(threads_max=2)
    release = threading.Event()
    both = threading.Barrier(3)

    def hold() -> None:
        both.wait(10)
        release.wait(10)

    async def work() -> list[Any]:
        holding = [asyncio.ensure_future(pool.in_thread(hold)) for _ in range(2)]
        waiting = [asyncio.ensure_future(pool.in_thread(str, n)) for n in range(5)]
        done, _ = await asyncio.wait(waiting, timeout=0.01)
        assert not done, "both threads are taken"
        release.set()
        await asyncio.gather(*holding)
        return await asyncio.gather(*waiting)

    outcome = Outcome(pool)
    pool.loop("test").spawn(work(), name="job", done=outcome)
    both.wait(10)
    assert outcome.wait().result == list("01234")
    assert len(pool._threads.threads) == 2
    pool.close(10)


def test_there_is_one_loop_of_each_name(runtime: Runtimes) -> None:
    assert runtime.loop("a") is runtime.loop("a")
    assert runtime.loop("a") is not runtime.loop("b")


@pytest.mark.parametrize("kind", ["pool", "simulation"])
def test_closing_cancels_every_job_and_the_loop_takes_no_more(kind: str) -> None:
    runtime: Runtimes = PoolRuntime() if kind == "pool" else SimRuntime(1)
    ended: list[BaseException | None] = []

    async def forever() -> None:
        await asyncio.Event().wait()

    loop = runtime.loop("test")
    for _ in range(10):
        loop.spawn(forever(), name="forever", done=lambda error, _result: ended.append(error))
    runtime.close(10)
    assert [type(error) for error in ended] == [asyncio.CancelledError] * 10
    with pytest.raises(RuntimeClosed, match="cannot post"):
        loop.post(print)
    with pytest.raises(RuntimeClosed, match="cannot post"):
        loop.spawn(forever(), name="late", done=None)


@pytest.mark.parametrize("kind", ["pool", "simulation"])
def test_a_job_cancelled_by_close_may_tell_an_actor_that_went_first(kind: str) -> None:
    runtime: Runtimes = PoolRuntime() if kind == "pool" else SimRuntime(1)
    reported: list[Failure] = []
    runtime.on_failure(reported.append)
    ref = runtime.start(Echo)
    told: list[BaseException | None] = []

    def done(error: BaseException | None, _result: Any) -> None:
        told.append(error)
        ref.tell("ended")

    async def forever() -> None:
        await asyncio.Event().wait()

    runtime.loop("test").spawn(forever(), name="forever", done=done)
    runtime.close(10)
    assert len(told) == 1
    assert not reported, "closing is no failure"


def test_a_job_that_will_not_be_cancelled_is_reported_and_the_loop_ends() -> None:
    pool = PoolRuntime()
    reported: list[Failure] = []
    pool.on_failure(reported.append)
    started = Outcome(pool)

    async def stubborn() -> None:
        started(None, None)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    loop = pool.loop("test")
    loop.spawn(stubborn(), name="stubborn", done=None)
    started.wait()
    loop.begin_close(0.01)
    loop.thread.join(10)
    assert not loop.thread.is_alive()
    pool.close(10)
    assert [failure.where for failure in reported] == [Where.LOOP]
    assert "'stubborn' went on" in str(reported[0].error)


def test_a_loop_names_the_job_that_holds_it_up(pool: PoolRuntime) -> None:
    loop = pool.loop("busy")
    holds, free = threading.Event(), threading.Event()

    async def block() -> None:
        holds.set()
        free.wait(10)

    assert loop.busy_with() is None
    done: Future[None] = Future()
    loop.spawn(block(), name="run 7.1", done=lambda *_: done.set_result(None))
    assert holds.wait(10)
    assert loop.busy_with() == "run 7.1"
    free.set()
    done.result(10)


@pytest.mark.parametrize("kind", ["pool", "simulation"])
def test_a_job_that_is_ending_already_closes_what_it_holds_with_the_help_of_its_tasks(kind: str) -> None:
    runtime: Runtimes = PoolRuntime() if kind == "pool" else SimRuntime(seed=1)
    told: list[str] = []

    async def hang_up() -> None:
        await asyncio.sleep(0.01)
        told.append("hung up")

    async def serve() -> None:
        helper = None
        try:
            await asyncio.Event().wait()
        finally:
            helper = asyncio.create_task(hang_up())
            await helper
            told.append("closed")

    job = runtime.loop("test").spawn(serve(), name="server", done=lambda *_: None)
    begun = Outcome(runtime)
    runtime.loop("test").spawn(asyncio.sleep(0), name="later", done=begun)
    begun.wait()
    job.cancel()
    runtime.close(10)
    assert told == ["hung up", "closed"]
