"""Ordinary asyncio code on virtual time, and nothing that leaves the process."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from greenroom.actors.runtime import Failure
from greenroom.actors.simulation import SimRuntime
from greenroom.actors.virtual_loop import NotSimulated


def run(simulation: SimRuntime, coroutine: Coroutine[Any, Any, Any]) -> Any:
    ended: list[tuple[BaseException | None, Any]] = []
    simulation.loop("test").spawn(coroutine, name="test", done=lambda error, result: ended.append((error, result)))
    simulation.run()
    [(error, result)] = ended
    if error is not None:
        raise error
    return result


def test_an_hour_of_sleep_takes_no_time(simulation: SimRuntime) -> None:
    async def work() -> float:
        await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    assert run(simulation, work()) == simulation.now == 3_600


def test_timeouts_expire_in_virtual_time(simulation: SimRuntime) -> None:
    async def work() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100), 5)
        async with asyncio.timeout(5):
            return await asyncio.sleep(1, "in time")

    assert run(simulation, work()) == "in time"
    assert simulation.now == 11, "a timer that was cancelled holds up nothing"


def test_tasks_groups_events_queues_and_locks_work(simulation: SimRuntime) -> None:
    async def work() -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        ready, lock = asyncio.Event(), asyncio.Lock()

        async def produce() -> None:
            await ready.wait()
            for n in range(3):
                async with lock:
                    await queue.put(n)

        async def consume() -> list[int]:
            ready.set()
            return [await queue.get() for _ in range(3)]

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            consumer = group.create_task(consume())
        return consumer.result()

    assert run(simulation, work()) == [0, 1, 2]


def test_an_error_in_a_task_group_reaches_its_owner(simulation: SimRuntime) -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError("inside")

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(1_000))

    with pytest.raises(ExceptionGroup) as raised:
        run(simulation, work())
    assert raised.group_contains(ValueError, match="inside")
    assert simulation.now == 1, "the sleeping sister was cancelled"


def test_an_abandoned_async_generator_is_finished(simulation: SimRuntime) -> None:
    finished: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            finished.append("finished")

    async def work() -> None:
        async for _ in numbers():
            break

    run(simulation, work())
    assert finished == ["finished"]


def test_each_callback_is_a_step_of_its_own(simulation: SimRuntime) -> None:
    """Between any two steps of one coroutine something else may happen: that is what a simulation is for."""
    turns: list[int] = []

    async def work() -> None:
        for _ in range(3):
            turns.append(simulation.steps)
            await asyncio.sleep(0)

    run(simulation, work())
    assert len(set(turns)) == 3


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: asyncio.open_connection("127.0.0.1", 1),
        lambda: asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0),
        lambda: asyncio.create_subprocess_exec("true"),
        lambda: asyncio.create_subprocess_shell("true"),
    ],
)
def test_what_would_leave_the_process_is_refused(simulation: SimRuntime, attempt: Any) -> None:
    async def work() -> None:
        await attempt()

    with pytest.raises(NotSimulated, match="nothing leaves the process; use a simulated platform"):
        run(simulation, work())


def test_names_are_not_looked_up_and_signals_not_taken(simulation: SimRuntime) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(NotSimulated, match="no getaddrinfo"):
            await loop.getaddrinfo("localhost", 80)
        with pytest.raises(NotSimulated, match="no add_signal_handler"):
            loop.add_signal_handler(15, print)
        with pytest.raises(NotSimulated, match="no run_forever"):
            loop.run_forever()
        with pytest.raises(NotSimulated, match="no stop"):
            loop.stop()

    run(simulation, work())


def test_errors_nobody_retrieves_are_reported(simulation: SimRuntime) -> None:
    reported: list[Failure] = []
    simulation.on_failure(reported.append)

    def broken() -> None:
        raise ValueError("in a callback")

    async def work() -> None:
        asyncio.get_running_loop().call_soon(broken)
        await asyncio.sleep(0.1)

    run(simulation, work())
    assert [str(failure.error) for failure in reported] == ["in a callback"]


def test_two_loops_run_interleaved(simulation: SimRuntime) -> None:
    async def count(name: str) -> None:
        for _ in range(5):
            heard.append(name)
            await asyncio.sleep(0)

    orders = set()
    for seed in range(10):
        heard: list[str] = []
        simulated = SimRuntime(seed)
        for name in "ab":
            simulated.loop(name).spawn(count(name), name=name, done=None)
        simulated.run()
        orders.add("".join(heard))
    assert len(orders) > 3
