"""Everything that moves a session lives here (with `opening.py` and `concluding.py`); this file does no I/O.

`step` alone branches on the event, never raises, and returns the new state with what must be written (facts) and, once
that is on disk, done (acts). One guard at its top drops every late event, of any kind, of an older run.
"""

from __future__ import annotations

from typing import assert_never

from greenroom.actors.acts import (
    ArmAlarm,
    ArmIdle,
    CallOff,
    CancelAlarms,
    Effects,
    Rest,
    ShowTyping,
)
from greenroom.actors.amending import settle_changes
from greenroom.actors.asking import (
    answer_to,
    give_up_waiting,
    lapse_of,
    lose_question,
    put_question,
    take_answer,
    turn_presses_away,
    waits_until,
)
from greenroom.actors.commanding import carry_out, hear_past
from greenroom.actors.concluding import conclude, cut_short, give_up
from greenroom.actors.draft import Draft
from greenroom.actors.events import (
    Added,
    Alarm,
    Arrived,
    Asked,
    CutShort,
    Drained,
    Event,
    IdleRang,
    LifeShown,
    Listened,
    Matched,
    PastRead,
    ProcessHeard,
    ProcessOver,
    Progressed,
    Rang,
    Released,
    Reported,
    Resumed,
    RetryRang,
    RowsWritten,
    RunEnded,
    RunEvent,
    SpawnPlanned,
    SpendingReported,
    Spoke,
    Summarised,
    ToolCalled,
    ToolReturned,
    ToolWithheld,
    Undelivered,
    WatchDropped,
    Woke,
)
from greenroom.actors.expiring import expire_if_stale
from greenroom.actors.facts import RunMarked
from greenroom.actors.keys import aside_key
from greenroom.actors.lines import (
    ASIDE_LINE,
    SUSPENDED_LINE,
    endless_line,
    silent_line,
)
from greenroom.actors.model import (
    FailCause,
    Generation,
    InterruptReason,
    Lapse,
    RunCause,
    StoredInbound,
)
from greenroom.actors.opening import open_run
from greenroom.actors.postponing import try_again
from greenroom.actors.processes import consume_process, drop_watch, has_news, hear_end, hear_match, plan_process
from greenroom.actors.releasing import release
from greenroom.actors.rules import Rules
from greenroom.actors.showing import show, show_aside, show_drain, show_notice
from greenroom.actors.spending import take_report
from greenroom.actors.state import Asking, Idle, Interrupted, Running, Session
from greenroom.actors.steering import hand_over, meet_run, tell_of_queue
from greenroom.actors.succeeding import reset_if_due
from greenroom.actors.tooling import call_tool, keep_result, withhold_tool
from greenroom.actors.waking import open_session
from greenroom.actors.writing import add_after, write_own

LATE_MAX_S = 10.0
"""A timer that rings so much too late tells of its host, and not of a run."""

LOOK_AGAIN_S = 1.0
"""How soon it is looked again whether a time is over: what two clocks tell, or sums of times, agree to no digit."""

__all__ = ["Asking", "Idle", "Interrupted", "Running", "Session", "open_session", "step"]


def step(  # noqa: C901, PLR0912 - one line an event
    session: Session, event: Event, now: float, rules: Rules
) -> tuple[Session, Effects]:
    """Move the session by one event. `now` is wall time in UTC epoch seconds."""
    if isinstance(event, RunEvent):
        phase = session.phase
        if not isinstance(phase, Running | Asking) or event.generation != session.generation:
            return session, Effects()  # Late: a timer, a tool or a run that outlived its turn.
        return _step_run(session, phase, event, now, rules)
    draft = Draft(session, now)
    if isinstance(event, Arrived):
        _take_in(draft, event.inbound)
    if any(each.change is not None for each in draft.waiting):
        settle_changes(draft, rules)
    turn_presses_away(draft)  # Before an order that begins a run with all that waits; and once more after it.
    if draft.commands:
        carry_out(draft, rules)
    match event:
        case Arrived() | Woke():
            _go_on(draft, rules)
        case PastRead():
            hear_past(draft, event, rules)
            _go_on(draft, rules)
        case Released():
            release(draft)
        case Resumed():
            _resume(draft, event, rules)
        case Drained(reason):
            _drain(draft, reason)
        case CutShort():
            cut_short(draft)
        case Undelivered(key):
            lose_question(draft, key, rules)
            if isinstance(draft.phase, Interrupted):
                _go_on(draft, rules)
        case IdleRang():
            _offer_rest(draft, rules)
        case RetryRang(generation):
            _retry(draft, generation, rules)
        case ProcessOver():
            hear_end(draft, event)
            _go_on(draft, rules)
        case WatchDropped():
            drop_watch(draft, event)
        case Added():
            add_after(draft, event, rules)
        case _:
            assert_never(event)
    return draft.result()


def _step_run(  # noqa: C901, PLR0912 - one line an event
    session: Session, phase: Running | Asking, event: RunEvent, now: float, rules: Rules
) -> tuple[Session, Effects]:
    draft = Draft(session, now)
    match event:
        case LifeShown():
            draft.anchor(phase)
            draft.hear(rules)
        case Spoke(_, text):
            show(draft, phase, text, rules)
        case Reported(_, text):
            show_aside(draft, phase, text, rules)
        case Progressed():
            draft.stamp(phase.run)
            draft.hear(rules)
        case SpendingReported():
            take_report(draft, phase, event, rules)
            _after_spending(draft, rules)
        case Listened():
            hand_over(draft, phase, event, rules)
        case ToolCalled():
            call_tool(draft, phase, event, rules)
            _after_spending(draft, rules)
        case ToolWithheld():
            withhold_tool(draft, phase, event, rules)
            _after_spending(draft, rules)
        case ToolReturned():
            keep_result(draft, phase, event, rules)
        case RowsWritten() | Summarised():
            write_own(draft, phase, event, rules)
            if isinstance(draft.phase, Idle):
                _after_run(draft, rules)
        case Asked():
            put_question(draft, phase, event)
        case SpawnPlanned():
            plan_process(draft, phase, event)
            draft.hear(rules)
        case ProcessHeard():
            consume_process(draft, event)
            draft.hear(rules)
        case Matched():
            hear_match(draft, event)
        case RunEnded(_, outcome):
            conclude(draft, phase, outcome, rules)
            _after_run(draft, rules)
        case Rang():
            _ring(draft, phase, event, rules)
        case _:
            assert_never(event)
    return draft.result()


# -- what comes from outside ------------------------------------------------------------------------------------------


def _take_in(draft: Draft, inbound: StoredInbound) -> None:
    if inbound.id <= draft.cursor:
        return  # It was there already when the session was loaded.
    draft.cursor = inbound.id
    if draft.succeeded:
        return  # Its row went over to the new session, which handles it.
    if inbound.command is None:
        draft.waiting = (*draft.waiting, inbound)
    else:
        draft.commands = (*draft.commands, inbound)


def _go_on(draft: Draft, rules: Rules) -> None:
    """Hand what waits to a run, or to the question it answers, if this is the moment."""
    turn_presses_away(draft)
    match draft.phase:
        case Asking() as phase if draft.draining is None:
            take_answer(draft, phase, rules)
        case Running() as phase:
            meet_run(draft, phase, rules)
        case Asking():
            pass  # It waits in the inbox for the next run.
        case Idle() | Interrupted():
            if _may_begin(draft):
                expire_if_stale(draft, rules)
                if not reset_if_due(draft, rules):
                    open_run(draft, RunCause.INBOUND if draft.waiting else RunCause.PROCESS, rules)
            else:
                _tell_aside(draft)
                draft.do(ArmIdle(_may_begin_in(draft) or rules.idle_s))
        case _:
            assert_never(draft.phase)


def _tell_aside(draft: Draft) -> None:
    """Say to who writes into a session that is set aside that nothing will come until that is over.

    Once, as long as the message waits whose writer was told: not by the session's word, which may be given twice.
    """
    if not (draft.quarantined or draft.suspended) or not draft.waiting:
        return
    if not any(each.id == draft.told_aside for each in draft.waiting):
        newest = draft.waiting[-1]
        draft.told_aside = newest.id
        line = ASIDE_LINE if draft.quarantined else SUSPENDED_LINE
        draft.say(aside_key(newest.id), line, reply_to=newest.reply_to)


def _may_begin(draft: Draft) -> bool:
    """Whether what waits may start a run. While a question is open only its answer does; older words wait with it.

    News of background processes start new work, and none that was interrupted: whether that goes on is decided above.
    """
    if draft.quarantined or draft.suspended or draft.draining is not None:
        return False
    if draft.looking:
        return False  # An order came first; it is carried out in a moment.
    if not draft.waiting:
        return isinstance(draft.phase, Idle) and has_news(draft) and not draft.succeeded
    question = draft.phase.question if isinstance(draft.phase, Interrupted) else None
    if question is None or lapse_of(question, draft.now) is not None:
        return True
    return answer_to(question, draft.waiting) is not None


def _may_begin_in(draft: Draft) -> float | None:
    """Seconds until what waits behind an open question need not wait for it any more; None: until it is answered."""
    question = draft.phase.question if isinstance(draft.phase, Interrupted) else None
    held = draft.quarantined or draft.suspended or not draft.waiting
    until = waits_until(question) if question is not None and not held else None
    return None if until is None else max(LOOK_AGAIN_S, until - draft.now)


def _resume(draft: Draft, event: Resumed, rules: Rules) -> None:
    match draft.phase:
        case Interrupted(question=None) if draft.draining is None and not (draft.quarantined or draft.suspended):
            open_run(draft, RunCause.RESUME, rules, resumed=event)
        case Running():
            pass  # The user's message won: its run handles both.
        case Asking():
            draft.report_over()  # And has come to a question: it needs no place among the resumed.
        case Interrupted() | Idle():
            _go_on(draft, rules)
            if not isinstance(draft.phase, Running):
                draft.report_over()  # Nothing to resume: whoever counts resumed runs is not kept waiting.
        case _:
            assert_never(draft.phase)


def _drain(draft: Draft, reason: InterruptReason) -> None:
    """Begin nothing more. A run that waits for its user is not waited for: the question stays open on disk."""
    draft.draining = reason
    match draft.phase:
        case Running() as phase:
            if phase.said:  # Words that stream are progress, which is not written for each of them.
                draft.stamp(phase.run)
            draft.write(RunMarked(draft.id, draft.generation, reason))
            draft.do(CancelAlarms(), CallOff(draft.generation))  # It may wait for the run before it.
            show_drain(draft, phase, reason)
        case Asking():
            draft.write(RunMarked(draft.id, draft.generation, reason))
            cut_short(draft)
        case Idle() | Interrupted():
            draft.report_over()  # The drain waits for every session's word.
        case _:
            assert_never(draft.phase)


def _offer_rest(draft: Draft, rules: Rules) -> None:
    match draft.phase:
        case Running() | Asking() | Interrupted(retrying=True):
            pass
        case Idle() | Interrupted() if _may_begin_in(draft) is not None:
            _go_on(draft, rules)
        case Idle() | Interrupted():
            if not draft.looking and not _may_begin(draft):
                draft.do(Rest())
        case _:
            assert_never(draft.phase)


def _retry(draft: Draft, generation: Generation, rules: Rules) -> None:
    """Try again what that run could not do, unless something else became of it."""
    phase = draft.phase
    waits = isinstance(phase, Interrupted) and phase.retrying and phase.run.generation == generation
    if waits and draft.draining is None and not (draft.quarantined or draft.suspended):
        try_again(draft, rules)


# -- what comes from the run ------------------------------------------------------------------------------------------


def _ring(draft: Draft, phase: Running | Asking, event: Rang, rules: Rules) -> None:
    if isinstance(phase, Asking):  # The user takes as long as the user takes, or as the agent said.
        if event.alarm is Alarm.QUESTION and event.question == phase.question.key:
            give_up_waiting(draft, phase, Lapse.TIMED_OUT, rules)
        return
    if event.late_s > LATE_MAX_S:  # The host slept: nobody could be heard.
        draft.hear(rules)
    if event.alarm in {Alarm.NOTICE, Alarm.TYPING} and draft.draining is not None:
        return  # It rang before the order came that silences it.
    match event.alarm:
        case Alarm.PLACEHOLDER:
            draft.anchor(phase)
        case Alarm.NOTICE:
            show_notice(draft, phase, rules)
        case Alarm.TYPING:
            draft.do(ShowTyping(), ArmAlarm(draft.generation, Alarm.TYPING, rules.typing_every_s))
        case Alarm.SILENCE:
            if event.late_s <= LATE_MAX_S:  # Else it was heard of just now.
                _end_in_time(draft, phase, event, rules.silent_max_s, rules)
        case Alarm.LIMIT:
            _end_in_time(draft, phase, event, rules.run_max_s, rules)
        case Alarm.QUESTION:
            pass  # It was answered while this rang.
        case _:
            assert_never(event.alarm)


def _end_in_time(draft: Draft, phase: Running, event: Rang, most_s: float, rules: Rules) -> None:
    """Give up a run that had its time. While it waited to begin, and while its host slept, it had none."""
    if event.ran_s < most_s:
        draft.do(ArmAlarm(draft.generation, event.alarm, max(LOOK_AGAIN_S, most_s - event.ran_s)))
        return
    if event.alarm is Alarm.SILENCE:
        give_up(draft, phase, silent_line(most_s), FailCause.SILENT, rules)
    else:
        give_up(draft, phase, endless_line(most_s), FailCause.ENDLESS, rules)
    _after_run(draft, rules)


def _after_spending(draft: Draft, rules: Rules) -> None:
    if isinstance(draft.phase, Idle):  # It went over its budget, once too often.
        _after_run(draft, rules)


def _after_run(draft: Draft, rules: Rules) -> None:
    """What waited during the run is handed to the next one, in the same transaction."""
    if isinstance(draft.phase, Idle):
        tell_of_queue(draft, rules)
    _go_on(draft, rules)
