"""What becomes true with a decision: rows the fence takes, one visible line, and a transcript that is concluded."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from greenroom.actors.draft import Draft
from greenroom.actors.expiring import expire_if_stale
from greenroom.actors.facts import (
    DecisionStored,
    DeliveryFilled,
    DeliveryOpened,
    Fact,
    MessageAppended,
    RunClosed,
    SessionQuarantined,
)
from greenroom.actors.keys import answer_key
from greenroom.actors.model import (
    DeliveryKind,
    DeliveryState,
    Ending,
    Epoch,
    Generation,
    InterruptReason,
    Message,
    OpenRun,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Snapshot,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
    ToolRecord,
)
from greenroom.actors.store import Unfinished
from greenroom.actors.tail import classify_tail, extend_tail
from greenroom.actors.waking import open_session
from greenroom.supervisor.consequences import decision_facts
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.resume import (
    Decision,
    Quarantine,
    Resume,
    ResumeInputs,
    Skip,
    Wait,
    Why,
    decide_resume,
    inputs_from,
)

NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC
AT = NOW - 7200
EPOCH = Epoch(9)
RUN = OpenRun(Generation(4), Epoch(8), Generation(3), RunCause.RESUME, 3, AT + 5, AT + 6, reply_to="m1")
UNFINISHED = Unfinished(
    SessionId(12),
    SessionKey("web", "local", "a"),
    Generation(4),
    RUN,
    Tail(TailKind.USER, AT, Seq(7), Seq(7), Seq(5)),
    0,
    routed=True,
)
LINE = "Your request of 06:00 UTC was interrupted; /retry runs it again."


def inputs_of(unfinished: Unfinished, *, allowed: bool = True) -> ResumeInputs:
    return inputs_from(unfinished, now=NOW, epoch=EPOCH, allowed=allowed, connected=True, unclean_boots=0)


def facts_of(decision: Decision, unfinished: Unfinished = UNFINISHED, *, allowed: bool = True) -> tuple[Fact, ...]:
    return decision_facts(unfinished, decision, inputs_of(unfinished, allowed=allowed), Policy(zone="UTC"), epoch=EPOCH)


@pytest.mark.parametrize("decision", [Resume("x"), Wait(), Quarantine(3), *(Skip(why) for why in Why)], ids=str)
def test_every_decision_is_recorded_first_with_its_inputs(decision: Decision) -> None:
    record = facts_of(decision)[0]
    assert isinstance(record, DecisionStored)
    assert (record.session_id, record.epoch, record.generation, record.at) == (12, 9, 4, NOW)
    assert json.loads(record.inputs)["run"]["work"] == 3


@pytest.mark.parametrize("decision", [Resume("x"), Wait(), Quarantine(3), *(Skip(why) for why in Why)], ids=str)
def test_every_row_is_of_the_living_epoch_and_the_current_generation(decision: Decision) -> None:
    later = replace(UNFINISHED, generation=Generation(6))
    for fact in facts_of(decision, later):
        match fact:
            case MessageAppended(_, epoch, message):
                assert (epoch, message.generation) == (EPOCH, 6)
            case DeliveryOpened(epoch, generation, _) | DecisionStored(_, epoch, generation):
                assert (epoch, generation) == (EPOCH, 6)
            case RunClosed():
                assert fact.generation == RUN.generation
            case SessionQuarantined():
                pass
            case _:
                pytest.fail(f"unexpected {fact}")


@pytest.mark.parametrize(
    "why, ending",
    [(Why.ANSWERED, Ending.ANSWERED), (Why.STOPPED_BY_USER, Ending.STOPPED), (Why.FAILED, Ending.FAILED)],
)
def test_s006_what_the_transcript_concluded_closes_the_run_and_says_nothing(why: Why, ending: Ending) -> None:
    assert facts_of(Skip(why))[1:] == (RunClosed(SessionId(12), Generation(4), ending, NOW),)


LEFT_OPEN = set(Why) - {Why.ANSWERED, Why.STOPPED_BY_USER, Why.FAILED, Why.ALREADY_TRIED, Why.STALE}


@pytest.mark.parametrize("why", sorted(LEFT_OPEN))
def test_s003_s005_the_other_skips_leave_the_run_open(why: Why) -> None:
    assert len(facts_of(Skip(why))) == 1


def test_stale_work_is_closed_as_expired_with_one_line() -> None:
    _, row, line, closed = facts_of(Skip(Why.STALE))
    assert closed == RunClosed(SessionId(12), Generation(4), Ending.EXPIRED, NOW)
    assert isinstance(line, DeliveryOpened)
    assert (line.delivery.kind, line.delivery.state, line.delivery.text) == (
        DeliveryKind.LINE,
        DeliveryState.PENDING,
        LINE,
    )
    assert (line.delivery.session, line.delivery.reply_to) == (UNFINISHED.key, "m1")
    assert isinstance(row, MessageAppended)
    assert row.message.text == LINE


def test_an_anchor_that_is_there_becomes_the_line() -> None:
    facts = facts_of(Skip(Why.STALE), replace(UNFINISHED, anchored=True))
    filled = [fact for fact in facts if isinstance(fact, DeliveryFilled)]
    assert filled == [DeliveryFilled(answer_key(SessionId(12), Generation(3)), LINE, NOW, DeliveryKind.LINE)]
    assert not any(isinstance(fact, DeliveryOpened) for fact in facts)


def test_after_a_question_the_line_goes_to_the_anchor_of_the_segment_that_was_cut() -> None:
    facts = facts_of(Skip(Why.STALE), replace(UNFINISHED, anchored=True, segment=2))
    assert DeliveryFilled(answer_key(SessionId(12), Generation(3), 2), LINE, NOW, DeliveryKind.LINE) in facts


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("calls", [(), ("a", "b")])
def test_a_boot_and_the_users_next_message_give_up_old_work_alike(anchored: bool, calls: tuple[str, ...]) -> None:
    """One is decided without the session's actor, and one within it."""
    kind = TailKind.TOOL_CALLS if calls else TailKind.USER
    tail = replace(UNFINISHED.tail, kind=kind, open_calls=frozenset(calls))
    run = replace(RUN, opened_at=AT - 60)
    unfinished = replace(UNFINISHED, run=run, tail=tail, anchored=anchored, waiting=1)
    records = tuple(ToolRecord(ToolCall(key, "clock", "{}", ToolPolicy.PURE)) for key in calls)
    snapshot = Snapshot(
        UNFINISHED.session_id, UNFINISHED.key, EPOCH, RUN.generation, tail, run, anchored=anchored, calls=records
    )
    draft = Draft(open_session(snapshot), NOW)
    expire_if_stale(draft, Policy(zone="UTC").rules())
    by_boot = facts_of(Skip(Why.STALE), unfinished)[1:]
    assert "of 05:59 UTC was" in str(by_boot)
    assert sorted(map(repr, draft.facts)) == sorted(map(repr, by_boot))


@pytest.mark.parametrize("why", [Why.STALE, Why.ALREADY_TRIED])
def test_after_giving_up_the_users_next_message_starts_afresh(why: Why) -> None:
    row = facts_of(Skip(why))[1]
    assert isinstance(row, MessageAppended)
    tail = extend_tail(UNFINISHED.tail, row.message)
    assert (tail.kind, tail.unanswered, row.message.seq) == (TailKind.FAILED, False, 8)
    asks = Message(Seq(9), Generation(5), "user.9", Role.USER, "and now?", NOW + 1)
    assert classify_tail([asks], tail).answered_upto == 7


@pytest.mark.parametrize("why", [Why.STALE, Why.ALREADY_TRIED])
def test_deciding_after_giving_up_finds_nothing_open(why: Why) -> None:
    row = facts_of(Skip(why))[1]
    assert isinstance(row, MessageAppended)
    closed = replace(UNFINISHED, run=None, tail=extend_tail(UNFINISHED.tail, row.message))
    assert decide_resume(inputs_of(closed), Policy()) == Skip(Why.NOTHING_OPEN)


def test_deciding_twice_writes_the_same_keys() -> None:
    assert facts_of(Skip(Why.STALE)) == facts_of(Skip(Why.STALE))
    assert facts_of(Quarantine(3)) == facts_of(Quarantine(3))


def test_s009_work_that_was_tried_again_in_vain_is_closed_and_the_user_is_not_left_in_silence() -> None:
    _, _, line, closed = facts_of(Skip(Why.ALREADY_TRIED))
    assert closed == RunClosed(SessionId(12), Generation(4), Ending.EMPTY, NOW)
    assert isinstance(line, DeliveryOpened)
    assert "gave no answer; send it again" in str(line.delivery.text)


def test_s041_quarantine_keeps_the_run_and_says_one_line_in_the_anchor_if_there_is_one() -> None:
    for anchored, kind in ((False, DeliveryOpened), (True, DeliveryFilled)):
        _, quarantined, line = facts_of(Quarantine(3), replace(UNFINISHED, anchored=anchored))
        assert isinstance(quarantined, SessionQuarantined)
        assert quarantined.reason == "3 attempts without any progress, the last one interrupted: restart_interrupted"
        assert isinstance(line, kind)
        text = line.text if isinstance(line, DeliveryFilled) else line.delivery.text
        assert "3 times without getting anywhere" in str(text)


@pytest.mark.parametrize("decision", [Skip(Why.STALE), Skip(Why.ALREADY_TRIED), Quarantine(3)], ids=str)
def test_a_chat_that_is_not_allowed_any_more_gets_no_new_message(decision: Decision) -> None:
    assert not any(isinstance(fact, DeliveryOpened) for fact in facts_of(decision, allowed=False))


def test_work_without_a_run_is_given_up_all_the_same() -> None:
    facts = facts_of(Skip(Why.STALE), replace(UNFINISHED, run=None))
    assert [type(fact) for fact in facts] == [DecisionStored, MessageAppended, DeliveryOpened]


@pytest.mark.parametrize("reason", [InterruptReason.ACTOR_CRASHED, "moon_phase"])
def test_the_quarantine_names_the_last_interruption(reason: str) -> None:
    marked = replace(UNFINISHED, run=replace(RUN, interrupted_by=reason))
    quarantined = facts_of(Quarantine(3), marked)[1]
    assert isinstance(quarantined, SessionQuarantined)
    assert quarantined.reason.endswith(reason)
