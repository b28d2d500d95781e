"""Traces for OpenTelemetry, of the same facts as the metrics: one trace a run, with spans for its tools and deliveries.

Needs `opentelemetry-api` (the extra `otel`), and a tracer of whoever hosts it. No attribute holds a chat or a text.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from greenroom.actors import facts as f
from greenroom.actors.model import DeliveryState, Ending

if TYPE_CHECKING:
    from greenroom.actors.facts import Fact
    from greenroom.actors.model import Delivery, Generation, SessionId
    from greenroom.actors.store import GroupCommitted

OPEN_MAX = 5_000
"""Of how many runs, tools and deliveries each the span is kept open; the oldest is given up for a new one."""

WELL_ENDED = frozenset({Ending.ANSWERED, Ending.STOPPED, Ending.SUPERSEDED})
OVER = frozenset({DeliveryState.DELIVERED, DeliveryState.DEAD})

RunKey = tuple["SessionId", "Generation"]
K = TypeVar("K", bound=Hashable)


class Traces:
    """Spans of what one supervisor does: `Supervisor(..., on_committed=traces.hear)`, on its storage thread."""

    def __init__(self, tracer: Tracer) -> None:
        """Begin with nothing: what was open before is not traced."""
        self._tracer = tracer
        self._runs: OrderedDict[RunKey, Span] = OrderedDict()
        self._tools: OrderedDict[tuple[SessionId, str], Span] = OrderedDict()
        self._deliveries: OrderedDict[str, Span] = OrderedDict()

    def hear(self, group: GroupCommitted) -> None:
        """Follow what a commit made true."""
        for fact in group.facts:
            self._follow(fact)

    def _follow(self, fact: Fact) -> None:
        match fact:
            case f.RunOpened():
                self._open_run(fact)
            case f.RunMarked(session_id, generation, reason):
                if (span := self._runs.get((session_id, generation))) is not None:
                    span.add_event("interrupted", {"greenroom.reason": str(reason)})
            case f.RunClosed():
                self._close_run(fact)
            case f.ToolStarted():
                self._open_tool(fact)
            case f.ToolEnded(session_id, _, key, _, failed, at):
                span = self._tools.pop((session_id, key), None)
                _end(span, at, failed="the tool failed" if failed else None)
            case f.DeliveryOpened(generation=generation, delivery=delivery):
                self._open_delivery(generation, delivery)
            case f.DeliveryMoved(delivery, at):
                self._move_delivery(delivery, at)
            case _:
                return

    def _open_run(self, fact: f.RunOpened) -> None:
        run = fact.run
        said = {
            "cause": run.cause,
            "attempt": run.attempt,
            "generation": run.generation,
            "work": run.work,
            "epoch": run.epoch,
        }
        span = self._tracer.start_span(
            "run", Context(), attributes=_attributes(fact.session_id, **said), start_time=_ns(run.opened_at)
        )
        self._keep(self._runs, (fact.session_id, run.generation), span)

    def _close_run(self, fact: f.RunClosed) -> None:
        """End its span. It is kept a while, as what a late delivery belongs to."""
        span = self._runs.get((fact.session_id, fact.generation))
        if span is not None and span.is_recording():
            span.set_attribute("greenroom.ending", str(fact.ending))
            why = str(fact.failed_by or fact.ending)
            _end(span, fact.at, failed=None if fact.ending in WELL_ENDED else why)

    def _open_tool(self, fact: f.ToolStarted) -> None:
        said = {"tool": fact.call.name, "policy": fact.call.policy}
        span = self._child(fact.session_id, fact.generation, "tool", SpanKind.INTERNAL, said, fact.at)
        self._keep(self._tools, (fact.session_id, fact.call.key), span)

    def _open_delivery(self, generation: Generation, delivery: Delivery) -> None:
        if delivery.key in self._deliveries:
            return  # Opened again by the next attempt at the same work, which changes nothing.
        key = delivery.session
        said = {"kind": delivery.kind, "platform": key.platform, "account": key.account}
        span = self._child(
            delivery.session_id, generation, "delivery", SpanKind.PRODUCER, said, delivery.created_at or None
        )
        self._keep(self._deliveries, delivery.key, span)

    def _move_delivery(self, delivery: Delivery, at: float) -> None:
        span = self._deliveries.get(delivery.key)
        if span is None:
            return
        span.add_event(str(delivery.state), timestamp=_ns(at))
        if delivery.state in OVER:
            del self._deliveries[delivery.key]
            span.set_attribute("greenroom.attempts", delivery.attempts)
            _end(span, at, failed="its platform will never take it" if delivery.state is DeliveryState.DEAD else None)

    def _child(
        self,
        session_id: SessionId,
        generation: Generation,
        name: str,
        kind: SpanKind,
        said: Mapping[str, Any],
        at: float | None,
    ) -> Span:
        run = self._runs.get((session_id, generation))
        within = None if run is None else set_span_in_context(run)
        attributes = _attributes(session_id, **said)
        began = None if at is None else _ns(at)
        return self._tracer.start_span(name, within, kind, attributes, start_time=began)

    @staticmethod
    def _keep(spans: OrderedDict[K, Span], key: K, span: Span) -> None:
        """Remember an open span; what was open by this name, and what is too much, is given up."""
        _give_up(spans.pop(key, None))
        spans[key] = span
        if len(spans) > OPEN_MAX:
            _give_up(spans.popitem(last=False)[1])


def _give_up(span: Span | None) -> None:
    if span is not None and span.is_recording():
        span.add_event("not followed any more")
        span.end()


def _end(span: Span | None, at: float, *, failed: str | None) -> None:
    if span is None:
        return
    span.set_status(Status(StatusCode.OK) if failed is None else Status(StatusCode.ERROR, failed))
    span.end(_ns(at))


def _attributes(session_id: SessionId, **said: Any) -> dict[str, Any]:
    named = {f"greenroom.{key}": value if isinstance(value, int) else str(value) for key, value in said.items()}
    return {"greenroom.session": int(session_id), **named}


def _ns(at: float) -> int:
    return int(at * 1e9)
