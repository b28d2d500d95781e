"""A long conversation of a model with tools ends the same, wherever its process dies."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

import pytest
from llmock.testing import LLMockServer
from tests.platforms.agents.model_story import BlockingWire, ModelScript

from greenroom.actors.model import ToolPolicy
from greenroom.supervisor.sandbox.exhausting import Point, points_of, tell
from greenroom.supervisor.sandbox.scripts import Line, play, told

LINES = (Line(0, "m1 please"), Line(10, "m2 please"), Line(20, "m3 please"))
LIKE = "S137"
EVERY = 149
"""One point in so many is tried when there is no time for all."""

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <coroutine object drain_response_async:pytest.PytestUnraisableExceptionWarning"
)
"""A process that is killed leaves a stream to the collector, on which the library cannot hang up any more."""


@pytest.fixture(scope="module")
def wire() -> Iterator[BlockingWire]:
    wire = BlockingWire()
    yield wire
    wire.close()


@pytest.fixture(params=[True, False], ids=["goes on from what it sees", "calls it all again"])
def script(request: pytest.FixtureRequest, llmock_server: LLMockServer, wire: BlockingWire) -> ModelScript:
    return ModelScript(LIKE, LINES, server=llmock_server, wire=wire, looks=request.param)


def test_undisturbed_each_tool_does_its_work_once_and_each_message_is_answered(script: ModelScript) -> None:
    with script.make() as room:
        play(room, script)
        assert told(room, script) == []
        assert [room.effects(policy.value) for policy in (ToolPolicy.PURE, ToolPolicy.KEYED, ToolPolicy.ONCE)] == [
            3
        ] * 3
        assert room.visible() == [f"Looking.\n\nPaying.\n\nAll of it <m{n}>." for n in (1, 2, 3)]


def test_killed_anywhere_it_answers_once_and_no_tool_is_called_twice_that_must_not_be(script: ModelScript) -> None:
    check(script, list(points_of(tell(script), thin=True))[EVERY // (2 + script.looks) :: EVERY])


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_killed_at_every_operation_of_disk_and_platform(script: ModelScript) -> None:
    check(script, list(points_of(tell(script), thin=True)))


def check(script: ModelScript, points: Sequence[Point]) -> None:
    assert points
    for point in points:
        died = tell(script, [point])
        assert died.deaths == 1, point
        assert died.wrong == (), f"{point}:\n{died.story}"
    gc.collect()
