"""How orders are carried out: each at once, with its one reply, in the transaction that marks it as done. Pure.

Of an order of whoever runs the service the chat is told what came of it, and not why nothing did.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from greenroom.actors import replies
from greenroom.actors.acts import CancelRun, ReadPast, ReportConcluded
from greenroom.actors.asking import end_question, lapse_of
from greenroom.actors.commands import Command
from greenroom.actors.concluding import cut_short, stop_run, stop_waiting
from greenroom.actors.draft import Draft
from greenroom.actors.events import PastRead, Resumed
from greenroom.actors.facts import (
    InboundSettled,
    RunMarked,
    SessionSuspended,
    SuspensionLifted,
)
from greenroom.actors.interruption import read_reason
from greenroom.actors.keys import operator_key, reply_key
from greenroom.actors.lines import STOPPED_LINE
from greenroom.actors.model import (
    FreshCause,
    InterruptReason,
    MessageKind,
    Question,
    RunCause,
    StoredInbound,
)
from greenroom.actors.opening import Again, open_run
from greenroom.actors.processes import dismiss_processes
from greenroom.actors.rules import Rules
from greenroom.actors.showing import show_suspended
from greenroom.actors.state import Asking, Idle, Interrupted, Running
from greenroom.actors.store import Past
from greenroom.actors.succeeding import succeed
from greenroom.actors.wording import operator_note


def carry_out(draft: Draft, rules: Rules) -> None:
    """Carry out the orders that are on disk, oldest first. None waits for anything that the session does."""
    commands, draft.commands = draft.commands, ()
    for inbound in commands:
        if not draft.succeeded:  # Else it went over to the new session, with its row.
            _carry_out(draft, inbound, rules)


def hear_past(draft: Draft, event: PastRead, rules: Rules) -> None:
    """Carry out the order that waited for this."""
    inbound = next((it for it in draft.looking if it.id == event.inbox_id), None)
    if inbound is not None:
        draft.looking = tuple(it for it in draft.looking if it is not inbound)
        _reply_from_past(draft, inbound, event.past, rules)


def _carry_out(draft: Draft, inbound: StoredInbound, rules: Rules) -> None:
    match inbound.command:
        case Command.HELP:
            _reply(draft, inbound, replies.HELP)
        case Command.STATUS | Command.EXPLAIN | Command.RETRY:
            draft.looking = (*draft.looking, inbound)
            draft.do(ReadPast(inbound.id))
        case Command.STOP:
            _stop(draft, inbound)
        case Command.NEW:
            _begin_anew(draft, inbound, rules)
        case Command.SUSPEND:
            _suspend(draft, inbound)
        case Command.RESUME:
            _resume(draft, inbound, rules)
        case Command.APPROVE:
            _decide(draft, inbound, "yes")
        case Command.DENY:
            _decide(draft, inbound, "no")
        case Command.QUEUE | Command.STEER as command:
            _refuse(draft, inbound, replies.TEXT_WANTED.format(command=command))
        case Command.SEND:
            _send(draft, inbound)
        case None:
            draft.waiting = (*draft.waiting, inbound)
        case _:
            assert_never(inbound.command)


def _reply(draft: Draft, inbound: StoredInbound, text: str) -> None:
    """Answer an order, once, and mark it as carried out."""
    draft.write(InboundSettled(draft.id, inbound.id, draft.generation))
    draft.say(reply_key(inbound.id), text, reply_to=inbound.reply_to)
    draft.do(ReportConcluded())


def _refuse(draft: Draft, inbound: StoredInbound, why: str) -> None:
    """Mark an order as done with though nothing came of it, and say why to who gave it."""
    if inbound.by_operator:
        draft.write(InboundSettled(draft.id, inbound.id, draft.generation, why))
        draft.do(ReportConcluded())
    else:
        _reply(draft, inbound, why)


def _send(draft: Draft, inbound: StoredInbound) -> None:
    """Say what whoever runs the service wants said, once. Its agent reads of it, and it is nobody's answer."""
    draft.note(operator_key(inbound.id), operator_note(inbound.text), MessageKind.OPERATOR)
    _reply(draft, inbound, inbound.text)


def _stop(draft: Draft, inbound: StoredInbound) -> None:
    """End what runs, here and in the background; what waits comes next.

    Where nothing runs, end what would have: it came before the order.
    """
    before = 0
    if runs := not isinstance(draft.phase, Idle):
        stop_run(draft, draft.phase)
    else:
        before = stop_waiting(draft, inbound.id)
        draft.do(CancelRun(draft.generation))  # Its agent may linger after it has concluded.
    ended = dismiss_processes(draft, inbound.id)
    if runs or before or ended:
        waiting = len(draft.waiting)
        _reply(draft, inbound, replies.stopped(STOPPED_LINE, before=before, ended=ended, waiting=waiting))
    else:
        _refuse(draft, inbound, replies.NOTHING_RUNS)


def _begin_anew(draft: Draft, inbound: StoredInbound, rules: Rules) -> None:
    """Conclude all that came before the order, and end what runs; what came after it is the new session's."""
    looking, draft.looking = draft.looking, ()
    for each in looking:
        _reply_from_past(draft, each, None, rules)
    if isinstance(draft.phase, Idle):
        before = stop_waiting(draft, inbound.id)
        line = STOPPED_LINE if before else ""
    else:
        end_question(draft, draft.phase)  # What waits is no answer to it.
        before = draft.take_waiting(inbound.id)
        stop_run(draft, draft.phase)
        line = STOPPED_LINE
    ended = dismiss_processes(draft, inbound.id)
    _reply(draft, inbound, replies.begun_anew(line, before=before, ended=ended))
    succeed(draft, FreshCause.ASKED, rules)


def _suspend(draft: Draft, inbound: StoredInbound) -> None:
    if draft.suspended:
        _refuse(draft, inbound, replies.ALREADY_SUSPENDED)
        return
    draft.suspended = True
    draft.write(SessionSuspended(draft.id, draft.now))
    phase = draft.phase
    if isinstance(phase, Running | Asking):
        draft.write(RunMarked(draft.id, draft.generation, InterruptReason.SUSPENDED))
        draft.move(replace(phase, run=replace(phase.run, interrupted_by=InterruptReason.SUSPENDED)))
        cut_short(draft)
    elif isinstance(phase, Interrupted) and phase.run.interrupted_by is None:
        draft.write(RunMarked(draft.id, phase.run.generation, InterruptReason.SUSPENDED))
        draft.move(replace(phase, run=replace(phase.run, interrupted_by=InterruptReason.SUSPENDED)))
    if isinstance(phase, Running) or (isinstance(phase, Interrupted) and phase.question is None):
        show_suspended(draft, phase)
    interrupted = "" if isinstance(phase, Idle) else "; what was running is interrupted and kept"
    _reply(draft, inbound, replies.SUSPENDED.format(interrupted=interrupted))


def _resume(draft: Draft, inbound: StoredInbound, rules: Rules) -> None:
    """Lift a suspension, and go on with what is open: its user's word counts more than any rule that left it alone."""
    lifted = draft.suspended
    if lifted:
        draft.write(SuspensionLifted(draft.id))
        draft.suspended = False
    phase, say = draft.phase, _reply if lifted else _refuse
    if draft.quarantined:
        say(draft, inbound, replies.SET_ASIDE)
    elif draft.draining is not None:
        say(draft, inbound, replies.RESTARTING)
    elif isinstance(phase, Running):
        say(draft, inbound, replies.RUNS_ALREADY)
    elif isinstance(phase, Asking | Interrupted) and (question := _open_question(draft)) is not None:
        say(draft, inbound, replies.waits_for_answer(question.prompt))
    elif isinstance(phase, Interrupted):
        _reply(draft, inbound, replies.RESUMED)
        reason = read_reason(phase.run, draft.epoch, fell=phase.fell)
        open_run(draft, RunCause.COMMAND, rules, resumed=Resumed(reason))
    elif draft.waiting:
        _reply(draft, inbound, replies.RESUMED)
    else:
        say(draft, inbound, replies.LIFTED if lifted else replies.NOTHING_TO_RESUME)


def _decide(draft: Draft, inbound: StoredInbound, word: str) -> None:
    """Answer what waits for approval: the order is handed on as its user's word."""
    question = _open_question(draft)
    choice = _choice(question, word) if question is not None else None
    if choice is None:
        _refuse(draft, inbound, replies.NOTHING_TO_APPROVE)
    else:
        draft.waiting = (*draft.waiting, replace(inbound, text=choice, command=None))


def _open_question(draft: Draft) -> Question | None:
    """What the agent waits for its user to answer. One that has lapsed keeps nothing waiting."""
    question = draft.phase.question if isinstance(draft.phase, Asking | Interrupted) else None
    return None if question is None or lapse_of(question, draft.now) is not None else question


def _choice(question: Question, word: str) -> str | None:
    return next((choice for choice in question.choices if choice.casefold() == word), None)


def _reply_from_past(draft: Draft, inbound: StoredInbound, past: Past | None, rules: Rules) -> None:
    match inbound.command:
        case Command.STATUS:
            _reply(draft, inbound, replies.status(draft, past.decision if past is not None else None))
        case Command.EXPLAIN if past is not None:
            _reply(draft, inbound, replies.explanation(past.decision, draft.now))
        case Command.RETRY if past is not None:
            _retry(draft, inbound, past, rules)
        case _:
            _refuse(draft, inbound, replies.UNREADABLE)


def _retry(draft: Draft, inbound: StoredInbound, past: Past, rules: Rules) -> None:
    """Run the last request again, however it ended. Work that was interrupted goes on instead."""
    refusal = _why_not_retried(draft)
    if refusal is not None:
        _refuse(draft, inbound, refusal)
    elif isinstance(draft.phase, Interrupted):
        _resume(draft, inbound, rules)
    elif not past.request:
        _refuse(draft, inbound, replies.NOTHING_TO_RETRY)
    else:
        _reply(draft, inbound, replies.RETRIED)
        open_run(draft, RunCause.COMMAND, rules, again=Again(inbound, past.request))


def _why_not_retried(draft: Draft) -> str | None:
    if draft.quarantined:
        return replies.SET_ASIDE
    if draft.suspended:
        return replies.RETRY_SUSPENDED
    if draft.draining is not None:
        return replies.RETRY_LATER
    return replies.RETRY_BUSY if isinstance(draft.phase, Running | Asking) else None
