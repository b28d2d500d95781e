"""Keyed timers: the heap by itself, then on a thread. (In simulation: test_simulation.py.)"""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.runtime import Failure, RuntimeClosed, Where
from greenroom.actors.timers import TimerHeap


def nothing() -> None:
    pass


def drain(heap: TimerHeap, now: float) -> list[object]:
    rung = []
    while (due := heap.pop_due(now)) is not None:
        rung.append(due[0])
    return rung


def test_timers_ring_in_the_order_they_are_due() -> None:
    heap = TimerHeap()
    for key, at in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        heap.arm(key, at, nothing)
    assert drain(heap, 2.0) == ["a", "b"]
    assert heap.next_at() == 3.0


def test_timers_of_one_moment_ring_in_the_order_they_were_armed() -> None:
    heap = TimerHeap()
    for key in "zyx":
        heap.arm(key, 1.0, nothing)
    assert drain(heap, 1.0) == ["z", "y", "x"]


def test_arming_a_key_again_replaces_its_timer() -> None:
    heap = TimerHeap()
    heap.arm("k", 1.0, nothing)
    heap.arm("k", 5.0, nothing)
    assert drain(heap, 4.0) == []
    assert drain(heap, 5.0) == ["k"]


def test_a_cancelled_timer_never_rings_and_is_cancelled_once() -> None:
    heap = TimerHeap()
    heap.arm("k", 1.0, nothing)
    assert heap.cancel("k")
    assert not heap.cancel("k")
    assert drain(heap, 9.0) == []
    assert heap.next_at() == float("inf")


def test_cancelled_entries_do_not_pile_up() -> None:
    heap = TimerHeap()
    for n in range(100_000):
        heap.arm(n, 1.0, nothing)
    for n in range(100_000):
        heap.cancel(n)
    assert len(heap) == 0
    assert heap.entries <= 2_048


def test_dead_entries_do_not_pile_up() -> None:
    heap = TimerHeap()
    for n in range(100_000):
        heap.arm("the only key", float(n), nothing)
    assert len(heap) == 1
    assert heap.entries < 2_000


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.integers(0, 20)))))
def test_the_heap_agrees_with_a_plain_dictionary(operations: list[tuple[str, int | None]]) -> None:
    heap = TimerHeap()
    model: dict[str, tuple[int, int]] = {}
    for turn, (key, at) in enumerate(operations):
        if at is None:
            assert heap.cancel(key) == (model.pop(key, None) is not None)
        else:
            heap.arm(key, float(at), nothing)
            model[key] = (at, turn)
        assert heap.next_at() == min((float(at) for at, _ in model.values()), default=float("inf"))
    assert drain(heap, 99.0) == sorted(model, key=lambda key: model[key])


def test_a_thread_rings_each_timer_once_and_in_order(pool: PoolRuntime) -> None:
    rung: list[str] = []
    done, held, all_armed = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        all_armed.wait(10)

    pool.timers.arm("hold the thread until all are armed", 0, hold)
    assert held.wait(10)
    pool.timers.arm("last", 0.03, done.set)
    pool.timers.arm("second", 0.02, lambda: rung.append("second"))
    pool.timers.arm("first", 0.01, lambda: rung.append("first"))
    pool.timers.arm("replaced", 0.001, lambda: rung.append("never"))
    pool.timers.arm("replaced", 0.025, lambda: rung.append("third"))
    pool.timers.arm("cancelled", 0.015, lambda: rung.append("never"))
    assert pool.timers.cancel("cancelled")
    all_armed.set()
    assert done.wait(10)
    assert rung == ["first", "second", "third"]


def test_an_earlier_timer_wakes_the_thread(pool: PoolRuntime) -> None:
    pool.timers.arm("far", 3_600, nothing)
    rung = threading.Event()
    pool.timers.arm("near", 0.001, rung.set)
    assert rung.wait(10)


def test_a_timer_that_raises_is_reported_and_the_next_one_rings(pool: PoolRuntime) -> None:
    reported: list[Failure] = []
    pool.on_failure(reported.append)
    rung = threading.Event()

    def broken() -> None:
        raise SystemExit

    pool.timers.arm(("broken", 1), 0.0, broken)
    pool.timers.arm("after", 0.001, rung.set)
    assert rung.wait(10)
    assert [(failure.where, failure.actor, failure.stopped) for failure in reported] == [
        (Where.TIMER, "('broken', 1)", False)
    ]


def test_a_closed_runtime_arms_nothing() -> None:
    runtime = PoolRuntime()
    runtime.timers.arm("k", 3_600, nothing)
    runtime.close(10)
    assert not len(runtime.timers)
    with pytest.raises(RuntimeClosed, match="cannot arm timer 'k'"):
        runtime.timers.arm("k", 1, nothing)
