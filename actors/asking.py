"""Questions to the user: how one is put, what answers it, and how it is over without an answer. Pure.

Until it is answered or has lapsed, it is the user's turn: nothing of the work goes on by itself. In a process that
waits, an alarm says when its time is over (monotonic); after a restart the wall clock does, and then only when the user
writes: a question is never a reason to wake a session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from greenroom.actors.acts import ArmAlarm, CancelAlarms, Confirm, ReportConcluded, ReportRun
from greenroom.actors.events import Alarm, Asked
from greenroom.actors.facts import InboundSettled, QuestionAnswered, QuestionAsked, QuestionLapsed, RunProgressed
from greenroom.actors.keys import lapsed_row_key, over_what, question_row_key
from greenroom.actors.lines import OVER_LINE, lapsed_text, with_choices
from greenroom.actors.model import DeliveryKind, Lapse, MessageKind, Question, Role, StoredInbound
from greenroom.actors.state import Asking, Interrupted, Running

if TYPE_CHECKING:
    from greenroom.actors.draft import Draft
    from greenroom.actors.rules import Rules


def put_question(draft: Draft, phase: Running | Asking, event: Asked) -> None:
    """Put it where the answer would have come: in the anchor, after what was said already."""
    question = replace(event.question, after=draft.cursor, asked_at=draft.now, delivery=draft.answer_key(phase))
    text = "\n\n".join(part for part in (event.said, question.prompt) if part)
    draft.write(QuestionAsked(draft.id, draft.epoch, draft.generation, phase.run.work, question, draft.now))
    draft.append(
        question_row_key(question.key), Role.ASSISTANT, with_choices(text, question.choices), kind=MessageKind.QUESTION
    )
    draft.write(RunProgressed(draft.id, phase.run.generation, draft.now, draft.tail, phase.run.attempt))
    draft.fill(phase, DeliveryKind.QUESTION, text, question.choices)
    draft.move(Asking(phase.run, question, phase.segment + 1, phase.upto))
    draft.do(CancelAlarms(), Confirm(draft.generation, question.key))
    draft.report_over()
    if question.timeout_s > 0:
        draft.do(ArmAlarm(draft.generation, Alarm.QUESTION, question.timeout_s, question.key))


def answer_to(question: Question, waiting: tuple[StoredInbound, ...]) -> StoredInbound | None:
    """Find what answers a question: the first words that came after it was asked, or a press of its own button."""
    own = {None, question.delivery}
    return next((inbound for inbound in waiting if inbound.id > question.after and inbound.answers in own), None)


def turn_presses_away(draft: Draft) -> None:
    """Tell who pressed a button of a question that is over. Nothing else comes of it: no answer, and no run.

    It is over for whoever presses after what answers it, although that may still wait for the agent. While the process
    is to end, or the session is set aside, the press waits, too.
    """
    if not draft.waiting or draft.draining is not None or draft.quarantined:
        return
    question = draft.phase.question if isinstance(draft.phase, Asking | Interrupted) else None
    answer = answer_to(question, draft.waiting) if question is not None else None
    late = [inbound for inbound in draft.waiting if inbound.answers is not None and inbound is not answer]
    for inbound in late:
        draft.write(InboundSettled(draft.id, inbound.id, draft.generation))
        draft.say_line(over_what(inbound.id), OVER_LINE, reply_to=inbound.reply_to)
    if late:
        draft.do(ReportConcluded())
        draft.waiting = tuple(inbound for inbound in draft.waiting if inbound not in late)


def take_answer(draft: Draft, phase: Asking, rules: Rules) -> None:
    """Hand the first message that came after the question to the agent that waits for it; older ones keep waiting."""
    inbound = answer_to(phase.question, draft.waiting)
    if inbound is None:
        return
    seq = draft.append_user(inbound).seq
    draft.write(QuestionAnswered(draft.id, phase.question.key, inbound.text, draft.now))
    draft.waiting = tuple(it for it in draft.waiting if it is not inbound)
    run = replace(phase.run, attempt=1, last_progress_at=draft.now)
    draft.write(RunProgressed(draft.id, run.generation, draft.now, draft.tail, run.attempt))
    draft.move(Running(run, phase.segment, seq, anchored=phase.anchored, said=phase.said))
    draft.do(CancelAlarms(), ReportRun(live=True), Confirm(draft.generation, _answer_key(phase.question), inbound.text))
    draft.arm_run(rules)


def give_up_waiting(draft: Draft, phase: Asking, lapse: Lapse, rules: Rules) -> None:
    """Let the agent go on without an answer. What its user says from now on is a message like any other."""
    note_lapse(draft, phase.question, lapse)
    draft.write(RunProgressed(draft.id, phase.run.generation, draft.now, draft.tail, phase.run.attempt))
    draft.move(Running(phase.run, phase.segment, phase.upto, anchored=phase.anchored, said=phase.said))
    draft.do(CancelAlarms(), ReportRun(live=True), Confirm(draft.generation, _answer_key(phase.question), lapse))
    draft.arm_run(rules)


def note_lapse(draft: Draft, question: Question, lapse: Lapse) -> None:
    """Let it be on disk, and in the transcript, that nobody answered."""
    draft.write(QuestionLapsed(draft.id, question.key, lapse, draft.now))
    draft.append(lapsed_row_key(question.key), Role.SYSTEM, lapsed_text(lapse), kind=MessageKind.LAPSED)


def end_question(draft: Draft, phase: Running | Asking | Interrupted) -> None:
    """The work is concluded: what it asked is over with it, and answered by nothing that is said from now on."""
    question = phase.question if isinstance(phase, Asking | Interrupted) else None
    if question is not None and draft.tail.asking:
        note_lapse(draft, question, lapse_of(question, draft.now) or Lapse.ENDED)


def lose_question(draft: Draft, key: str, rules: Rules) -> None:
    """Hear that a delivery will never be seen. If it is the question that is open, nobody was asked."""
    match draft.phase:
        case Asking(question=question) as phase if question.delivery == key:
            give_up_waiting(draft, phase, Lapse.UNDELIVERED, rules)
        case Interrupted(question=Question(lapsed=None) as question) as stale if question.delivery == key:
            draft.move(replace(stale, question=replace(question, lapsed=Lapse.UNDELIVERED)))
        case _:
            pass


def lapse_of(question: Question, now: float) -> Lapse | None:
    """Say why a question that nobody waits for in this process is over, if it is.

    A wall clock that was set back makes it wait longer, never shorter.
    """
    overdue = 0 < question.timeout_s <= now - question.asked_at
    return question.lapsed or (Lapse.TIMED_OUT if overdue else None)


def waits_until(question: Question) -> float | None:
    """When an open question is over, in UTC epoch seconds; None: never."""
    return question.asked_at + question.timeout_s if question.timeout_s > 0 and question.lapsed is None else None


def _answer_key(question: Question) -> str:
    return f"{question.key}.answer"
