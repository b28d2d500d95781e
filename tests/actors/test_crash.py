"""A simulated crash: what dies with the process, and that nothing of it reaches the next one."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from tests.actors.test_simulation import Writer

from greenroom.actors.pooled import PooledActor
from greenroom.actors.runtime import Failure
from greenroom.actors.simulation import SimRuntime


class Mortal(PooledActor):
    def __init__(self, diary: list[str], lines: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.diary = diary
        self.lines = lines

    def on_stop(self) -> None:
        self.diary.append("on_stop")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self.diary.append("on_failure")

    def on_receive(self, message: Any) -> Any:
        if self.lines is not None:
            self.lines()
        self.diary.append(str(message))
        return message


def test_a_crash_loses_actors_mail_timers_and_coroutines_without_a_word() -> None:
    simulation = SimRuntime(3)
    diary: list[str] = []
    ref = simulation.start(Mortal, diary)

    async def agent() -> None:
        await asyncio.sleep(1)
        diary.append("agent")

    simulation.loop("a").spawn(agent(), name="agent", done=lambda *_: diary.append("done"))
    simulation.timers.arm("k", 1, lambda: diary.append("timer"))
    simulation.run(until_s=0.5)
    ref.tell("mail")
    pending = ref.ask("mail", block=False)
    simulation.crash()
    simulation.run()
    assert not diary
    assert not ref.is_alive()
    assert not simulation.living
    with pytest.raises(pykka.ActorDeadError):
        pending.get(timeout=1)
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")


def test_the_next_process_starts_in_the_same_world() -> None:
    simulation = SimRuntime(3)
    simulation.advance(10)
    before = simulation.loop("a")
    simulation.crash()
    assert simulation.now == 10
    diary: list[str] = []
    assert simulation.start(Mortal, diary).ask("up", timeout=1) == "up"
    simulation.timers.arm("k", 1, lambda: diary.append("timer"))
    assert simulation.loop("a") is not before
    simulation.loop("a").post(diary.append, "posted")
    simulation.run()
    assert diary == ["up", "posted", "timer"]
    simulation.close(1)


def test_nothing_a_dying_coroutine_does_reaches_the_next_process() -> None:
    simulation = SimRuntime(3)
    diary: list[str] = []
    old = simulation.start(Mortal, diary)
    tried: list[str] = []

    def attempt(what: str, fn: Callable[[], object]) -> None:
        try:
            fn()
        except Exception as error:
            tried.append(f"{what}: {type(error).__name__}")
        else:
            tried.append(f"{what}: done")

    async def agent() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            attempt("tell", lambda: old.tell("last words"))
            attempt("start", lambda: simulation.start(Mortal, diary))
            attempt("arm", lambda: simulation.timers.arm("k", 0, lambda: diary.append("timer")))
            attempt("post", lambda: loop.post(diary.append, "posted"))
            attempt("loop", lambda: simulation.loop("b"))
            await asyncio.sleep(0)
            tried.append("never here")

    loop = simulation.loop("a")
    loop.spawn(agent(), name="agent", done=lambda *_: diary.append("done"))
    simulation.run()
    simulation.crash()
    simulation.run()
    assert tried == [
        "tell: ActorDeadError",
        "start: ActorDeadError",
        "arm: ActorDeadError",
        "post: RuntimeClosed",
        "loop: ActorDeadError",
    ]
    assert not diary


def test_a_crash_in_the_middle_of_a_message_lets_nothing_of_it_out() -> None:
    simulation = SimRuntime(3)
    diary: list[str] = []
    reported: list[Failure] = []
    simulation.on_failure(reported.append)
    other = simulation.start(Mortal, diary)

    def die() -> None:
        simulation.crash()
        other.tell("from beyond")

    ref = simulation.start(Mortal, diary, die)
    with pytest.raises(pykka.ActorDeadError, match="crashed"):
        ref.ask("last", timeout=1)
    assert not diary
    assert not reported
    assert simulation.start(Mortal, diary).ask("new", timeout=1) == "new"


def test_a_crash_in_the_middle_of_a_coroutine_ends_it_there() -> None:
    simulation = SimRuntime(3)
    diary: list[str] = []

    async def agent() -> None:
        simulation.crash()
        try:
            await asyncio.sleep(1)
            diary.append("went on")
        finally:
            with pytest.raises(pykka.ActorDeadError):
                simulation.timers.arm("k", 0, lambda: diary.append("rang"))

    simulation.loop("a").spawn(agent(), name="agent", done=lambda *_: diary.append("done"))
    simulation.run()
    assert not diary
    simulation.start(Mortal, diary).ask("new", timeout=1)
    assert diary == ["new"]


def test_a_coroutine_that_ran_at_the_crash_is_closed_before_the_next_step() -> None:
    simulation = SimRuntime(3)
    diary: list[str] = []

    async def agent() -> None:
        simulation.crash()
        try:
            await asyncio.Event().wait()
        finally:
            diary.append("closed")

    coroutine = agent()
    simulation.loop("a").spawn(coroutine, name="agent", done=lambda *_: diary.append("done"))
    simulation.run(max_steps=2)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    assert diary == ["closed"]


def test_a_crash_is_part_of_a_repeatable_run() -> None:
    def run(seed: int) -> str:
        simulation = SimRuntime(seed)
        for _ in range(3):
            for name in "abc":
                simulation.start(Writer, name, []).tell(1)
            simulation.loop("a").spawn(asyncio.sleep(1), name="s", done=None)
            simulation.run(max_steps=simulation.random.randrange(5))
            simulation.crash()
        return simulation.trace_hash()

    assert [run(seed) for seed in range(10)] == [run(seed) for seed in range(10)]


def test_close_runs_on_stop_and_ends_coroutines() -> None:
    simulation = SimRuntime(3)
    diary: list[str] = []
    simulation.start(Mortal, diary)

    async def agent() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            diary.append("finally")

    simulation.loop("a").spawn(agent(), name="agent", done=None)
    simulation.run()
    simulation.close(5)
    assert sorted(diary) == ["finally", "on_stop"]
