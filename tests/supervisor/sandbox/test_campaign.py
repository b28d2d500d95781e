"""Seeds are summed up, on one core or more, and what breaks is named with its seed."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.supervisor.cli.printed_types import check_printed
from typer.testing import CliRunner

from greenroom.supervisor.cli.main import app
from greenroom.supervisor.sandbox import campaign as campaigns
from greenroom.supervisor.sandbox.campaign import Finding, Tally, campaign, try_seed, try_seeds
from greenroom.supervisor.sandbox.simulator import simulate

WANTED = {"seeds", "violations", "seeds_per_minute", "crashes_per_seed", "fault_kinds"}


def last(tallies: Iterator[Tally]) -> Tally:
    return list(tallies)[-1]


def test_one_core_and_two_find_the_same() -> None:
    alone, shared = last(campaign(range(30))), last(campaign(range(30), jobs=2))
    assert alone.seeds == shared.seeds == 30
    assert (alone.crashes, alone.boots, alone.faults) == (shared.crashes, shared.boots, shared.faults)


def test_a_campaign_may_begin_anywhere() -> None:
    seeds = range(2**63 - 1, 2**63 + 1)
    alone = last(campaign(seeds))
    assert (alone.seeds, alone.findings) == (2, ())
    assert last(campaign(seeds, jobs=2)) == alone


def test_when_time_is_up_no_more_is_begun_and_what_was_is_told() -> None:
    assert [each.seeds for each in campaign(range(100), time_is_up=lambda: True)] == [1]
    shared = last(campaign(range(1_000), jobs=2, time_is_up=lambda: True))
    assert shared.seeds == 4 * campaigns.CHUNK  # What two processes had in hand.


def test_a_campaign_is_given_minutes_or_ends_with_its_last_seed() -> None:
    done = CliRunner().invoke(app, ["sandbox", "run", "--seeds", "1000", "--minutes", "0", "--json"])
    assert json.loads(done.stdout)["seeds"] == 1
    done = CliRunner().invoke(app, ["sandbox", "run", "--seeds", "2", "--minutes", "60", "--json"])
    assert json.loads(done.stdout)["seeds"] == 2


def test_progress_is_told_as_it_comes() -> None:
    assert [each.seeds for each in campaign(range(3))] == [1, 2, 3]


def test_a_seed_that_breaks_the_simulator_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int, *_: object) -> None:
        raise RuntimeError(f"seed {seed} is too much")

    monkeypatch.setattr(campaigns, "simulate", broken)
    assert try_seed(5).findings == (Finding(5, "nothing_escapes", "RuntimeError: seed 5 is too much"),)


def test_two_runs_that_differ_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = iter((1, 2))
    monkeypatch.setattr(campaigns, "simulate", lambda _seed, *_: simulate(next(seeds)))
    assert [each.invariant for each in try_seed(1, twice=True).findings] == ["same_seed_same_run"]


def test_the_summary_says_what_was_tried() -> None:
    total = Tally(seeds=10, crashes=25, faults=Counter(a=2, b=1), findings=(Finding(3, "order_is_kept", "here"),))
    summary = total.summary(seconds=2.0)
    assert (summary.seeds_per_minute, summary.crashes_per_seed, summary.fault_kinds) == (300, 2.5, 2)
    assert summary.violations == 1
    assert try_seeds(()) == Tally()


def test_the_command_prints_one_object_of_json() -> None:
    done = CliRunner().invoke(app, ["sandbox", "run", "--seeds", "3", "--json"])
    assert done.exit_code == 0
    printed = check_printed(["sandbox", "run"], done.stdout)
    assert printed.keys() >= WANTED
    assert printed["seeds"] == 3
    assert {key: type(printed[key]) for key in WANTED} == {
        "seeds": int,
        "violations": int,
        "seeds_per_minute": int,
        "crashes_per_seed": float,
        "fault_kinds": int,
    }
    assert len(done.stdout.strip().splitlines()) == 1
    assert len(printed["faults"]) == printed["fault_kinds"]
