"""What happened in one run, from the rows that it left: a list that the sandbox's chart can draw. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from greenroom.actors.model import Generation, MessageKind, Role
from greenroom.supervisor.cli.session_words import say_answer, say_ending, say_result
from greenroom.supervisor.decisions import ROW_NUMBERS
from greenroom.supervisor.sandbox.happening import AGENT, PEOPLE, STORE, Happening, Kind

if TYPE_CHECKING:
    from greenroom.actors.model import Message
    from greenroom.storage.session_view import DecisionRow, DeliveryRow, QuestionRow, RunRow, SessionView, ToolRow

WORDS_MAX = 60


class OfRun(Protocol):
    """A row that some run left."""

    @property
    def generation(self) -> Generation:
        """Which."""


Row = TypeVar("Row", bound=OfRun)


class Moment(Struct, frozen=True, order=True):
    """When something happened, and what comes first of what happened at once: what is decided, then what is begun."""

    at: float
    place: int


def tell_run(view: SessionView, decisions: tuple[DecisionRow, ...], generation: Generation) -> tuple[Happening, ...]:
    """Tell a run of a session, in its order; `at` counts from its first moment. Empty where it left no row."""
    found = sorted(_moments(view, decisions, generation), key=lambda pair: pair[0])
    began = found[0][0].at if found else 0.0
    return tuple(
        Happening(max(0.0, moment.at - began), each.source, each.what, each.target, each.row, each.kind)
        for moment, each in found
    )


def _moments(
    view: SessionView, decisions: tuple[DecisionRow, ...], generation: Generation
) -> Iterator[tuple[Moment, Happening]]:
    key = view.session.key
    for decision in _of(decisions, generation):
        yield Moment(decision.at, 0), _decided(decision, key)
    for run in _of(view.runs, generation):
        yield from _run(run, key)
    for message in _of(view.messages, generation):
        yield Moment(message.at, 2 if message.role is Role.USER else 4), _row(message, key)
    for tool in _of(view.tools, generation):
        yield from _tool(tool)
    for question in _of(view.questions, generation):
        yield from _question(question, key)
    for delivery in _of(view.deliveries, generation):
        yield from _delivery(delivery, key)


def _of(rows: Sequence[Row], generation: Generation) -> Iterator[Row]:
    return (row for row in rows if row.generation == generation)


def _decided(decision: DecisionRow, key: str) -> Happening:
    what = f"decided: {decision.outcome} (row {ROW_NUMBERS.get(decision.rule, '?')}, {decision.rule})"
    return Happening(0.0, key, what, STORE, f"decisions, boot {decision.epoch}")


def _run(run: RunRow, key: str) -> Iterator[tuple[Moment, Happening]]:
    row = f"runs {run.generation}"
    opened = Happening(0.0, key, f"run {run.generation}: {run.cause}, attempt {run.attempt}", AGENT, row, Kind.STEP)
    yield Moment(run.opened_at, 1), opened
    if run.closed_at is not None:
        yield Moment(run.closed_at, 6), Happening(0.0, AGENT, say_ending(run), key, row)
    elif run.interrupted_by is not None:
        what = f"interrupted: {run.interrupted_by}"
        yield Moment(run.last_progress_at, 6), Happening(0.0, AGENT, what, key, row, Kind.FAULT)


def _row(message: Message, key: str) -> Happening:
    row, text = f"messages {message.seq}", _short(message.text)
    match message.role:
        case Role.USER:
            return Happening(0.0, PEOPLE, text, key, row)
        case Role.SYSTEM:
            what = f"{message.kind.value.replace('_', ' ')}: {text}"
            return Happening(0.0, key, what, AGENT if message.kind is MessageKind.RECOVERY_NOTE else "", row)
        case Role.TOOL:
            return Happening(0.0, AGENT, f"hears: {text}", row=row)
        case _:
            calls = ", ".join(call.name for call in message.tool_calls)
            return Happening(0.0, AGENT, text or f"wants {calls}", key, row)


def _tool(tool: ToolRow) -> Iterator[tuple[Moment, Happening]]:
    row = f"tool_calls {tool.name}"
    yield Moment(tool.started_at, 3), Happening(0.0, AGENT, f"calls {tool.name} ({tool.policy})", STORE, row)
    if tool.ended_at is not None:
        kind = Kind.FAULT if tool.result is None else Kind.STEP
        what = f"{tool.name}: {_short(say_result(tool))}"
        yield Moment(tool.ended_at, 3), Happening(0.0, AGENT, what, "" if kind is Kind.FAULT else STORE, row, kind)


def _question(question: QuestionRow, key: str) -> Iterator[tuple[Moment, Happening]]:
    yield Moment(question.asked_at, 5), Happening(0.0, AGENT, f"asks: {_short(question.prompt)}", key, "questions")
    if question.answered_at is not None:
        what = f"answers: {_short(say_answer(question))}"
        yield Moment(question.answered_at, 5), Happening(0.0, PEOPLE, what, key, "questions")


def _delivery(delivery: DeliveryRow, key: str) -> Iterator[tuple[Moment, Happening]]:
    platform, row = key.partition(":")[0], f"deliveries {delivery.delivery[-12:]}"
    yield Moment(delivery.created_at, 5), Happening(0.0, key, f"{delivery.kind} to be delivered", platform, row)
    if delivery.delivered_at is not None:
        shown = Happening(0.0, platform, f"{delivery.kind} visible", PEOPLE, row)
        yield Moment(delivery.delivered_at, 7), shown
    elif delivery.error is not None:
        failed = Happening(0.0, platform, f"{delivery.state}: {_short(delivery.error)}", "", row, Kind.FAULT)
        yield Moment(delivery.created_at, 7), failed


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= WORDS_MAX else plain[: WORDS_MAX - 1] + "…"
