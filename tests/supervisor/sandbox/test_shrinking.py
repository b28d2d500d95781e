"""A seed that fails is told with little: the same promise stays broken, and nothing more can be left out."""

import pytest

from greenroom.supervisor.sandbox.happening import Kind
from greenroom.supervisor.sandbox.mutant import Mutant, planted
from greenroom.supervisor.sandbox.mutants import named
from greenroom.supervisor.sandbox.shrinking import KeepsItsPromises, Shrunk, shrink
from greenroom.supervisor.sandbox.simulator import simulate

SEEDS = 150
PARTS_MAX = 9
LINES_MAX = 100

BUGS = [
    mutant
    for name in ("decisions not stored", "acknowledge before commit", "recovery note twice", "attempt counted after")
    for mutant in named(name)
]


def failing_seed() -> int:
    """A seed with much in it, so that there is something to leave out."""
    for seed in range(SEEDS):
        report = simulate(seed)
        if report.violations and len(report.parts) > 2 * PARTS_MAX:
            return seed
    pytest.fail(f"no seed of {SEEDS} finds it")


def breaks(shrunk: Shrunk, *more: str) -> bool:
    report = simulate(shrunk.seed, omitted=(*shrunk.omitted, *more))
    return shrunk.invariant in {each.invariant for each in report.violations}


def test_there_are_bugs_to_shrink() -> None:
    assert len(BUGS) == 4


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_told_as_a_short_story(bug: Mutant) -> None:
    with planted(bug):
        seed = failing_seed()
        shrunk = shrink(seed)
        assert 0 < len(shrunk.report.parts) <= PARTS_MAX, shrunk.report.parts
        assert len(shrunk.report.history) <= LINES_MAX
        assert shrunk.report.history[-1].kind is Kind.BROKEN
        assert breaks(shrunk)
        assert not any(breaks(shrunk, part) for part in shrunk.report.parts)
        again = simulate(seed, omitted=shrunk.omitted)
        assert (again.trace, again.violations) == (shrunk.report.trace, shrunk.report.violations)
    assert not breaks(shrunk), "the house that stands breaks this promise too"


def test_who_shrinks_is_told_how_far_it_is() -> None:
    heard: list[tuple[int, int]] = []
    (bug,) = named("recovery note twice")
    with planted(bug):
        shrunk = shrink(failing_seed(), told=lambda tries, parts: heard.append((tries, parts)))
    assert [tries for tries, _ in heard] == list(range(1, shrunk.tries + 1))
    assert heard[-1][1] == len(shrunk.report.parts)


def test_a_seed_that_breaks_nothing_cannot_be_shrunk() -> None:
    with pytest.raises(KeepsItsPromises, match="breaks no promise"):
        shrink(0)
