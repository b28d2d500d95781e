"""Many seeds, one after the other or on several cores, and the sum of what they showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context

from greenroom.supervisor.sandbox.faults import DEFAULT_MIX, Mix
from greenroom.supervisor.sandbox.simulator import simulate

CHUNK = 25
"""Seeds that one core is given at a time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that a seed broke."""

    seed: int  # replay it: `greenroom sandbox replay`
    invariant: str  # the name of the promise
    detail: str  # where it was broken


@dataclass(frozen=True, slots=True)
class Tally:
    """What a number of seeds showed together."""

    seeds: int = 0
    boots: int = 0
    crashes: int = 0
    runs: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    findings: tuple[Finding, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        """Add up."""
        return Tally(
            self.seeds + other.seeds,
            self.boots + other.boots,
            self.crashes + other.crashes,
            self.runs + other.runs,
            self.steps + other.steps,
            self.virtual_s + other.virtual_s,
            self.faults + other.faults,
            self.findings + other.findings,
        )

    def summary(self, seconds: float) -> Summary:
        """Lay it out for programs. `seconds` is how long it took."""
        return Summary(
            seeds=self.seeds,
            violations=len(self.findings),
            seeds_per_minute=round(self.seeds / seconds * 60) if seconds else 0,
            crashes_per_seed=round(self.crashes / self.seeds, 2) if self.seeds else 0.0,
            fault_kinds=len(self.faults),
            faults=dict(self.faults.most_common()),
            boots=self.boots,
            runs=self.runs,
            steps=self.steps,
            virtual_hours=round(self.virtual_s / 3600),
            findings=self.findings,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """What many seeds showed, for programs."""

    seeds: int  # so many were run
    violations: int  # so many promises were broken; then the exit code is 1
    seeds_per_minute: int  # on this machine, with these processes
    crashes_per_seed: float  # on average
    fault_kinds: int  # so many kinds of faults struck
    faults: dict[str, int]  # how often each kind struck, the most frequent first
    boots: int  # simulated starts of the process
    runs: int  # runs of agents
    steps: int  # of the simulations
    virtual_hours: int  # that went by on the simulated clocks
    findings: tuple[Finding, ...]  # the promises that were broken


def try_seed(seed: int, mix: Mix = DEFAULT_MIX, *, twice: bool = False) -> Tally:
    """Run one seed. `twice`: again, to see that it is the same run."""
    try:
        report = simulate(seed, mix)
        again = simulate(seed, mix) if twice else report
    except Exception as error:  # Invariant: a seed that breaks the simulator is a finding, not the end of the others.
        return Tally(seeds=1, findings=(Finding(seed, "nothing_escapes", f"{type(error).__name__}: {error}"),))
    findings = [Finding(seed, each.invariant, each.detail) for each in report.violations]
    if again.trace != report.trace:
        findings.append(Finding(seed, "same_seed_same_run", f"{report.trace} and {again.trace}"))
    return Tally(
        1,
        report.boots,
        report.crashes,
        report.runs,
        report.steps,
        report.virtual_s,
        report.faults,
        tuple(findings),
    )


def try_seeds(seeds: Sequence[int], mix: Mix = DEFAULT_MIX, *, twice: bool = False) -> Tally:
    """Run these seeds here, one after the other."""
    total = Tally()
    for seed in seeds:
        total += try_seed(seed, mix, twice=twice)
    return total


def campaign(
    seeds: range,
    *,
    jobs: int = 1,
    mix: Mix = DEFAULT_MIX,
    twice: bool = False,
    time_is_up: Callable[[], bool] = lambda: False,
) -> Iterator[Tally]:
    """Run all seeds, or those that are begun before time is up; yields the sum of what is done, as it grows."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    total = Tally()
    if jobs == 1:
        for seed in seeds:
            total += try_seed(seed, mix, twice=twice)
            yield total
            if time_is_up():
                return
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=200) as pool:
        waiting = list(reversed(chunks))
        running: set[Future[Tally]] = set()
        while waiting or running:
            while waiting and len(running) < 2 * jobs:
                running.add(pool.submit(try_seeds, waiting.pop(), mix, twice=twice))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                total += each.result()
            yield total
            if time_is_up():
                waiting.clear()
