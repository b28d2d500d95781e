"""The simulator finds nothing in the house that stands, and finds the same for the same seed."""

import pytest

from greenroom.supervisor.sandbox.scenario import Accident, Scenario
from greenroom.supervisor.sandbox.simulator import simulate

PARTS = 4
SEEDS = 100

MENDED = {
    86: "a drain that was ordered while the store was being opened again was forgotten",
    110: "the same, after an accident in the tree",
    5054: "the power failed while somebody looked whether promises were kept, and that broke the simulator",
    403: "a storage actor that died of the order to finish made the host's own close raise",
    1756008435: "nothing, and the simulator complained: on a disk that takes 20 s a write a drain took more than 120 s",
}
"""Seeds that found something, and what. Each part of a seed has dice of its own since, so that the worlds are others now."""


@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_is_kept_in_the_first_seeds(part: int) -> None:
    for seed in range(part, SEEDS, PARTS):
        assert simulate(seed).violations == (), f"seed {seed}"


@pytest.mark.parametrize("seed", MENDED)
def test_what_a_seed_found_stays_mended(seed: int) -> None:
    assert simulate(seed).violations == (), MENDED[seed]


def test_a_drain_that_is_ordered_while_the_store_is_opened_again_begins_when_that_is_done() -> None:
    with Scenario() as room:
        assert room.life is not None
        core = room.life.core
        room.accident(Accident.STORAGE_RAISES)
        room.says("m1 answer")
        room.until(lambda: core.store is None)
        room.order_drain()
        room.rest()
        assert room.life.over == "drained"


def test_the_same_seed_is_the_same_run() -> None:
    for seed in range(5):
        assert simulate(seed).trace == simulate(seed, history=True).trace
