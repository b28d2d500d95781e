"""Stories of a disk that refuses, in which bugs show themselves; see `stories.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.actors.model import SessionId
from greenroom.storage.faulty_disk import FaultKind
from greenroom.supervisor.sandbox.scenario import Accident

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.scenario import Scenario


def writes_to_a_disk_that_refuses(told: Scenario, _: int) -> None:
    """The disk is full for a while, and a person writes twice."""
    told.says("m0 answer")
    told.advance(5)
    told.disk_fails(FaultKind.FULL, "write", times=None)
    for text in ("m1 answer", "m2 answer"):
        told.says(text)
        told.advance(20)
    told.disk_heals()


def writes_to_a_disk_that_cannot_be_read(told: Scenario, _: int) -> None:
    """Nobody can say whose database it is, until the disk heals."""
    told.says("m0 answer")
    told.advance(5)
    told.disk_fails(FaultKind.IO_ERROR, "write", times=None)
    told.disk_fails(FaultKind.IO_ERROR, "read", times=None)
    told.says("m1 answer")
    told.advance(20)
    told.disk_heals()


def dies_with_a_run_that_waits_for_the_disk(told: Scenario, _: int) -> None:
    """Its answer, and the run for what was said meanwhile, are written together, when the disk works again."""
    told.says("m1 nap answer")
    told.advance(1)
    told.says("m2 answer")
    told.advance(1)
    told.disk_fails(FaultKind.IO_ERROR, "write", times=None)
    told.advance(2)
    told.accident(Accident.SESSION_RAISES)
    told.advance(5)
    told.disk_heals()


def adds_while_the_disk_refuses(told: Scenario, _: int) -> None:
    """Its agent says more after its answer, and its actor is about to rest, when something waits to be written."""
    told.says("m1 adding")
    told.advance(0.5)
    told.disk_fails(FaultKind.IO_ERROR, "write", times=None)
    if told.life is not None:
        told.life.core.operations.release(SessionId(1), lambda _: None)
    told.advance(3)
    told.disk_heals()
