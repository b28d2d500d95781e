"""How a run begins: what is closed before it, what the transcript says of the interruption, what it is handed. Pure."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.acts import ReportRun, ShowText, StartRun
from greenroom.actors.asking import answer_to, lapse_of, note_lapse
from greenroom.actors.draft import Draft
from greenroom.actors.events import Resumed
from greenroom.actors.facts import QuestionAnswered, RunClosed, RunOpened, RunSpent
from greenroom.actors.interruption import read_reason
from greenroom.actors.keys import note_key, retry_key
from greenroom.actors.model import (
    NOTHING_SPENT,
    Ending,
    Generation,
    InterruptReason,
    Lapse,
    Message,
    MessageKind,
    OpenRun,
    Question,
    Role,
    RunCause,
    StoredInbound,
    Tail,
)
from greenroom.actors.processes import anchor_of_news, forget_matches, tell_news
from greenroom.actors.rules import Rules
from greenroom.actors.state import Interrupted, Running
from greenroom.actors.succeeding import tell_of_beginning
from greenroom.actors.tools import MAY_HAVE_HAPPENED
from greenroom.actors.wording import lapsed_note, recovery_note, user_notice

DRAINED = frozenset({InterruptReason.RESTART_TIMEOUT, InterruptReason.SHUTDOWN_TIMEOUT})
"""What an orderly end of the process writes on the runs that it cuts short."""


BLAMELESS = frozenset({InterruptReason.PROVIDER_ERROR, InterruptReason.USER_WROTE, InterruptReason.SUSPENDED})
"""Why an attempt may have ended that says nothing of the work itself."""


class Again(Struct, frozen=True):
    """A request that its user wants to be run once more: `by` is the order."""

    by: StoredInbound
    request: tuple[Message, ...]


def open_run(
    draft: Draft, cause: RunCause, rules: Rules, *, resumed: Resumed | None = None, again: Again | None = None
) -> None:
    """Start the next run: of new work, or one more attempt at work that was interrupted. One run handles both."""
    old = draft.phase if isinstance(draft.phase, Interrupted) else None
    lapse = lapse_of(old.question, draft.now) if old is not None and old.question is not None else None
    answer = _find_answer(draft, old) if lapse is None else None
    draft.told_excess = False
    if old is None:
        draft.spent = NOTHING_SPENT
    taken = _take(draft, answer, rules)
    draft.generation = Generation(draft.generation + 1)
    replied_to = taken if again is None else (again.by, *taken)
    run = _next_run(draft, cause, old, replied_to, resumed, answered=answer is not None)
    tail = draft.tail
    if old is not None:
        draft.write(RunClosed(draft.id, old.run.generation, _ending(old.run), draft.now))
    slot = len(draft.facts)  # The run's row comes before the rows it fences, and carries the tail after them.
    note = _tell_of_interruption(draft, old, tail, resumed, lapse)
    news = tell_news(draft) if cause is RunCause.PROCESS else ()
    forget_matches(draft)
    new = [] if again is None else _repeat(draft, again)
    new += [draft.append_user(inbound) for inbound in taken]
    if old is not None and old.question is not None and answer is not None:
        draft.write(QuestionAnswered(draft.id, old.question.key, answer.text, draft.now))
    draft.facts.insert(slot, RunOpened(draft.id, run, draft.tail))
    if draft.spent != NOTHING_SPENT:
        draft.write(RunSpent(draft.id, run.generation, draft.spent))
    if draft.because is not None:
        tell_of_beginning(draft, rules, reply_to=run.reply_to)
    phase = _start(
        draft, run, old, new=tuple(new), news=news, note=note, late_s=_lateness(draft.now, taken, rules), rules=rules
    )
    if resumed is not None and old is not None:  # The person sees that the work goes on, and why it had stopped.
        draft.anchor(phase)
        draft.do(ShowText(draft.answer_key(phase), user_notice(resumed.reason)))


def _ending(run: OpenRun) -> Ending:
    return Ending.SUPERSEDED if run.interrupted_by == InterruptReason.USER_WROTE else Ending.INTERRUPTED


def _find_answer(draft: Draft, old: Interrupted | None) -> StoredInbound | None:
    return answer_to(old.question, draft.waiting) if old is not None and old.question is not None else None


def _repeat(draft: Draft, again: Again) -> list[Message]:
    by = again.by.id
    return [
        draft.append(retry_key(by, number), Role.USER, message.text, author=message.author)
        for number, message in enumerate(again.request, 1)
    ]


def _take(draft: Draft, answer: StoredInbound | None, rules: Rules) -> tuple[StoredInbound, ...]:
    """Take what the run is handed, oldest first: at most a batch, but never without the answer that it waits for."""
    count = rules.inbox_batch_max
    if answer is not None:
        count = max(count, draft.waiting.index(answer) + 1)
    taken, draft.waiting = draft.waiting[:count], draft.waiting[count:]
    return taken


def _next_run(
    draft: Draft,
    cause: RunCause,
    old: Interrupted | None,
    taken: tuple[StoredInbound, ...],
    resumed: Resumed | None,
    *,
    answered: bool,
) -> OpenRun:
    generation = draft.generation
    reply_to = next((inbound.reply_to for inbound in reversed(taken) if inbound.reply_to), None)
    if not taken and old is None:
        reply_to = anchor_of_news(draft)
    run = OpenRun(
        generation=generation,
        epoch=draft.epoch,
        work=generation,
        cause=cause,
        attempt=1,
        opened_at=draft.now,
        last_progress_at=draft.now,
        reply_to=reply_to,
    )
    if old is None:
        return run
    attempt = 1 if old.question is not None else max(1, old.run.attempt + _counts(draft, old, resumed))
    last_progress_at = draft.now if taken else old.run.last_progress_at  # A restart is no progress; the user is.
    if answered:
        cause = RunCause.ANSWERED_QUESTION
    return replace(
        run,
        cause=cause,
        work=old.run.work,
        attempt=attempt,
        last_progress_at=last_progress_at,
        reply_to=reply_to or old.run.reply_to,
    )


def _reason(draft: Draft, old: Interrupted, resumed: Resumed | None) -> InterruptReason | str:
    return read_reason(old.run, draft.epoch, fell=old.fell) if resumed is None else resumed.reason


def _counts(draft: Draft, old: Interrupted, resumed: Resumed | None) -> bool:
    """Say whether the attempt that was interrupted counts against the work, as one that may be to blame for it.

    It does not when it moved the work on before an orderly drain cut it short, nor when the house fell around it
    (an actor crashed, in an epoch before this one): its own actor, or the process, died of neither. Nor when what
    it needed could not be reached: for that there is a limit of its own. Nor when its own user ended it, by writing or
    by an order.
    """
    run = old.run
    if run.interrupted_by in BLAMELESS:
        return False
    drained = run.interrupted_by in DRAINED and run.last_progress_at > run.opened_at
    fell = _reason(draft, old, resumed) == InterruptReason.ACTOR_CRASHED and run.epoch < draft.epoch
    return not drained and not fell


def _tell_of_interruption(
    draft: Draft, old: Interrupted | None, tail: Tail, resumed: Resumed | None, lapse: Lapse | None
) -> str | None:
    """Close calls whose results are unknown and leave exactly one note for the agent; nothing is the user's words."""
    if old is None:
        return None
    draft.close_calls(old.run.generation, at=tail.at)  # Of the attempt that called, and nothing that looks fresh.
    if old.question is not None:
        return None if lapse is None else _tell_of_lapse(draft, old.question, lapse)
    reason = _reason(draft, old, resumed)
    done = [record.call for record in old.calls if record.result is not None]
    unknown = [record.call for record in old.calls if record.result is None and record.call.policy in MAY_HAVE_HAPPENED]
    text = recovery_note(reason, tail=tail.kind, done=done, in_doubt=unknown)
    draft.append(note_key(draft.generation), Role.SYSTEM, text, kind=MessageKind.RECOVERY_NOTE)
    return text


def _tell_of_lapse(draft: Draft, question: Question, lapse: Lapse) -> str:
    """Let the agent know that what its user says now is no answer: the question was over before."""
    if draft.tail.asking:  # Else it is told there already, by a process that waited.
        note_lapse(draft, question, lapse)
    text = lapsed_note(question.prompt, lapse)
    draft.append(note_key(draft.generation), Role.SYSTEM, text, kind=MessageKind.RECOVERY_NOTE)
    return text


def _start(
    draft: Draft,
    run: OpenRun,
    old: Interrupted | None,
    *,
    new: tuple[Message, ...],
    news: tuple[Message, ...],
    note: str | None,
    late_s: float,
    rules: Rules,
) -> Running:
    segment, anchored = (old.segment, old.anchored) if old is not None else (0, False)
    waited_s = old.waited_s if old is not None and not new else 0.0  # Whoever writes begins a new patience.
    phase = Running(run, segment, draft.tail.user_seq, anchored=anchored, late_s=late_s, waited_s=waited_s)
    draft.move(phase)
    draft.do(ReportRun(live=True), StartRun(run, new, note, news))
    draft.arm_run(rules)
    return phase


def _lateness(now: float, taken: tuple[StoredInbound, ...], rules: Rules) -> float:
    waited = now - min([inbound.at for inbound in taken], default=now)
    return waited if waited > rules.late_s else 0.0
