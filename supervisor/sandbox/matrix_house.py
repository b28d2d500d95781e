"""Fills the table for this house: each step and each disk operation of a turn is a moment at which it is cut off.

The process is killed, or the power fails and the disk keeps nothing, or anything, of what was not synced. Where in the
table a run belongs is read from what it left behind, so no moment is aimed at, and none is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from msgspec.structs import replace

from greenroom.actors.model import DeliveryClass, ToolPolicy
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.storage.faulty_disk import Loss
from greenroom.supervisor.sandbox.invariants import PLACEHOLDER
from greenroom.supervisor.sandbox.matrix import EDITING, TOOL_POINTS, Column, Point, Run, tally
from greenroom.supervisor.sandbox.matrix_turn import TOKEN, AnswerLost, CutInWriting, Killed, Moment, Story

LOST_ANSWERS = (PlatformFault.BREAKS_AFTER, PlatformFault.HANGS_AFTER)
SYSTEM = "greenroom"
SEED = 1
"""Of the undisturbed turn that tells where the moments are."""


def try_house(*, every: int = 1) -> Iterator[Run]:
    """Cut off a turn at every nth moment, on each kind of platform; row D with a tool of each policy."""
    for platform in DeliveryClass:
        for policy in ToolPolicy:
            for moment, seed in _moments(platform, policy, every):
                run = Story(platform, policy, seed=seed).tell(moment)
                if run is not None:
                    yield replace(run, moment=f"{moment}, seed {seed}")


def column(runs: Iterator[Run]) -> Column:
    """The house's column, held to its promises."""
    return tally(SYSTEM, version("greenroom"), runs, DeliveryClass, promises=True)


def _moments(platform: DeliveryClass, policy: ToolPolicy, every: int) -> Iterator[tuple[Moment, int]]:
    """Each nth moment, with a seed of its own, so that the house goes another way each time.

    No thinning leaves out lost answers and the first step of each point; that is only true of the seed it was seen in.
    """
    points, operations = Story(platform, policy, SEED).measure()
    here = [number for number, point in enumerate(points) if _concerns(point, policy)]
    kills = [Killed(steps, loss) for steps in here for loss in Loss]
    firsts = [Killed(steps) for steps in here if steps == 0 or points[steps] is not points[steps - 1]]
    yield from ((first, SEED) for first in firsts)
    yield from ((kill, SEED + number) for number, kill in enumerate(kills[::every], 1))
    if policy is not ToolPolicy.ONCE:
        return
    cuts = [CutInWriting(operation, loss) for operation in range(1, operations + 1) for loss in Loss]
    yield from ((cut, SEED + number) for number, cut in enumerate(cuts[::every], 1))
    texts = (PLACEHOLDER, TOKEN) if platform in EDITING else (TOKEN,)
    yield from ((AnswerLost(fault, text), SEED) for fault in LOST_ANSWERS for text in texts)


def _concerns(point: Point, policy: ToolPolicy) -> bool:
    """Only row D depends on the policy; all other rows are tried with one."""
    return policy is ToolPolicy.ONCE or point is TOOL_POINTS[policy]
