"""Answers on their way to an asyncio loop: all arrive, and a crowd of them wakes it once."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from greenroom.supervisor.reception import called_back

MANY = 100


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often other threads wake it."""

    wakings = 0

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> asyncio.Handle:  # type: ignore[override]
        self.wakings += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def answer_from_a_thread(calls: list[Callable[[object], None]]) -> None:
    def answer() -> None:
        for number, then in enumerate(calls):
            then(number)

    thread = threading.Thread(target=answer)
    thread.start()
    thread.join()  # The loop stands still meanwhile: nothing arrives before all are on their way.


def test_all_that_one_commit_answers_arrives_by_one_wake_up() -> None:
    async def ask_many() -> list[Any]:
        calls: list[Callable[[object], None]] = []
        asking = [asyncio.ensure_future(called_back(calls.append)) for _ in range(MANY)]
        await asyncio.sleep(0)
        answer_from_a_thread(calls)
        return await asyncio.gather(*asking)

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(ask_many()) == list(range(MANY))
        loop = runner.get_loop()
        assert isinstance(loop, CountingLoop)
        assert loop.wakings == 1


def test_whoever_gave_up_delays_nobody() -> None:
    async def ask_twice() -> Any:
        calls: list[Callable[[object], None]] = []
        given_up = asyncio.ensure_future(called_back(calls.append))
        waiting = asyncio.ensure_future(called_back(calls.append))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        answer_from_a_thread(calls)
        return await waiting

    assert asyncio.run(ask_twice()) == 1


def test_an_answer_to_a_loop_that_is_gone_is_dropped() -> None:
    calls: list[Callable[[object], None]] = []

    async def leave() -> None:
        asking = asyncio.ensure_future(called_back(calls.append))
        await asyncio.sleep(0)
        asking.cancel()

    asyncio.run(leave())
    calls[0]("too late")
