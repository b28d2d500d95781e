"""Each kind of fault that is named is truly done to the process, and counted when it strikes."""

import random
from collections import Counter

import pytest

from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.faults import Accident, Ending
from greenroom.supervisor.sandbox.mishaps import Mishaps
from greenroom.supervisor.sandbox.scenario import Scenario
from greenroom.supervisor.sandbox.simulator import simulate

KINDS_MIN = 25
SEEDS = 60
COMMON = {
    *(ending.value for ending in Ending),
    "chat: an update comes again",
    "chat: written while the process is down",
    "chat: updates come in another order",
    "platform: hangs_before",
    "platform: hangs_after",
    "platform: breaks_before",
    "platform: breaks_after",
    "platform: not_sent",
    "platform: retry_later",
    "platform: exits",
    "agent: kills the process",
    "agent: killed after a tool's effect",
}
"""What is so frequent that a few seeds must show it."""


def live_with(accident: Accident, dice: random.Random) -> Counter[str]:
    """A story in which everything that may be hit is at work."""
    with Scenario(policy=Policy(idle_s=0.0)) as room:
        mishaps = Mishaps(room.world, room.accidents)
        for number in range(1, 4):
            assert room.life is not None
            assert room.life.owned is not None
            mishaps.remember(room.life.owned.port.epoch)
            room.says(f"m{number} say nap pure answer", id=f"u{number}")
            room.advance(1)
            if number == 2:
                mishaps.happen(room.life, accident, dice)
                room.says("m9 answer", 2, id="u9")
            room.advance(30)
            room.drain()
            room.boot()
        room.rest()
        assert room.broken() == []
        return room.world.faults


@pytest.mark.parametrize("accident", Accident)
def test_each_accident_strikes_and_nothing_breaks(accident: Accident) -> None:
    faults: Counter[str] = Counter()
    for seed in range(3):
        faults += live_with(accident, random.Random(seed))
    assert faults[accident.value] > 0


def test_a_few_seeds_show_the_common_kinds() -> None:
    faults: Counter[str] = Counter()
    for seed in range(SEEDS):
        faults += simulate(seed).faults
    assert set(faults) >= COMMON
    assert len(faults) >= KINDS_MIN
