"""What a supervisor does, as Prometheus reads it: counters of what was committed, and gauges of how things stand.

Needs `prometheus_client`, and so is imported by whoever wants metrics. Each instance has a registry of its own: two
supervisors in one process count apart. No label ever holds a chat, a name or a text.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from greenroom.actors.facts import DeliveryMoved, RunClosed, RunOpened
from greenroom.actors.model import DeliveryKind, DeliveryState
from greenroom.supervisor.counted import COUNTERS, Counted, read_counted
from greenroom.supervisor.standing import GAUGES, INFO, Standing, Watched, look_at, read_gauges
from greenroom.supervisor.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from greenroom.actors.facts import Fact
    from greenroom.actors.model import DeliveryClass, SessionKey
    from greenroom.actors.store import GroupCommitted
    from greenroom.supervisor.connections import Connection

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `text` returns."""

SERIES_MAX = 200
"""Most series of one counter; what else there is counts as OTHER."""

OTHER = "other"

RUNS_TIMED_MAX = 100_000
"""Of how many open runs the beginning is remembered; the others' duration is not observed."""

COMMIT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
COMMIT_REQUESTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
DELIVERY_S = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
RUN_S = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """The metrics of one supervisor: `Supervisor(..., on_committed=metrics.hear)`, then `metrics.watch(...)`.

    `registry` is a collector for whoever exposes it otherwise than by `text`.
    """

    def __init__(self, *, process: bool = False) -> None:
        """Begin at zero. `process`: also tell of the whole process (memory, file descriptors, garbage)."""
        self.registry = CollectorRegistry()
        self._connections: Callable[[], Iterable[Connection]] = tuple
        self._classes: dict[tuple[str, str], DeliveryClass | None] = {}
        self._counters = {
            each.name: Counter(f"greenroom_{each.name}", f"{each.says}.", each.labels, registry=self.registry)
            for each in COUNTERS
        }
        self._series: dict[str, set[tuple[str, ...]]] = {each.name: set(each.known) for each in COUNTERS}
        for each in COUNTERS:
            for values in each.known:
                self._counters[each.name].labels(*values)
        self._commit_s = self._histogram("commit_seconds", "How long commits took, in seconds.", COMMIT_S)
        self._requests = self._histogram("commit_requests", "How many requests shared a commit.", COMMIT_REQUESTS)
        self._run_s = self._histogram(
            "run_seconds", "How long runs were open that began and closed in this process, in seconds.", RUN_S
        )
        self._delivery_s = self._histogram(
            "delivery_seconds",
            "From when a delivery was written down until it was delivered, in seconds. An answer is written down when "
            "its run begins, so this holds the work, the attempts before a crash, and the sending.",
            DELIVERY_S,
            ("kind",),
        )
        for kind in DeliveryKind:
            self._delivery_s.labels(kind)
        self._opened: dict[tuple[int, int], float] = {}  # When the runs began that are open, by session and generation.
        if process:
            ProcessCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(f"greenroom_{name}", says, labels, buckets=buckets, registry=self.registry)

    def watch(self, room: Watched, database: Path, *, ready: Callable[[], bool | None] = lambda: None) -> None:
        """Tell from now on how things stand in this room, and in its database. Once.

        `ready` says whether messages could be stored and answered at the last look; None: nobody looked.
        """
        self._connections = room.connections
        self.registry.register(_Gauges(lambda: look_at(room, database, ready=ready())))

    def hear(self, group: GroupCommitted) -> None:
        """Count what a commit made true. Called on the storage thread."""
        self._commit_s.observe(group.took_s)
        self._requests.observe(group.requests)
        tally: Tally[tuple[str, tuple[str, ...]]] = Tally()
        for fact in group.facts:
            self._time(fact)
            for counted in read_counted(fact, self._class_of):
                tally[counted.counter, counted.values] += counted.times
        for (counter, values), times in tally.items():
            self._count(Counted(counter, values, times))

    def text(self) -> bytes:
        """Write all of it down as Prometheus reads it. Blocks for a moment: it looks into the database."""
        return generate_latest(_Plain(self.registry))

    def _count(self, counted: Counted) -> None:
        counter, known, values = self._counters[counted.counter], self._series[counted.counter], counted.values
        if values not in known:
            if len(known) >= SERIES_MAX:
                values = (OTHER,) * len(values)
            known.add(values)
        (counter.labels(*values) if values else counter).inc(counted.times)

    def _time(self, fact: Fact) -> None:
        if isinstance(fact, RunOpened) and len(self._opened) < RUNS_TIMED_MAX:
            self._opened[fact.session_id, fact.run.generation] = fact.run.opened_at
        elif isinstance(fact, RunClosed):
            opened_at = self._opened.pop((fact.session_id, fact.generation), None)
            if opened_at is not None:
                self._run_s.observe(_since(opened_at, fact.at))
        elif isinstance(fact, DeliveryMoved) and fact.delivery.state is DeliveryState.DELIVERED:
            self._delivery_s.labels(fact.delivery.kind).observe(_since(fact.delivery.created_at, fact.at))

    def _class_of(self, session: SessionKey) -> DeliveryClass | None:
        account = (session.platform, session.account)
        if account not in self._classes:
            found = {(each.platform, each.account): each.delivery for each in self._connections()}
            if account not in found:
                return None
            self._classes |= found
        return self._classes[account]


def _since(then: float, now: float) -> float:
    return max(0.0, now - then)  # The clock may have been set back.


class _Gauges(Collector):
    """Reads how things stand whenever somebody asks."""

    def __init__(self, look: Callable[[], Standing]) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        """Look now."""
        read = read_gauges(self._look())
        for gauge in GAUGES:
            family = GaugeMetricFamily(f"greenroom_{gauge.name}", f"{gauge.says}.", labels=gauge.labels)
            for values, number in read.get(gauge.name, {}).items():
                family.add_metric(values, number)
            yield family
        yield InfoMetricFamily(f"greenroom_{INFO.name}", f"{INFO.says}.", {"version": VERSION})


class _Plain(Collector):
    """The same without the moment at which each series began: as many lines again, and nobody asks for them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for family in self._registry.collect():
            family.samples = [each for each in family.samples if not each.name.endswith("_created")]
            yield family
