"""`step` as lists of events, and as a machine that is fed anything."""

from dataclasses import replace
from typing import Any

import pytest

from greenroom.actors.acts import (
    ArmAlarm,
    ArmIdle,
    CancelAlarms,
    CancelRun,
    Confirm,
    Deliver,
    Effects,
    OpenAnchor,
    ReportConcluded,
    ReportRun,
    Rest,
    ShowText,
    StartRun,
)
from greenroom.actors.events import (
    Alarm,
    Answered,
    Arrived,
    Asked,
    Cancelled,
    CutShort,
    Drained,
    Event,
    Failed,
    IdleRang,
    LifeShown,
    Progressed,
    Rang,
    Reported,
    Resumed,
    RunEnded,
    Spoke,
    ToolCalled,
    ToolReturned,
    ToolWithheld,
    Woke,
)
from greenroom.actors.facts import (
    DeliveryFilled,
    DeliveryOpened,
    InboundTaken,
    MessageAppended,
    QuestionAnswered,
    QuestionAsked,
    RunClosed,
    RunMarked,
    RunOpened,
    RunProgressed,
    ToolEnded,
    ToolStarted,
)
from greenroom.actors.model import (
    DeliveryKind,
    DeliveryState,
    Ending,
    Epoch,
    Generation,
    InboxId,
    InterruptReason,
    MessageKind,
    OpenRun,
    Question,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Snapshot,
    StoredInbound,
    Tail,
    TailKind,
    ToolCall,
    ToolPolicy,
    ToolRecord,
)
from greenroom.actors.rules import Rules
from greenroom.actors.session import Asking, Idle, Interrupted, Running, Session, open_session, step

S, E, G1, G2 = SessionId(1), Epoch(3), Generation(1), Generation(2)
KEY = SessionKey("web", "bot", "ann")
RULES = Rules()
NOW = 1_000.0
CALL = ToolCall("1.1.tool.x.0", "clock", "{}", ToolPolicy.PURE)
QUESTION = Question("1.1.question.x.0", "Which?", ("red", "blue"))


def said(number: int, text: str = "hello", at: float = NOW) -> StoredInbound:
    return StoredInbound(InboxId(number), text, "Ann", at, reply_to=f"m{number}")


def fresh(**changes: Any) -> Session:
    return open_session(replace(Snapshot(S, KEY, E, Generation(0), Tail()), **changes))


def after(session: Session, *events: Event, now: float = NOW, rules: Rules = RULES) -> tuple[Session, Effects]:
    """The state after these events, and the effects of the last one."""
    effects = Effects()
    for event in events:
        session, effects = step(session, event, now, rules)
    return session, effects


def running() -> Session:
    return after(fresh(), Arrived(said(1)))[0]


def of(kind: type[Any], effects: Effects) -> list[Any]:
    return [each for each in (*effects.facts, *effects.acts) if type(each) is kind]


def kinds(effects: Effects) -> list[str]:
    return [type(each).__name__ for each in (*effects.facts, *effects.acts)]


def test_a_message_starts_a_run_and_is_its_first_row() -> None:
    session, effects = after(fresh(), Arrived(said(1)))
    assert kinds(effects) == [
        *("RunOpened", "MessageAppended", "InboundTaken"),
        *("ReportRun", "StartRun", "ArmAlarm", "ArmAlarm", "ArmAlarm"),
    ]
    (opened,) = of(RunOpened, effects)
    assert (opened.run.generation, opened.run.epoch, opened.run.work, opened.run.attempt) == (1, E, 1, 1)
    assert opened.tail.kind is TailKind.USER
    (start,) = of(StartRun, effects)
    assert [message.text for message in start.new] == ["hello"]
    assert start.note is None
    assert isinstance(session.phase, Running)


def test_answer_row_and_delivery_are_one_transaction() -> None:
    session, effects = after(running(), RunEnded(G1, Answered("Hi.")))
    (row,), (delivery,), (closed,) = of(MessageAppended, effects), of(DeliveryOpened, effects), of(RunClosed, effects)
    assert (row.message.text, row.message.finish, row.message.answers_upto) == ("Hi.", "stop", 1)
    assert (delivery.delivery.text, delivery.delivery.state) == ("Hi.", DeliveryState.PENDING)
    assert (delivery.delivery.key, delivery.delivery.reply_to) == ("1.1.answer", "m1")
    assert closed.ending is Ending.ANSWERED
    assert kinds(effects)[3:] == ["CancelAlarms", "Deliver", "ReportConcluded", "ReportRun", "ArmIdle"]
    assert isinstance(session.phase, Idle)
    assert session.tail.kind is TailKind.FINAL


def test_a_run_is_reported_as_over_after_its_answer_was_handed_on() -> None:
    for outcome in (Answered("Hi."), Answered(""), Failed("(no)"), Cancelled()):
        acts = [type(act) for act in after(running(), RunEnded(G1, outcome))[1].acts]
        assert acts.index(Deliver) < acts.index(ReportRun)


def test_a_streamed_answer_fills_the_anchor_it_was_streamed_into() -> None:
    session, effects = after(running(), Spoke(G1, "Let me"))
    assert kinds(effects) == ["DeliveryOpened", "OpenAnchor", "ShowText", "ArmAlarm"]
    assert of(DeliveryOpened, effects)[0].delivery.text is None
    session, effects = after(session, Spoke(G1, "Let me see"))
    assert kinds(effects) == ["ShowText", "ArmAlarm"]
    _, effects = after(session, RunEnded(G1, Answered("Let me see. Four.")))
    assert of(DeliveryFilled, effects)[0].text == "Let me see. Four."
    assert not of(DeliveryOpened, effects)


def test_a_remark_is_shown_and_is_no_part_of_what_was_said() -> None:
    session, _ = after(running(), Spoke(G1, "Let me see."), Reported(G1, "searching"))
    session, effects = after(session, Reported(G1, "reading"))
    assert of(ShowText, effects)[0].text == "Let me see.\n\n(reading)"
    _, effects = after(session, RunEnded(G1, Cancelled()))
    assert of(MessageAppended, effects)[0].message.text == "Let me see."


def test_s077_what_comes_during_a_run_is_answered_together_by_the_next_in_order() -> None:
    session, effects = after(running(), *(Arrived(said(number, f"m{number}")) for number in (2, 3, 4, 5)))
    assert effects == Effects()
    session, effects = after(session, RunEnded(G1, Answered("Hi.")))
    assert [message.text for message in of(StartRun, effects)[0].new] == ["m2", "m3", "m4", "m5"]
    assert [each.inbox_id for each in of(InboundTaken, effects)] == [2, 3, 4, 5]
    assert session.waiting == ()
    order = kinds(effects)
    assert order.index("RunClosed") < order.index("RunOpened") < order.index("InboundTaken")


def test_a_flood_is_handed_over_in_batches() -> None:
    rules = Rules(inbox_batch_max=2)
    session, _ = after(running(), *(Arrived(said(number, f"m{number}")) for number in (2, 3, 4)), rules=rules)
    session, effects = after(session, RunEnded(G1, Answered("Hi.")), rules=rules)
    assert [message.text for message in of(StartRun, effects)[0].new] == ["m2", "m3"]
    assert [inbound.text for inbound in session.waiting] == ["m4"]


def test_a_message_that_the_load_brought_is_not_taken_twice() -> None:
    session = fresh(waiting=(said(1),), inbox_cursor=InboxId(1))
    session, effects = after(session, Arrived(said(1)))
    assert len(of(InboundTaken, effects)) == 1
    _, effects = after(session, Arrived(said(1)))
    assert effects == Effects()


def test_every_late_event_of_an_older_run_changes_nothing() -> None:
    session, _ = after(running(), Arrived(said(2)), RunEnded(G1, Answered("Hi.")))
    late: tuple[Event, ...] = (
        *(LifeShown(G1), Spoke(G1, "x"), Reported(G1, "x"), Progressed(G1), ToolCalled(G1, CALL)),
        ToolWithheld(G1, CALL, ()),
        *(ToolReturned(G1, CALL, "1", failed=False), Asked(G1, QUESTION, ""), RunEnded(G1, Answered("again"))),
        *(Rang(G1, alarm) for alarm in Alarm),
    )
    for event in late:
        assert after(session, event) == (session, Effects())


@pytest.mark.parametrize(
    "outcome, said_so_far, line",
    [
        (Answered("Half of", "length"), "Half of", "(Incomplete: the agent's text was cut short (length)"),
        (Answered("Half of", None), "Half of", "cut short (no finish)"),
        (Answered("  "), "", "(The agent ended without an answer."),
        (Failed("(It broke.)", "Half of"), "Half of", "(It broke.)"),
        (Cancelled(), "", "(The agent gave up before it had an answer."),
    ],
)
def test_s089_s093_what_is_no_answer_ends_in_one_honest_line(outcome: Any, said_so_far: str, line: str) -> None:
    session, effects = after(running(), RunEnded(G1, outcome))
    rows = [each.message for each in of(MessageAppended, effects)]
    assert [row.text for row in rows if row.role is Role.ASSISTANT] == ([said_so_far] if said_so_far else [])
    assert line in rows[-1].text
    assert (rows[-1].kind, rows[-1].answers_upto) == (MessageKind.FAILED, 1)
    text = of(DeliveryOpened, effects)[0].delivery.text
    assert text == "\n\n".join(part for part in (said_so_far, rows[-1].text) if part)
    assert of(RunClosed, effects)[0].ending is Ending.FAILED
    assert session.tail.kind is TailKind.FAILED


def test_s018_an_empty_end_in_a_drain_is_no_answer_and_leaves_the_work_open() -> None:
    for outcome in (Answered(""), Cancelled()):
        session, _ = after(running(), Drained(InterruptReason.RESTART_TIMEOUT))
        session, effects = after(session, RunEnded(G1, outcome))
        assert effects.facts == ()
        assert isinstance(session.phase, Interrupted)
        assert of(ReportRun, effects) == [ReportRun(live=False)]


def test_s020_an_answer_in_a_drain_closes_its_marked_run() -> None:
    session, effects = after(running(), Drained(InterruptReason.RESTART_TIMEOUT))
    assert of(RunMarked, effects) == [RunMarked(S, G1, InterruptReason.RESTART_TIMEOUT)]
    _, effects = after(session, Arrived(said(2)), RunEnded(G1, Answered("Hi.")))
    assert of(RunClosed, effects)[0].ending is Ending.ANSWERED
    assert not of(StartRun, effects)


def test_a_drained_session_begins_nothing_and_says_so() -> None:
    for session in (fresh(), fresh(run=run()), fresh(waiting=(said(1),), inbox_cursor=InboxId(1))):
        drained, effects = after(session, Drained(InterruptReason.SHUTDOWN_TIMEOUT))
        assert effects == Effects(acts=(ReportRun(live=False),))
        for event in (Arrived(said(9)), Woke(), Resumed(InterruptReason.ACTOR_CRASHED)):
            assert not of(StartRun, after(drained, event)[1])


def run(**changes: Any) -> OpenRun:
    return replace(OpenRun(G1, Epoch(2), G1, RunCause.INBOUND, 1, 900.0, 950.0, reply_to="m1"), **changes)


INTERRUPTED = Tail(TailKind.USER, 900.0, Seq(1), Seq(1))


def test_s057_a_resumed_run_says_so_and_its_agent_is_told_why() -> None:
    session = fresh(generation=G1, run=run(), tail=INTERRUPTED)
    session, effects = after(session, Resumed(InterruptReason.RESTART_INTERRUPTED))
    closed, opened = effects.facts[:2]
    assert closed == RunClosed(S, G1, Ending.INTERRUPTED, NOW)
    assert isinstance(opened, RunOpened)
    assert (opened.run.generation, opened.run.work, opened.run.attempt, opened.run.cause) == (2, 1, 2, RunCause.RESUME)
    assert opened.run.last_progress_at == 950.0, "a restart is no progress"
    assert opened.tail.kind is TailKind.RECOVERY_NOTE
    (row,), (start,) = of(MessageAppended, effects), of(StartRun, effects)
    assert (row.message.kind, row.message.role) == (MessageKind.RECOVERY_NOTE, Role.SYSTEM)
    assert start.note == row.message.text
    assert start.new == ()
    assert of(OpenAnchor, effects)
    assert of(ShowText, effects)[0].text == "I was restarted; I am going on with your request."
    assert session.tail.at == 900.0


def test_a_message_wins_over_the_resume_and_one_run_handles_both() -> None:
    session = fresh(generation=G1, run=run(), tail=INTERRUPTED, anchored=True)
    session, effects = after(session, Arrived(said(2, "and?")))
    assert of(RunOpened, effects)[0].run.work == G1
    assert of(RunOpened, effects)[0].run.last_progress_at == NOW
    assert [message.text for message in of(StartRun, effects)[0].new] == ["and?"]
    assert "interrupted" in of(StartRun, effects)[0].note
    assert after(session, Resumed(InterruptReason.RESTART_INTERRUPTED)) == (session, Effects())
    _, effects = after(session, RunEnded(G2, Answered("Both.")))
    assert of(DeliveryFilled, effects)[0].key == "1.1.answer"
    assert of(MessageAppended, effects)[0].message.answers_upto == 3


def test_s137_a_call_without_result_is_closed_and_may_be_made_again_by_the_next_attempt() -> None:
    once = replace(CALL, key="1.1.tool.y.0", name="pay", args='{"to":"Bo"}', policy=ToolPolicy.ONCE)
    done = replace(CALL, key="1.1.tool.z.0", name="look")
    calls = (ToolRecord(done, "1"), ToolRecord(CALL), ToolRecord(once))
    tail = replace(INTERRUPTED, kind=TailKind.TOOL_CALLS, seq=Seq(4), open_calls=frozenset({CALL.key, once.key}))
    session = fresh(generation=G1, run=run(), tail=tail, calls=calls)
    session, effects = after(session, Resumed(InterruptReason.RESTART_INTERRUPTED))
    rows = [each.message for each in of(MessageAppended, effects)]
    assert [(row.role, row.tool_key) for row in rows[:2]] == [(Role.TOOL, CALL.key), (Role.TOOL, once.key)]
    note = of(StartRun, effects)[0].note
    assert 'In doubt, it may or may not have taken effect: pay({"to":"Bo"}).' in note
    assert "do not repeat: look({})" in note
    assert "clock" not in note
    _, called = after(session, ToolCalled(G2, CALL))
    _, returned = after(session, ToolCalled(G2, CALL), ToolReturned(G2, CALL, "1", failed=False))
    later = [each.message.key for each in (*of(MessageAppended, called), *of(MessageAppended, returned))]
    assert not set(later) & {row.key for row in rows}


def test_a_tool_call_is_on_disk_before_it_is_confirmed_and_a_result_is_progress() -> None:
    session = replace(running(), phase=Running(run(attempt=2), 0, Seq(1)))
    session, effects = after(session, ToolCalled(G1, CALL))
    assert kinds(effects)[:2] == ["MessageAppended", "ToolStarted"]
    assert of(Confirm, effects) == [Confirm(G1, CALL.key)]
    assert of(RunProgressed, effects)[0].attempt == 2
    _, effects = after(session, ToolReturned(G1, CALL, "1", failed=False))
    assert of(ToolEnded, effects) == [ToolEnded(S, G1, CALL.key, "1", failed=False, at=NOW)]
    assert (of(RunProgressed, effects)[0].attempt, of(RunProgressed, effects)[0].tail.kind) == (
        1,
        TailKind.TOOL_RESULTS,
    )
    assert of(ToolStarted, effects) == []


def test_every_sign_of_life_counts_the_silence_anew() -> None:
    signs: tuple[Event, ...] = (
        *(LifeShown(G1), Spoke(G1, "x"), Reported(G1, "x"), Progressed(G1)),
        *(ToolCalled(G1, CALL), ToolReturned(G1, CALL, "1", failed=False)),
    )
    for event in signs:
        assert ArmAlarm(G1, Alarm.SILENCE, RULES.silent_max_s) in after(running(), event)[1].acts, event


def test_silence_ends_a_run_with_a_line_and_what_waits_goes_on() -> None:
    session, effects = after(running(), Arrived(said(2)), Rang(G1, Alarm.SILENCE))
    assert effects.acts[0] == CancelRun(G1)
    assert "no sign of life for 15 min" in of(Deliver, effects)[0].delivery.text
    assert of(RunOpened, effects)[0].run.generation == 2
    assert isinstance(session.phase, Running)
    acts = [type(act) for act in effects.acts]
    assert acts.index(CancelAlarms) < acts.index(StartRun) < acts.index(ArmAlarm)


def test_s103_a_long_run_says_that_it_works_with_what_it_said() -> None:
    session, _ = after(running(), Spoke(G1, "Let me see."))
    _, effects = after(session, Rang(G1, Alarm.NOTICE), now=NOW + 180)
    assert of(ShowText, effects)[0].text == "Let me see.\n\n(Still working, 3 min)"
    assert ArmAlarm(G1, Alarm.NOTICE, RULES.notice_every_s) in effects.acts


def test_the_placeholder_is_opened_once() -> None:
    session, effects = after(running(), Rang(G1, Alarm.PLACEHOLDER))
    assert kinds(effects) == ["DeliveryOpened", "OpenAnchor"]
    assert after(session, Rang(G1, Alarm.PLACEHOLDER))[1] == Effects()


def asking() -> Session:
    return after(running(), Asked(G1, QUESTION, "Well."))[0]


def test_a_question_is_delivered_where_the_answer_would_have_come_and_gives_its_place_back() -> None:
    session, effects = after(running(), Arrived(said(2, "early")), Asked(G1, QUESTION, "Well."))
    assert of(QuestionAsked, effects)[0].question.after == 2
    (delivery,) = of(Deliver, effects)
    assert (delivery.delivery.kind, delivery.delivery.key) == (DeliveryKind.QUESTION, "1.1.answer")
    assert delivery.delivery.text == "Well.\n\nWhich?\n- red\n- blue"
    assert of(CancelAlarms, effects)
    assert effects.acts[-1] == ReportRun(live=False)
    assert session.tail.kind is TailKind.ASKED


def test_s132_the_first_message_after_a_question_answers_it_and_earlier_ones_keep_waiting() -> None:
    session, _ = after(running(), Arrived(said(2, "early")), Asked(G1, QUESTION, ""))
    session, effects = after(session, Arrived(said(3, "red")))
    assert of(Confirm, effects) == [Confirm(G1, f"{QUESTION.key}.answer", "red")]
    assert of(QuestionAnswered, effects)[0].answer == "red"
    assert [inbound.text for inbound in session.waiting] == ["early"]
    assert isinstance(session.phase, Running)
    assert ReportRun(live=True) in effects.acts
    _, effects = after(session, RunEnded(G1, Answered("Red it is.")))
    assert of(DeliveryOpened, effects)[0].delivery.key == "1.1.answer.1"
    assert [message.text for message in of(StartRun, effects)[0].new] == ["early"]


def test_no_alarm_disturbs_a_user_who_thinks() -> None:
    for alarm in Alarm:
        assert after(asking(), Rang(G1, alarm)) == (asking(), Effects())


def test_a_drain_does_not_wait_for_a_user() -> None:
    session, effects = after(asking(), Drained(InterruptReason.SHUTDOWN_TIMEOUT))
    assert of(RunMarked, effects)
    assert effects.acts == (CancelAlarms(), CancelRun(G1), ReportRun(live=False))
    assert isinstance(session.phase, Interrupted)
    assert session.phase.question is not None
    assert after(session, Arrived(said(2, "red")))[1].facts == ()


def interrupted_asking(**changes: Any) -> Session:
    question = replace(QUESTION, after=InboxId(2))
    tail = Tail(TailKind.ASKED, 900.0, Seq(2), Seq(1))
    return fresh(**{"generation": G1, "run": run(), "tail": tail, "question": question, "segment": 1, **changes})


def test_after_a_restart_only_the_answer_wakes_a_session_that_asked() -> None:
    session = interrupted_asking(waiting=(said(2, "early"),), inbox_cursor=InboxId(2))
    assert after(session, Woke())[1] == Effects(acts=(ArmIdle(RULES.idle_s),))
    assert after(session, IdleRang())[1] == Effects(acts=(Rest(),))
    resumed = after(session, Resumed(InterruptReason.RESTART_INTERRUPTED))[1]
    assert resumed.acts[-1] == ReportRun(live=False)
    session, effects = after(session, Arrived(said(3, "red")))
    (opened,) = of(RunOpened, effects)
    assert (opened.run.cause, opened.run.work, opened.run.attempt) == (RunCause.ANSWERED_QUESTION, 1, 1)
    assert of(QuestionAnswered, effects)[0].answer == "red"
    assert of(StartRun, effects)[0].note is None


def test_the_answer_is_taken_however_many_messages_waited_before_it() -> None:
    rules = Rules(inbox_batch_max=1)
    waiting = (said(1, "a"), said(2, "b"), said(3, "red"), said(4, "later"))
    session = interrupted_asking(waiting=waiting, inbox_cursor=InboxId(4))
    session, effects = after(session, Woke(), rules=rules)
    assert of(QuestionAnswered, effects)[0].answer == "red"
    assert [each.inbox_id for each in of(InboundTaken, effects)] == [1, 2, 3]
    assert [inbound.text for inbound in session.waiting] == ["later"]


def test_an_answer_that_comes_late_says_how_late() -> None:
    session, _ = after(fresh(), Arrived(said(1, at=NOW - 7200)))
    _, effects = after(session, RunEnded(G1, Answered("Hi.")))
    assert of(Deliver, effects)[0].delivery.text.startswith("(Late: your message waited 2 h")
    assert of(MessageAppended, effects)[0].message.text == "Hi."


def test_an_answer_beyond_its_limit_is_cut_and_says_so() -> None:
    _, effects = after(running(), RunEnded(G1, Answered("x" * 20)), rules=Rules(answer_max=5))
    assert of(MessageAppended, effects)[0].message.text.startswith("xxxxx\n\n(Cut here: the answer was 20")


def test_a_quarantined_session_leaves_everything_alone_and_rests() -> None:
    session = fresh(generation=G1, run=run(), tail=INTERRUPTED, quarantined=True)
    for event in (Arrived(said(2)), Woke(), Resumed(InterruptReason.ACTOR_CRASHED)):
        assert after(session, event)[1].facts == ()
    session, _ = after(session, Arrived(said(2)))
    assert after(session, IdleRang())[1] == Effects(acts=(Rest(),))


def test_a_session_rests_only_when_nothing_runs_and_nothing_waits() -> None:
    assert after(fresh(), IdleRang())[1] == Effects(acts=(Rest(),))
    for session in (running(), asking(), fresh(waiting=(said(1),), inbox_cursor=InboxId(1))):
        assert after(session, IdleRang())[1] == Effects()


def test_a_run_cut_short_is_interrupted_and_writes_nothing() -> None:
    session, effects = after(running(), Spoke(G1, "Let"), CutShort())
    assert effects == Effects(acts=(CancelAlarms(), CancelRun(G1), ReportRun(live=False)))
    assert session.phase == Interrupted(phase_run(running()), 0, anchored=True)
    assert after(session, RunEnded(G1, Cancelled())) == (session, Effects())
    assert after(fresh(), CutShort())[1] == Effects()


def phase_run(session: Session) -> OpenRun:
    assert isinstance(session.phase, Running | Asking)
    return session.phase.run


def test_who_waits_for_an_answer_is_told_whenever_work_is_concluded() -> None:
    for outcome in (Answered("Hi."), Answered(""), Failed("(no)"), Cancelled()):
        assert of(ReportConcluded, after(running(), RunEnded(G1, outcome))[1])
