"""Traces: one a run, with spans for its tools and its deliveries, of what is on disk and of nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from greenroom import HostedChat, Supervisor, Turn
from greenroom.actors import facts as f
from greenroom.actors.facts import Fact
from greenroom.actors.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Ending,
    Epoch,
    FailCause,
    Generation,
    InterruptReason,
    OpenRun,
    RunCause,
    SessionId,
    SessionKey,
    Tail,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.store import GroupCommitted
from greenroom.supervisor import tracing
from greenroom.supervisor.tracing import Traces

SECRET = "the sword is under the bed"
SESSION, ONE, EPOCH = SessionId(1), Generation(1), Epoch(1)


class Heard:
    """Traces, and what of them was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.traces = Traces(provider.get_tracer("greenroom"))

    def hear(self, *facts: Fact) -> None:
        self.traces.hear(GroupCommitted(facts, 1.0, 0.001, len(facts)))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def opened(session: int = 1, at: float = 1.0) -> f.RunOpened:
    run = OpenRun(ONE, EPOCH, ONE, RunCause.INBOUND, 1, opened_at=at, last_progress_at=at)
    return f.RunOpened(SessionId(session), run, Tail())


def delivery(state: DeliveryState, attempts: int = 1) -> Delivery:
    key = SessionKey("telegram", "me", "42")
    return Delivery("d1", SESSION, key, DeliveryKind.ANSWER, SECRET, state, attempts=attempts, created_at=2.0)


async def test_a_turn_is_one_trace_and_holds_nobodys_words(tmp_path: Path, heard: Heard) -> None:
    async def look_up(city: str) -> str:
        return SECRET

    async def agent(turn: Turn) -> str:
        return f"{turn.text}: {await turn.tool('weather', {'city': SECRET}, policy='pure', fn=look_up)}"

    async with Supervisor(tmp_path / "bot.db", agent=agent, on_committed=heard.traces.hear) as room:
        room.attach(HostedChat("hosted", "me"))
        async with asyncio.timeout(20):
            await room.answer(await room.accept(chat="hosted:me:42424242", id="u1", text=SECRET))
    (run,), (tool,), (sent,) = heard.named("run"), heard.named("tool"), heard.named("delivery")
    assert run.context is not None
    assert run.parent is None
    for child in (tool, sent):
        assert child.parent is not None
        assert (child.parent.span_id, child.parent.trace_id) == (run.context.span_id, run.context.trace_id)
    assert run.attributes is not None
    assert run.attributes["greenroom.ending"] == "answered"
    assert tool.attributes is not None
    assert (tool.attributes["greenroom.tool"], tool.attributes["greenroom.policy"]) == ("weather", "pure")
    assert sent.events[-1].name == "delivered"
    assert {span.status.status_code for span in (run, tool, sent)} == {StatusCode.OK}
    told = "".join(span.to_json() for span in heard.exporter.get_finished_spans())
    assert SECRET not in told
    assert "42424242" not in told


def test_times_are_those_of_the_rows_and_failures_say_why(heard: Heard) -> None:
    call = ToolCall("k1", "deploy", "{}", ToolPolicy.ONCE)
    heard.hear(opened(at=1.0), f.RunMarked(SESSION, ONE, InterruptReason.PROVIDER_ERROR))
    heard.hear(f.ToolStarted(SESSION, EPOCH, ONE, ONE, call, 2.0), f.ToolEnded(SESSION, ONE, "k1", SECRET, True, 3.5))
    heard.hear(f.RunClosed(SESSION, ONE, Ending.FAILED, 4.0, FailCause.SILENT))
    (run,), (tool,) = heard.named("run"), heard.named("tool")
    assert (run.start_time, run.end_time) == (1_000_000_000, 4_000_000_000)
    assert (tool.start_time, tool.end_time) == (2_000_000_000, 3_500_000_000)
    assert (run.status.status_code, run.status.description) == (StatusCode.ERROR, "silent")
    assert tool.status.status_code is StatusCode.ERROR
    assert [event.name for event in run.events] == ["interrupted"]


def test_a_delivery_belongs_to_its_run_however_late_it_is(heard: Heard) -> None:
    pending = f.DeliveryOpened(EPOCH, ONE, delivery(DeliveryState.PENDING))
    heard.hear(opened(), pending, f.RunClosed(SESSION, ONE, Ending.ANSWERED, 3.0))
    heard.hear(pending, f.DeliveryMoved(delivery(DeliveryState.RETRY), 4.0))
    assert heard.named("delivery") == []
    heard.hear(f.DeliveryMoved(delivery(DeliveryState.DEAD, attempts=2), 9.0))
    heard.hear(f.DeliveryMoved(delivery(DeliveryState.DEAD, attempts=2), 9.0))
    (run,), (sent,) = heard.named("run"), heard.named("delivery")
    assert run.context is not None
    assert sent.parent is not None
    assert sent.parent.trace_id == run.context.trace_id
    assert [event.name for event in sent.events] == ["retry", "dead"]
    assert (sent.end_time, sent.status.status_code) == (9_000_000_000, StatusCode.ERROR)
    assert sent.attributes is not None
    assert sent.attributes["greenroom.attempts"] == 2


def test_what_began_before_and_what_never_ends_costs_nothing(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    heard.hear(f.RunClosed(SESSION, ONE, Ending.ANSWERED, 3.0), f.DeliveryMoved(delivery(DeliveryState.DELIVERED), 4.0))
    assert heard.exporter.get_finished_spans() == ()
    monkeypatch.setattr(tracing, "OPEN_MAX", 3)
    heard.hear(*(opened(session) for session in range(10)))
    given_up = heard.named("run")
    assert len(given_up) == 7
    assert {event.name for span in given_up for event in span.events} == {"not followed any more"}
