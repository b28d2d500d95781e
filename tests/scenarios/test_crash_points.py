"""Each story of `scripts.py` ends the same, whichever operation of disk or platform its process dies at."""

import pytest

from greenroom.supervisor.sandbox.exhausting import CALLS, LOSSES, points_of, tell, walk
from greenroom.supervisor.sandbox.scripts import SCRIPTS, SHORT, Script

by_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.row)
by_short_script = pytest.mark.parametrize(
    "script", [script for script in SCRIPTS if script.row in SHORT], ids=lambda script: script.row
)
EVERY = 12


@by_script
def test_a_story_ends_the_same_wherever_its_process_dies(script: Script) -> None:
    whole = tell(script)
    assert whole.operations > 10
    assert whole.calls
    points = list(points_of(whole, thin=True))
    assert {point.nth for point in points if point.death in LOSSES} == set(range(1, whole.operations + 1))
    assert len([point for point in points if point.death in CALLS]) == 2 * whole.calls
    for point in points:
        died = tell(script, [point])
        assert died.deaths == 1, point
        assert died.wrong == (), f"{point}:\n{died.story}"


def test_a_short_story_ends_the_same_when_its_process_dies_twice() -> None:
    (script,) = (script for script in SCRIPTS if script.row == "S065")
    for first in list(points_of(tell(script), thin=True))[::EVERY]:
        for second in list(points_of(tell(script, [first]), thin=True))[first.nth % EVERY :: EVERY]:
            died = tell(script, [first, second])
            assert died.deaths == 2
            assert died.wrong == (), f"{first}, then {second}:\n{died.story}"


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@by_short_script
def test_a_short_story_ends_the_same_with_every_pair_of_deaths(script: Script) -> None:
    assert list(walk(script, pairs=True)) == []
