"""Prints docs/metrics.md from the registry itself: `python -m tests.supervisor.metrics_page > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import Metric

from greenroom.actors.runtime import Depth
from greenroom.supervisor.connections import Connection
from greenroom.supervisor.counted import COUNTERS
from greenroom.supervisor.metrics import Metrics
from greenroom.supervisor.standing import GAUGES

HEAD = """# Metrics

This page is printed from the registry by `tests/supervisor/metrics_page.py`, and a test fails when it is not current.

With `[view] enabled = true` `greenroom up` serves them at `/metrics` of the live view (by default `http://127.0.0.1:8764/metrics`), to
whoever shows its token; `/livez` and `/readyz` beside it need none:

```yaml
scrape_configs:
  - job_name: greenroom
    authorization: {credentials_file: /etc/prometheus/greenroom-token}
    static_configs: [{targets: ["127.0.0.1:8764"]}]
```

[grafana.json](grafana.json) is a dashboard over them. A host that embeds greenroom has them so, each supervisor with a registry of its
own:

```python
from greenroom.supervisor.metrics import Metrics

metrics = Metrics()
async with Supervisor("bot.db", agent=agent, on_committed=metrics.hear) as room:
    metrics.watch(room, Path("bot.db"))
    page = metrics.text()
```

Counters begin at 0 with the process; gauges are read when the page is asked for, and cost what is open, not what is stored. No label
ever holds a chat, a name or a text: all values come from short lists, but for the names of platforms and accounts that are
configured.

| metric | type | labels | what it tells |
|---|---|---|---|
"""

TAIL = """
`Metrics(process=True)`, as `greenroom up` has them, adds what Prometheus' own library tells of a process: `process_resident_memory_bytes`, `process_cpu_seconds_total`,
`process_open_fds`, `process_start_time_seconds`, `python_gc_collections_total` and their like.

## What to be woken for

| when | what it means, and what to do |
|---|---|
| `greenroom_ready == 0` for a minute, or nothing answers | messages cannot be stored or answered: `/readyz` and `greenroom status` say why |
| `greenroom_platform_connected == 0` for five minutes | one platform is not reached, the others go on: `greenroom status` says why |
| `increase(greenroom_sessions_quarantined_total[10m]) > 0` | work was given up after attempts that got nowhere: `greenroom sessions --only aside` |
| `increase(greenroom_delivery_moves_total{state="dead"}[10m]) > 0` | a platform refuses an answer for good: `greenroom status` counts the dead letters |
| `greenroom_deliveries_owed` grows for ten minutes | answers are written and do not leave: look at the platform |
| `histogram_quantile(0.99, rate(greenroom_commit_seconds_bucket[5m])) > 1` | the disk is slow, and everybody waits for it |
| `greenroom_wal_bytes` grows without end | some reader keeps the database from tidying up: close the SQLite shell that has it open |
"""


class Nobody:
    """A room in which nothing is attached, and nobody lives."""

    def connections(self) -> tuple[Connection, ...]:
        return ()

    def depths(self) -> dict[str, Depth]:
        return {}


def families() -> list[Metric]:
    """Every metric there is, of a supervisor of which nothing is known yet."""
    metrics = Metrics()
    metrics.watch(Nobody(), Path("no.db"))
    return list(metrics.registry.collect())


def name_of(family: Metric) -> str:
    """Its name as a query writes it."""
    return family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")


def page() -> str:
    rows = (
        f"| `{name_of(each)}` | {TYPES.get(each.type, each.type)} | {', '.join(LABELS[each.name])} | {each.documentation} |"
        for each in families()
    )
    return HEAD + "\n".join(rows) + "\n" + TAIL


TYPES = {"info": "gauge"}  # As Prometheus' text format has it.
LABELS: Mapping[str, tuple[str, ...]] = defaultdict(
    tuple, {f"greenroom_{each.name}": each.labels for each in (*COUNTERS, *GAUGES)} | {"greenroom_build": ("version",)}
)

if __name__ == "__main__":
    sys.stdout.write(page())
