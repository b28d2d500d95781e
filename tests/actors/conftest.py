"""The two worlds an actor may live in; a test that takes `runtime` runs in both."""

from collections.abc import Iterator

import pytest

from greenroom.actors.pool import PoolRuntime
from greenroom.actors.runtime import Failure
from greenroom.actors.simulation import SimRuntime


@pytest.fixture
def pool() -> Iterator[PoolRuntime]:
    runtime = PoolRuntime()
    yield runtime
    runtime.close(10)


@pytest.fixture
def simulation() -> Iterator[SimRuntime]:
    runtime = SimRuntime(seed=7)
    yield runtime
    runtime.close(10)


@pytest.fixture(params=["pool", "simulation"])
def runtime(request: pytest.FixtureRequest) -> PoolRuntime | SimRuntime:
    made: PoolRuntime | SimRuntime = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def failures(runtime: PoolRuntime | SimRuntime) -> list[Failure]:
    """What is reported; complete once the actor that failed has answered, with a value or `ActorDeadError`."""
    reported: list[Failure] = []
    runtime.on_failure(reported.append)
    return reported
