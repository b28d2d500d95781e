"""What becomes true with a resume decision: the facts to write, as one transaction. Pure."""

from __future__ import annotations

import json
from datetime import tzinfo
from typing import assert_never

from greenroom.actors.expiring import asked_at
from greenroom.actors.facts import (
    DecisionStored,
    DeliveryFilled,
    DeliveryOpened,
    Fact,
    MessageAppended,
    RunClosed,
    SessionQuarantined,
)
from greenroom.actors.keys import answer_key, conclusion_key, line_key, tool_result_row_key
from greenroom.actors.lines import CUT_RESULT
from greenroom.actors.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Ending,
    Epoch,
    Generation,
    Message,
    MessageKind,
    Role,
    Seq,
)
from greenroom.actors.store import Unfinished
from greenroom.actors.times import read_zone
from greenroom.actors.wording import expired_line, overtaken_line, quarantine_line, unfinished_line
from greenroom.supervisor.decisions import explain, outcome_of, rule_of
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.resume import Decision, Quarantine, Resume, ResumeInputs, Skip, Wait, Why


def decision_facts(
    unfinished: Unfinished,
    decision: Decision,
    inputs: ResumeInputs,
    policy: Policy,
    *,
    epoch: Epoch,
) -> tuple[Fact, ...]:
    """Say what becomes true with a decision; its record comes first.

    All rows carry the session's current generation and the living `epoch`: the store's fence refuses any others.
    What concludes work also concludes the transcript, so that the user's next message starts afresh. Nothing is said
    to a chat that is not allowed any more, except that a placeholder it sees already gets its words.
    """
    record = DecisionStored(
        session_id=unfinished.session_id,
        epoch=epoch,
        generation=unfinished.generation,
        rule=rule_of(decision),
        outcome=outcome_of(decision),
        inputs=json.dumps(explain(inputs, decision, policy)["inputs"], ensure_ascii=False, allow_nan=False),
        at=inputs.now,
    )
    return (record, *_consequences(unfinished, decision, inputs, epoch, read_zone(policy.zone)))


def _consequences(
    unfinished: Unfinished, decision: Decision, inputs: ResumeInputs, epoch: Epoch, zone: tzinfo | None
) -> tuple[Fact, ...]:
    now = inputs.now
    at = asked_at(unfinished.tail, unfinished.run, now)
    match decision:
        case Skip(Why.ANSWERED):
            return _closed(unfinished, Ending.ANSWERED, now)
        case Skip(Why.STOPPED_BY_USER):
            return _closed(unfinished, Ending.STOPPED, now)
        case Skip(Why.FAILED):
            return _closed(unfinished, Ending.FAILED, now)
        case Skip(Why.ALREADY_TRIED):
            line = unfinished_line(at, now=now, zone=zone)
            return _given_up(unfinished, Ending.EMPTY, line, inputs, epoch)
        case Skip(Why.STALE):
            say = overtaken_line if unfinished.waiting else expired_line
            line = say(at, now=now, zone=zone)
            return _given_up(unfinished, Ending.EXPIRED, line, inputs, epoch)
        case Quarantine() if unfinished.quarantined:
            return ()  # Its actor crashed once more; what there is to say was said when it was set aside.
        case Quarantine(attempts, crashing):
            tried = "restarts of its actor" if crashing else "attempts"
            reason = f"{attempts} {tried} without any progress, the last one interrupted: {inputs.reason}"
            line = quarantine_line(attempts, at, now=now, zone=zone)
            key = line_key(unfinished.session_id, unfinished.generation, "quarantined")  # Its answer may come yet.
            said = _shown(unfinished, key, line, inputs, epoch)
            return (SessionQuarantined(unfinished.session_id, reason, now), *said)
        case Skip() | Wait() | Resume():
            return ()
        case _:
            assert_never(decision)


def _closed(unfinished: Unfinished, ending: Ending, now: float) -> tuple[Fact, ...]:
    run = unfinished.run
    return (RunClosed(unfinished.session_id, run.generation, ending, now),) if run is not None else ()


def _given_up(
    unfinished: Unfinished, ending: Ending, line: str, inputs: ResumeInputs, epoch: Epoch
) -> tuple[Fact, ...]:
    """Conclude work that leads nowhere: in the transcript, visibly, and for every later decision."""
    work, generation, now = _work(unfinished), unfinished.generation, inputs.now
    first = unfinished.tail.seq + 1
    cut = [
        Message(Seq(seq), generation, tool_result_row_key(key, generation), Role.TOOL, CUT_RESULT, now, tool_key=key)
        for seq, key in enumerate(sorted(unfinished.tail.open_calls), first)
    ]
    row = Message(
        seq=Seq(first + len(cut)),
        generation=generation,
        key=conclusion_key(work),
        role=Role.SYSTEM,
        text=line,
        at=now,
        kind=MessageKind.FAILED,
        answers_upto=unfinished.tail.user_seq,
    )
    return (
        *(MessageAppended(unfinished.session_id, epoch, each) for each in (*cut, row)),
        *_shown(unfinished, _answer_key(unfinished), line, inputs, epoch),  # As if its actor had given it up just now.
        *_closed(unfinished, ending, inputs.now),
    )


def _shown(unfinished: Unfinished, key: str, line: str, inputs: ResumeInputs, epoch: Epoch) -> tuple[Fact, ...]:
    """Let a line of ours be seen: in the anchor that waits for words, else as a message of its own.

    The anchor is complete with it: should the work go on all the same, what comes of it is shown below.
    """
    if unfinished.anchored:
        return (DeliveryFilled(_answer_key(unfinished), line, inputs.now, DeliveryKind.LINE),)
    return (_line(unfinished, key, line, inputs.now, epoch),) if inputs.allowed else ()


def _answer_key(unfinished: Unfinished) -> str:
    return answer_key(unfinished.session_id, _work(unfinished), unfinished.segment)


def _line(unfinished: Unfinished, key: str, text: str, now: float, epoch: Epoch) -> DeliveryOpened:
    delivery = Delivery(
        key=key,
        session_id=unfinished.session_id,
        session=unfinished.key,
        kind=DeliveryKind.LINE,
        text=text,
        state=DeliveryState.PENDING,
        reply_to=unfinished.run.reply_to if unfinished.run is not None else None,
        created_at=now,
    )
    return DeliveryOpened(epoch, unfinished.generation, delivery)


def _work(unfinished: Unfinished) -> Generation:
    return unfinished.run.work if unfinished.run is not None else unfinished.generation
