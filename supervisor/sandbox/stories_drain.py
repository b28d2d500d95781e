"""Stories of an orderly end, in which the bugs of the field show themselves; see `stories.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.supervisor.sandbox.stories import is_still_checked

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.scenario import Scenario


def drained_at_work(told: Scenario, _: int) -> None:
    """The process is told to end while a run lasts that takes longer than the drain."""
    told.says("m1 doze answer")
    told.advance(5)
    told.drain()
    told.boot()
    told.until(lambda: told.life is not None and told.life.began)
    is_still_checked(told)


def hurried_at_work(told: Scenario, _: int) -> None:
    """The process is told to end, and told again at once."""
    told.says("m1 doze answer")
    told.advance(5)
    told.order_drain()
    told.drain()
    told.boot()
    told.until(lambda: told.life is not None and told.life.began)
    is_still_checked(told)


def drained_between_two_runs(told: Scenario, seed: int) -> None:
    """One run has just ended, and the next is being written down; nothing is owed that could be sent."""
    told.advance(1)
    told.disconnects()
    told.says("m1 doze answer")
    told.advance(1)
    told.says("m2 doze answer")
    told.until(lambda: "ends with 'answer <m1>'" in told.history())
    told.steps(seed % 5)
    told.drain()
    told.boot()
    told.until(lambda: told.life is not None and told.life.began)
    is_still_checked(told)


def drained_with_a_queue(told: Scenario, _: int) -> None:
    """A message waits for the run before it when the process is told to end."""
    told.says("m1 stubborn")
    told.advance(1)
    told.says("m2 answer")
    told.advance(1)
    told.order_drain()
    told.advance(60)
    told.crash()


def drained_while_a_run_waits(told: Scenario, _: int) -> None:
    """An agent goes on after it has concluded, and the next run waits for it when the drain begins."""
    told.says("m1 lingering")
    told.advance(2)
    told.says("m2 answer")
    told.advance(1)
    told.order_drain()
    told.advance(60)
    told.crash()


def drained_after_a_notice(told: Scenario, _: int) -> None:
    """The process is told to end while a run lasts of which its person hears that it lasts."""
    told.says("m1 doze answer")
    told.advance(22)
    told.order_drain()
    told.advance(45)
    told.crash()
