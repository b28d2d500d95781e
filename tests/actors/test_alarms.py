"""Many deadlines behind one timer: what is due is told once, what was cancelled never."""

import gc
from collections.abc import Iterator
from types import MethodType

import pytest

from greenroom.actors.alarms import Alarms
from greenroom.actors.simulation import SimRuntime


class Owner:
    """What an actor does with its alarms, without the actor."""

    def __init__(self, runtime: SimRuntime) -> None:
        self.runtime = runtime
        self.alarms: Alarms[str] = Alarms(runtime, self._ring)
        self.heard: list[tuple[float, str]] = []
        self.rings = 0

    def _ring(self) -> None:
        self.rings += 1
        self.heard += [(round(self.runtime.clock.monotonic(), 3), event) for event in self.alarms.due()]

    def wait(self, until_s: float) -> None:
        self.runtime.run(until_s=until_s)


@pytest.fixture
def owner() -> Iterator[Owner]:
    runtime = SimRuntime(0)
    yield Owner(runtime)
    runtime.close(1)


def test_each_deadline_is_told_at_its_time(owner: Owner) -> None:
    owner.alarms.set("late", 3.0, "c")
    owner.alarms.set("early", 1.0, "a")
    owner.alarms.set("between", 2.0, "b")
    owner.wait(10.0)
    assert owner.heard == [(1.0, "a"), (2.0, "b"), (3.0, "c")]
    assert len(owner.alarms) == 0


def test_deadlines_of_one_moment_are_told_by_one_ring(owner: Owner) -> None:
    owner.alarms.set("first", 1.0, "a")
    owner.alarms.set("second", 1.0, "b")
    owner.wait(10.0)
    assert owner.heard == [(1.0, "a"), (1.0, "b")]
    assert owner.rings == 1


def test_a_cancelled_deadline_is_never_told_and_the_others_are(owner: Owner) -> None:
    owner.alarms.set("gone", 1.0, "a")
    owner.alarms.set("kept", 2.0, "b")
    owner.alarms.cancel("gone")
    owner.alarms.cancel("never set")
    owner.wait(10.0)
    assert owner.heard == [(2.0, "b")]


def test_a_deadline_set_again_is_told_once_at_its_last_time(owner: Owner) -> None:
    owner.alarms.set("silence", 1.0, "a")
    owner.alarms.set("silence", 5.0, "b")
    owner.wait(10.0)
    assert owner.heard == [(5.0, "b")]


def test_a_deadline_moved_to_earlier_is_told_earlier(owner: Owner) -> None:
    owner.alarms.set("silence", 5.0, "a")
    owner.alarms.set("silence", 1.0, "b")
    owner.wait(10.0)
    assert owner.heard == [(1.0, "b")]


def test_runs_that_are_over_quickly_share_one_timer(owner: Owner) -> None:
    for _ in range(100):
        owner.alarms.set("placeholder", 1.0, "a")
        owner.alarms.set("notice", 60.0, "b")
        owner.alarms.cancel("placeholder")
        owner.alarms.cancel("notice")
    owner.wait(100.0)
    assert owner.rings == 1
    assert owner.heard == []


def test_what_is_set_after_a_ring_that_told_nothing_is_told(owner: Owner) -> None:
    owner.alarms.set("gone", 1.0, "a")
    owner.alarms.cancel("gone")
    owner.wait(2.0)
    owner.alarms.set("next", 1.0, "b")
    owner.wait(10.0)
    assert owner.heard == [(3.0, "b")]


def test_alarms_that_end_hold_nobody(owner: Owner) -> None:
    owner.alarms.end()
    assert not [held for held in gc.get_referrers(owner) if isinstance(held, MethodType)]


def test_alarms_that_end_leave_no_timer_behind(owner: Owner) -> None:
    owner.alarms.set("any", 1.0, "a")
    owner.alarms.end()
    assert len(owner.runtime.timers) == 0
    owner.wait(10.0)
    assert owner.rings == 0


@pytest.mark.parametrize("after_s", [0.1, 1 / 3, 1e9 + 0.1, 0.0])
def test_rounding_never_lets_a_deadline_ring_for_ever(owner: Owner, after_s: float) -> None:
    owner.wait(0.7)
    owner.alarms.set("first", after_s / 3, "a")
    owner.alarms.set("second", after_s, "b")
    owner.wait(2e9)
    assert [event for _, event in owner.heard] == ["a", "b"]
    assert owner.rings <= 3
