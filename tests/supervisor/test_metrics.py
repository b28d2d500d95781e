"""Metrics: counted of what is committed, read of how things stand; bounded, and never what anybody said."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from tests.supervisor.metrics_page import Nobody, families, name_of, page

from greenroom import HostedChat, Supervisor, Turn
from greenroom.actors import facts as f
from greenroom.actors.facts import Fact
from greenroom.actors.model import (
    Delivery,
    DeliveryClass,
    DeliveryKind,
    DeliveryState,
    Ending,
    Epoch,
    FailCause,
    Generation,
    Inbound,
    OpenRun,
    RunCause,
    SessionId,
    SessionKey,
    Tail,
)
from greenroom.actors.store import GroupCommitted
from greenroom.supervisor import metrics as metrics_file
from greenroom.supervisor.counted import COUNTERS, READERS
from greenroom.supervisor.metrics import Metrics

ROOT = Path(__file__).parents[2]
SECRET = "the sword is under the bed"
MOVED = {f"greenroom_delivery_moves_total {each} delivered" for each in DeliveryClass}
SESSION, ONE = SessionId(1), Generation(1)


def group(*facts: Fact) -> GroupCommitted:
    return GroupCommitted(facts, at=7.0, took_s=0.003, requests=len(facts))


def read(metrics: Metrics) -> dict[str, float]:
    """Each sample by its name and labels, as a scraper reads the page."""
    read_ = text_string_to_metric_families(metrics.text().decode())
    samples = (sample for family in read_ for sample in family.samples)
    return {" ".join((each.name, *(value for _, value in sorted(each.labels.items())))): each.value for each in samples}


async def test_a_turn_is_counted_and_how_things_stand_is_read_beside_it(tmp_path: Path) -> None:
    async def look_up() -> str:
        return "sunny"

    async def agent(turn: Turn) -> str:
        return f"{turn.text}: {await turn.tool('weather', {}, policy='pure', fn=look_up)}"

    metrics = Metrics()
    async with Supervisor(tmp_path / "bot.db", agent=agent, on_committed=metrics.hear) as room:
        metrics.watch(room, tmp_path / "bot.db", ready=lambda: True)
        room.attach(HostedChat("hosted", "me"))
        async with asyncio.timeout(20):
            await room.answer(await room.accept(chat="hosted:me:1", id="u1", text=SECRET))
        stands = read(metrics)
    told = read(metrics)  # Only now is everything surely told that was committed.
    page_ = metrics.text().decode()
    assert stands["greenroom_sessions_made"] == stands["greenroom_ready"] == stands["greenroom_store_readable"] == 1
    assert stands["greenroom_runs_open"] == stands["greenroom_tool_calls_open"] == 0
    assert stands["greenroom_platform_connected me hosted"] in {0, 1}
    assert stands["greenroom_actors StorageActor"] == stands["greenroom_actors SessionActor"] == 1
    assert stands["greenroom_wal_bytes"] > 0
    assert told["greenroom_inbound_total hosted"] == 1
    assert told["greenroom_runs_opened_total inbound"] == told["greenroom_runs_closed_total answered"] == 1
    assert told["greenroom_runs_closed_total failed"] == 0
    assert told["greenroom_tool_calls_total pure"] == told["greenroom_tool_results_total ok"] == 1
    assert told["greenroom_commit_seconds_count"] == told["greenroom_commit_requests_count"] > 0
    assert told["greenroom_run_seconds_count"] == 1
    assert {name for name in told if "delivery_moves" in name and name.endswith(" delivered")} == MOVED
    assert sum(told[name] for name in MOVED) == 1
    assert SECRET not in page_
    assert "hosted:me:1" not in page_


def test_each_counter_is_fed_by_a_fact_and_each_fact_that_is_read_exists() -> None:
    source = (ROOT / "supervisor" / "counted.py").read_text(encoding="utf-8")
    assert {each.name for each in COUNTERS} == set(re.findall(r'(?:_one|Counted)\("(\w+)"', source))
    assert set(READERS) <= set(get_args(Fact)) | {each for arg in get_args(Fact) for each in get_args(arg)}


def test_a_run_that_failed_is_told_with_its_cause_and_strangers_with_how_many() -> None:
    metrics = Metrics()
    run = OpenRun(ONE, Epoch(1), ONE, RunCause.RESUME, 1, opened_at=3.0, last_progress_at=3.0)
    metrics.hear(group(f.RunOpened(SESSION, run, Tail())))
    closed = f.RunClosed(SESSION, ONE, Ending.FAILED, 8.0, FailCause.SILENT)
    metrics.hear(group(closed, f.InboundRefused(SessionKey("telegram", "me", "9"), 8.0, 41)))
    told = read(metrics)
    assert told["greenroom_runs_opened_total resume"] == told["greenroom_runs_failed_total silent"] == 1
    assert told["greenroom_inbound_refused_total telegram"] == 41
    assert (told["greenroom_run_seconds_sum"], told["greenroom_run_seconds_count"]) == (5.0, 1.0)


def test_how_long_an_answer_took_is_told_from_when_it_was_written_down_and_only_once_it_is_there() -> None:
    metrics = Metrics()
    key = SessionKey("telegram", "me", "9")
    delivery = Delivery("a", SESSION, key, DeliveryKind.ANSWER, "text", DeliveryState.SENDING, created_at=3.0)
    metrics.hear(group(f.DeliveryMoved(delivery, 4.0)))
    assert read(metrics)["greenroom_delivery_seconds_count answer"] == 0
    metrics.hear(group(f.DeliveryMoved(replace(delivery, state=DeliveryState.DELIVERED), 15.0)))
    told = read(metrics)
    assert (told["greenroom_delivery_seconds_sum answer"], told["greenroom_delivery_seconds_count answer"]) == (12, 1)
    assert told["greenroom_delivery_seconds_count line"] == 0


def test_no_number_of_platforms_makes_more_series_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_file, "SERIES_MAX", 3)
    metrics = Metrics()
    for number in range(10):
        metrics.hear(group(f.InboundStored(Inbound(SessionKey(f"p{number}", "me", "1"), "u", "text"), 1.0)))
    told = {name: value for name, value in read(metrics).items() if name.startswith("greenroom_inbound_total ")}
    assert told == {f"greenroom_inbound_total p{n}": 1 for n in range(3)} | {"greenroom_inbound_total other": 7}


def test_two_supervisors_in_one_process_count_apart() -> None:
    one, other = Metrics(process=True), Metrics(process=True)
    one.hear(group(f.SessionSuspended(SESSION, 1.0)))
    assert read(one)["greenroom_sessions_suspended_total"] == 1
    assert read(other)["greenroom_sessions_suspended_total"] == 0
    assert read(one)["process_resident_memory_bytes"] > 0


def test_a_database_that_cannot_be_read_costs_the_page_only_what_stands_in_it(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.watch(Nobody(), tmp_path / "none.db", ready=lambda: False)
    told = read(metrics)
    assert (told["greenroom_ready"], told["greenroom_store_readable"]) == (0, 0)
    assert "greenroom_runs_open" not in told
    assert "greenroom_questions_total asked" in told


def test_the_page_of_metrics_is_printed_from_the_registry() -> None:
    hint = "run `python -m tests.supervisor.metrics_page > docs/metrics.md`"
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == page(), hint


def test_each_metric_on_the_dashboard_and_in_an_alert_exists() -> None:
    known = {name_of(each) for each in families()}
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "count", "sum")}
    board = json.loads((ROOT / "docs" / "grafana.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    used = {name for query in queries for name in re.findall(r"greenroom_\w+", query)}
    assert len(used) > 20
    assert used <= known
    assert set(re.findall(r"greenroom_\w+", page())) <= known


def test_names_are_as_prometheus_wants_them() -> None:
    for each in families():
        name = name_of(each)
        assert re.fullmatch(r"greenroom_[a-z_]+", name)
        assert name.endswith("_total") == (each.type == "counter")
        assert each.documentation.endswith(".")
        assert not re.search(r"_(ms|minutes|kb)\b", name)
