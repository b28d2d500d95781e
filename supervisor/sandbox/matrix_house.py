"""Fills the table for this house: each step and each disk operation of a turn is a moment at which it is cut off.

The process is killed, or the power fails and the disk keeps nothing, or anything, of what was not synced. Where in the
table a run belongs is read from what it left behind, so no moment is aimed at, and none is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from greenroom.actors.model import DeliveryClass, ToolPolicy
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.storage.faulty_disk import Loss
from greenroom.supervisor.sandbox.invariants import PLACEHOLDER
from greenroom.supervisor.sandbox.matrix import EDITING, TOOL_POINTS, Column, Point, Run, tally
from greenroom.supervisor.sandbox.matrix_turn import TOKEN, AnswerLost, CutInWriting, Killed, Moment, Story

LOST_ANSWERS = (PlatformFault.BREAKS_AFTER, PlatformFault.HANGS_AFTER)
SYSTEM = "greenroom"


def try_house(*, every: int = 1) -> Iterator[Run]:
    """Cut off a turn at every nth moment, on each kind of platform; row D with a tool of each policy."""
    for platform in DeliveryClass:
        for policy in ToolPolicy:
            for number, moment in enumerate(_moments(platform, policy, every)):
                run = Story(platform, policy, seed=number + 1).tell(moment)
                if run is not None:
                    yield run


def column(runs: Iterator[Run]) -> Column:
    """The house's column, held to its promises."""
    return tally(SYSTEM, version("greenroom"), runs, DeliveryClass, promises=True)


def _moments(platform: DeliveryClass, policy: ToolPolicy, every: int) -> tuple[Moment, ...]:
    """Each nth moment, and those that no thinning leaves out: the first step of each point, and lost answers."""
    points, operations = Story(platform, policy).measure()
    here = [number for number, point in enumerate(points) if _concerns(point, policy)]
    kills = [Killed(steps, loss) for steps in here for loss in Loss]
    firsts = [Killed(steps) for steps in here if steps == 0 or points[steps] is not points[steps - 1]]
    if policy is not ToolPolicy.ONCE:
        return tuple(dict.fromkeys((*firsts, *kills[::every])))
    cuts = [CutInWriting(operation, loss) for operation in range(1, operations + 1) for loss in Loss]
    texts = (PLACEHOLDER, TOKEN) if platform in EDITING else (TOKEN,)
    losses = [AnswerLost(fault, text) for fault in LOST_ANSWERS for text in texts]
    return tuple(dict.fromkeys((*losses, *firsts, *kills[::every], *cuts[::every])))


def _concerns(point: Point, policy: ToolPolicy) -> bool:
    """Only row D depends on the policy; all other rows are tried with one."""
    return policy is ToolPolicy.ONCE or point is TOOL_POINTS[policy]
