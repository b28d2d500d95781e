"""Restarts: back-off, budget, and what survives on disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor.policy import Policy
from greenroom.supervisor.restarts import FRESH, WHY_MAX, Budget, GiveUp, RestartAfter, decide_restart

NOW = 1_800_000_000.0
POLICY = Policy(restart_backoff_s=1, restart_backoff_max_s=6)


def deaths(
    count: int, *, apart_s: float = 1.0, random_unit: float = 1.0, policy: Policy = POLICY
) -> list[RestartAfter | GiveUp]:
    budget, seen = FRESH, []
    for n in range(count):
        decision = decide_restart(budget, "boom", now=NOW + n * apart_s, policy=policy, random_unit=random_unit)
        seen.append(decision)
        budget = decision.budget if isinstance(decision, RestartAfter) else budget
    return seen


def test_the_delay_doubles_up_to_the_longest() -> None:
    delays = [it.delay_s for it in deaths(5) if isinstance(it, RestartAfter)]
    assert delays == [1, 2, 4, 6, 6]


def test_jitter_spreads_the_delay_over_its_upper_half() -> None:
    first = [decide_restart(FRESH, "boom", now=NOW, policy=POLICY, random_unit=unit) for unit in (0.0, 0.5)]
    assert [it.delay_s for it in first if isinstance(it, RestartAfter)] == [0.5, 0.75]


def test_the_sixth_death_in_the_window_is_the_last_and_says_why() -> None:
    *before, last = deaths(6)
    assert all(isinstance(it, RestartAfter) for it in before)
    assert isinstance(last, GiveUp)
    assert last.why.startswith("5 restarts in 60 s without progress, the limit is 5 (policy.restarts_max)")
    assert "boom" in last.why


def test_deaths_far_apart_are_each_the_first() -> None:
    assert {it.delay_s for it in deaths(50, apart_s=61) if isinstance(it, RestartAfter)} == {1}


def test_progress_gives_a_fresh_budget() -> None:
    spent = Budget(tuple(NOW - n for n in range(5)))
    assert isinstance(decide_restart(spent, "boom", now=NOW, policy=POLICY, random_unit=0), GiveUp)
    assert isinstance(decide_restart(FRESH, "boom", now=NOW, policy=POLICY, random_unit=0), RestartAfter)


def test_a_clock_that_was_set_back_gives_no_new_budget() -> None:
    ahead = Budget(tuple(NOW + 5000 + n for n in range(5)))
    assert isinstance(decide_restart(ahead, "boom", now=NOW, policy=POLICY, random_unit=0), GiveUp)


def test_a_large_limit_never_overflows_the_delay() -> None:
    policy = Policy(restarts_max=5000, restart_backoff_max_s=30)
    budget = Budget((NOW,) * 4999)
    assert decide_restart(budget, "boom", now=NOW, policy=policy, random_unit=0) == RestartAfter(
        15.0, budget.spent("boom", now=NOW, policy=policy)
    )


@given(st.lists(st.floats(1.0, 1e10), max_size=20), st.text(max_size=WHY_MAX))
def test_a_budget_survives_the_disk(restarts: list[float], failure: str) -> None:
    budget = Budget(tuple(sorted(restarts)), failure)
    assert Budget.from_json(budget.to_json(), now=1e10) == budget


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "null",
        "[]",
        "{",
        "3",
        '{"restarts": 3}',
        '{"restarts": [null, "x", NaN, true]}',
        '{"last_failure": 3}',
        "[" * 100_000,
    ],
)
def test_a_damaged_budget_reads_as_unspent(text: str | None) -> None:
    assert Budget.from_json(text, now=NOW) == FRESH


@given(st.lists(st.floats(0, 1e10), max_size=9), st.floats(0, 1e10), st.floats(0, 1, exclude_max=True))
def test_every_death_is_decided_and_what_is_remembered_is_bounded(
    restarts: list[float], now: float, unit: float
) -> None:
    decision = decide_restart(Budget(tuple(restarts)), "x" * 9999, now=now, policy=POLICY, random_unit=unit)
    if isinstance(decision, RestartAfter):
        assert 0.5 <= decision.delay_s <= 6
        assert len(decision.budget.restarts) <= POLICY.restarts_max
        assert len(decision.budget.last_failure) == WHY_MAX
