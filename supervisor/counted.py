"""What is counted of each fact, for metrics: a name and label values from short lists, never a chat or a text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

from greenroom.actors import facts as f
from greenroom.actors.facts import Fact
from greenroom.actors.model import (
    Budget,
    DeliveryClass,
    DeliveryKind,
    DeliveryState,
    Ending,
    FailCause,
    FreshCause,
    InterruptReason,
    Lapse,
    RunCause,
    SessionKey,
    ToolPolicy,
)
from greenroom.actors.process_facts import ProcessBegan, ProcessEnded
from greenroom.actors.why import RULES

UNKNOWN = "unknown"
"""Stands where a platform is not attached, and so says nothing of itself."""


class Counted(NamedTuple):
    """Something that is counted: which counter, and its labels' values in the counter's order."""

    counter: str
    values: tuple[str, ...] = ()
    times: int = 1


ClassOf = Callable[[SessionKey], DeliveryClass | None]
"""Says what the platform of a chat offers against doubled messages, where it is attached."""


class CounterOf(NamedTuple):
    """A counter, and the values of its labels where they are known beforehand: those begin at 0."""

    name: str
    says: str
    labels: tuple[str, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()


def _each(*values: str) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in values)


COUNTERS = (
    CounterOf(
        "inbound", "Messages of chats that were stored; one that a platform sends again counts again", ("platform",)
    ),
    CounterOf("inbound_refused", "Messages of chats that may not write", ("platform",)),
    CounterOf("runs_opened", "Runs that began, by what began them", ("cause",), _each(*RunCause)),
    CounterOf("runs_closed", "Runs that were concluded or given up, by how", ("ending",), _each(*Ending)),
    CounterOf("runs_failed", "Runs that ended without an answer, by why", ("cause",), _each(*FailCause, *Budget)),
    CounterOf("runs_interrupted", "Runs that were cut short, by what", ("reason",), _each(*InterruptReason)),
    CounterOf("decisions", "Decisions about interrupted work, by the rule that answered", ("rule",), _each(*RULES)),
    CounterOf("deliveries", "Deliveries that were written down, by what they say", ("kind",), _each(*DeliveryKind)),
    CounterOf(
        "delivery_moves",
        "Times that a delivery came to a state, by what its platform offers",
        ("state", "class"),
        tuple(product(DeliveryState, DeliveryClass)),
    ),
    CounterOf("tool_calls", "Calls of tools that began, by their policy", ("policy",), _each(*ToolPolicy)),
    CounterOf("tool_results", "Calls of tools that ended with a result", ("outcome",), _each("ok", "failed")),
    CounterOf("tool_doubts_told", "Calls of tools whose outcome nobody knows, and whose agent or user was told so"),
    CounterOf(
        "questions", "Questions of agents, by what became of them", ("became",), _each("asked", "answered", *Lapse)
    ),
    CounterOf("session_restarts", "Times that a session's actor died and was started again"),
    CounterOf("sessions_quarantined", "Sessions that were set aside because their work never got anywhere"),
    CounterOf("sessions_released", "Sessions that an operator gave back to their users"),
    CounterOf("sessions_suspended", "Sessions that their user or an operator set aside"),
    CounterOf("sessions_succeeded", "Conversations that began anew, by why", ("cause",), _each(*FreshCause)),
    CounterOf(
        "processes", "Background processes of agents, by what became of them", ("became",), _each("began", "ended")
    ),
)
"""Every counter, by its name without `greenroom_` and `_total`."""


def read_counted(fact: Fact, class_of: ClassOf) -> tuple[Counted, ...]:
    """Say what is counted of a fact; mostly one thing, or nothing.

    >>> from greenroom.actors.model import SessionId
    >>> read_counted(f.SessionSuspended(SessionId(1), 0.0), lambda _: None)
    (Counted(counter='sessions_suspended', values=(), times=1),)
    """
    read = READERS.get(type(fact))
    return () if read is None else read(fact, class_of)


def _one(counter: str, *values: str) -> tuple[Counted, ...]:
    return (Counted(counter, values),)


def _closed(fact: f.RunClosed, _: ClassOf) -> tuple[Counted, ...]:
    failed = () if fact.failed_by is None else _one("runs_failed", fact.failed_by)
    return (*_one("runs_closed", fact.ending), *failed)


def _refused(fact: f.InboundRefused, _: ClassOf) -> tuple[Counted, ...]:
    return (Counted("inbound_refused", (fact.key.platform,), fact.count),)


def _moved(fact: f.DeliveryMoved, class_of: ClassOf) -> tuple[Counted, ...]:
    delivery = fact.delivery
    return _one("delivery_moves", delivery.state, class_of(delivery.session) or UNKNOWN)


def _restarts(fact: f.RestartsCounted, _: ClassOf) -> tuple[Counted, ...]:
    return () if fact.budget is None else _one("session_restarts")  # None: it made progress, and begins anew.


READERS: Mapping[type, Callable[[Any, ClassOf], tuple[Counted, ...]]] = {
    f.InboundStored: lambda fact, _: _one("inbound", fact.inbound.key.platform),
    f.InboundRefused: _refused,
    f.RunOpened: lambda fact, _: _one("runs_opened", fact.run.cause),
    f.RunClosed: _closed,
    f.RunMarked: lambda fact, _: _one("runs_interrupted", fact.reason),
    f.DecisionStored: lambda fact, _: _one("decisions", fact.rule),
    f.DeliveryOpened: lambda fact, _: _one("deliveries", fact.delivery.kind),
    f.DeliveryMoved: _moved,
    f.ToolStarted: lambda fact, _: _one("tool_calls", fact.call.policy),
    f.ToolEnded: lambda fact, _: _one("tool_results", "failed" if fact.failed else "ok"),
    f.DoubtTold: lambda *_: _one("tool_doubts_told"),
    f.QuestionAsked: lambda *_: _one("questions", "asked"),
    f.QuestionAnswered: lambda *_: _one("questions", "answered"),
    f.QuestionLapsed: lambda fact, _: _one("questions", fact.lapse),
    f.RestartsCounted: _restarts,
    f.SessionQuarantined: lambda *_: _one("sessions_quarantined"),
    f.SessionReleased: lambda *_: _one("sessions_released"),
    f.SessionSuspended: lambda *_: _one("sessions_suspended"),
    f.SessionSucceeded: lambda fact, _: _one("sessions_succeeded", fact.because),
    ProcessBegan: lambda *_: _one("processes", "began"),
    ProcessEnded: lambda *_: _one("processes", "ended"),
}
"""What is read of each kind of fact; of all others nothing is counted."""
