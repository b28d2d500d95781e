"""How a run ends: answer and delivery are one transaction, so that "sent but not saved" cannot be written. Pure."""

from __future__ import annotations

from typing import assert_never

from greenroom.actors.acts import CancelAlarms, CancelRun, ReportConcluded
from greenroom.actors.agent_rows import AgentRow
from greenroom.actors.asking import end_question
from greenroom.actors.draft import Draft
from greenroom.actors.events import Answered, Cancelled, Failed, Outcome, PutOff
from greenroom.actors.facts import RunClosed
from greenroom.actors.keys import conclusion_key, own_row_key, partial_key, stopped_key
from greenroom.actors.lines import (
    EMPTY_LINE,
    INCOMPLETE_LINE,
    NO_NEWS_LINE,
    STOPPED_LINE,
    STOPPED_SHORT_LINE,
    cut_answer,
    joined,
    late_line,
    unreachable_line,
)
from greenroom.actors.model import Budget, DeliveryKind, Ending, FailCause, InboxId, MessageKind, Role, Seq
from greenroom.actors.postponing import put_off, retry_after_s
from greenroom.actors.rules import Rules
from greenroom.actors.state import IDLE, Asking, Interrupted, Running
from greenroom.actors.tail import concludes


def conclude(draft: Draft, phase: Running | Asking, outcome: Outcome, rules: Rules) -> None:
    """End the run: with an answer, with one honest line, or (interrupted by us) leaving the work open."""
    draft.do(CancelAlarms())
    match outcome:
        case Answered(text, finish) if concludes(text, finish):
            _answer(draft, phase, conclusion_key(phase.run.work), cut_answer(text, rules.answer_max), finish)
        case Answered(text, finish) if text.strip():
            _fail(draft, phase, text, INCOMPLETE_LINE.format(finish=finish or "no finish"), FailCause.INCOMPLETE, rules)
        case Answered() | Cancelled() if draft.draining is not None:
            _interrupt(draft, phase)  # Empty after a drain began: a soft interrupt is no answer.
        case Answered():
            _fail(draft, phase, "", EMPTY_LINE if draft.tail.unanswered else NO_NEWS_LINE, FailCause.EMPTY, rules)
        case PutOff() if draft.draining is not None:
            _interrupt(draft, phase)
        case PutOff():
            _put_off_or_fail(draft, phase, outcome, rules)
        case Failed(line, said, cause):
            _fail(draft, phase, said, line, cause, rules)
        case Cancelled():
            _fail(draft, phase, phase.said, STOPPED_SHORT_LINE, FailCause.GAVE_UP, rules)
        case _:
            assert_never(outcome)
    draft.report_over()  # Last: whoever counts live runs may then count on the delivery being told.


def give_up(draft: Draft, phase: Running | Asking, line: str, cause: FailCause | Budget, rules: Rules) -> None:
    """End a run that does not end by itself: it gave no sign of life for too long, or gives them for ever."""
    draft.do(CancelAlarms(), CancelRun(draft.generation))
    _fail(draft, phase, phase.said, line, cause, rules)
    draft.report_over()


def _put_off_or_fail(draft: Draft, phase: Running | Asking, outcome: PutOff, rules: Rules) -> None:
    waited_s = phase.waited_s if isinstance(phase, Running) else 0.0
    after_s = retry_after_s(draft.id, waited_s, outcome.retry_after_s, rules)
    if after_s is None or isinstance(phase, Asking):
        _fail(draft, phase, outcome.said, unreachable_line(outcome.why, waited_s), FailCause.UNREACHABLE, rules)
    else:
        put_off(draft, phase, outcome, after_s)


def conclude_by_row(draft: Draft, phase: Running, row: AgentRow) -> None:
    """End the run with the row by which the agent itself concluded it: what it still does and returns is late."""
    draft.do(CancelAlarms())
    _answer(draft, phase, own_row_key(row.key), row.text, row.finish)
    draft.report_over()


def stop_run(draft: Draft, phase: Running | Asking | Interrupted) -> None:
    """End the work because its user says so: what was said stays, and nothing of it is ever resumed."""
    live = isinstance(phase, Running | Asking)
    if live:
        draft.do(CancelAlarms(), CancelRun(draft.generation))
    said = "" if isinstance(phase, Interrupted) else phase.said
    _end(draft, phase, said, STOPPED_LINE, MessageKind.STOPPED, upto=draft.tail.user_seq)
    if phase.anchored or said.strip():  # Else the reply to the order says it.
        draft.fill(phase, DeliveryKind.ANSWER, joined(said, f"({STOPPED_LINE})"))
    _close(draft, phase, Ending.STOPPED)
    if live:
        draft.report_over()


def stop_waiting(draft: Draft, ordered_by: InboxId) -> int:
    """Conclude what came before the order and no run had: messages of the user that the stop answers. Says how many."""
    count = draft.take_waiting(ordered_by)
    if count:
        upto = draft.tail.user_seq
        key = stopped_key(ordered_by)
        draft.append(key, Role.SYSTEM, STOPPED_LINE, kind=MessageKind.STOPPED, answers_upto=upto)
        draft.do(ReportConcluded())
    return count


def cut_short(draft: Draft) -> None:
    """Interrupt what runs; the work stays open."""
    phase = draft.phase
    if isinstance(phase, Running | Asking):
        draft.do(CancelAlarms(), CancelRun(draft.generation))
        draft.report_over()
        _interrupt(draft, phase)


def _answer(draft: Draft, phase: Running | Asking, key: str, text: str, finish: str | None) -> None:
    draft.close_calls(phase.run.generation)
    end_question(draft, phase)
    late = late_line(phase.late_s) if isinstance(phase, Running) and phase.late_s else ""
    draft.append(key, Role.ASSISTANT, text, finish=finish, answers_upto=phase.upto)
    draft.fill(phase, DeliveryKind.ANSWER, joined(late, text))
    _close(draft, phase, Ending.ANSWERED)


def _fail(draft: Draft, phase: Running | Asking, said: str, line: str, cause: FailCause | Budget, rules: Rules) -> None:
    """Keep what was said, marked as incomplete, and end with one honest line. The session works on."""
    said = cut_answer(said, rules.answer_max)
    _end(draft, phase, said, line, MessageKind.FAILED, upto=phase.upto)
    draft.fill(phase, DeliveryKind.ANSWER, joined(said, line))
    _close(draft, phase, Ending.FAILED, cause)


def _end(
    draft: Draft, phase: Running | Asking | Interrupted, said: str, line: str, kind: MessageKind, *, upto: Seq
) -> None:
    """Close the transcript of work that has no answer: open calls, what was said, and a row that says how it ended."""
    draft.close_calls(phase.run.generation)
    end_question(draft, phase)
    if said.strip():
        draft.append(partial_key(phase.run.generation), Role.ASSISTANT, said)
    draft.append(conclusion_key(phase.run.work), Role.SYSTEM, line, kind=kind, answers_upto=upto)


def _close(
    draft: Draft,
    phase: Running | Asking | Interrupted,
    ending: Ending,
    failed_by: FailCause | Budget | None = None,
) -> None:
    draft.write(RunClosed(draft.id, phase.run.generation, ending, draft.now, failed_by))
    draft.move(IDLE)
    draft.do(ReportConcluded())


def _interrupt(draft: Draft, phase: Running | Asking) -> None:
    question = phase.question if isinstance(phase, Asking) else None
    draft.move(Interrupted(phase.run, phase.segment, question=question, anchored=phase.anchored))
