"""`step` as lists of events; how runs begin and end stands in `test_opening.py` and `test_concluding.py`."""

from msgspec.structs import replace
from tests.actors.session_stage import (
    CALL,
    G1,
    NOW,
    QUESTION,
    RULES,
    E,
    S,
    after,
    asking,
    fresh,
    kinds,
    of,
    phase_run,
    run,
    running,
    said,
)

from greenroom.actors.acts import (
    ArmAlarm,
    CancelAlarms,
    CancelRun,
    Confirm,
    Deliver,
    Effects,
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
    DeliveryOpened,
    InboundTaken,
    MessageAppended,
    QuestionAnswered,
    QuestionAsked,
    RunMarked,
    RunOpened,
    RunProgressed,
    ToolEnded,
    ToolStarted,
)
from greenroom.actors.model import (
    DeliveryKind,
    InboxId,
    InterruptReason,
    Seq,
    TailKind,
)
from greenroom.actors.session import Interrupted, Running


def test_a_message_starts_a_run_and_is_its_first_row() -> None:
    session, effects = after(fresh(), Arrived(said(1)))
    assert kinds(effects) == [
        *("RunOpened", "MessageAppended", "InboundTaken"),
        *("ReportRun", "StartRun", *["ArmAlarm"] * 5),
    ]
    (opened,) = of(RunOpened, effects)
    assert (opened.run.generation, opened.run.epoch, opened.run.work, opened.run.attempt) == (1, E, 1, 1)
    assert opened.tail.kind is TailKind.USER
    (start,) = of(StartRun, effects)
    assert [message.text for message in start.new] == ["hello"]
    assert start.note is None
    assert isinstance(session.phase, Running)


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


def test_a_drained_session_begins_nothing_and_says_so() -> None:
    for session in (fresh(), fresh(run=run()), fresh(waiting=(said(1),), inbox_cursor=InboxId(1))):
        drained, effects = after(session, Drained(InterruptReason.SHUTDOWN_TIMEOUT))
        assert effects == Effects(acts=(ReportRun(live=False, for_good=True),))
        for event in (Arrived(said(9)), Woke(), Resumed(InterruptReason.ACTOR_CRASHED)):
            assert not of(StartRun, after(drained, event)[1])


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


def test_s103_a_long_run_says_that_it_works_with_what_it_said() -> None:
    session, _ = after(running(), Spoke(G1, "Let me see."))
    _, effects = after(session, Rang(G1, Alarm.NOTICE), now=NOW + 180)
    assert of(ShowText, effects)[0].text == "Let me see.\n\n(Still working, 3 min)"
    assert ArmAlarm(G1, Alarm.NOTICE, RULES.notice_every_s) in effects.acts


def test_the_placeholder_is_opened_once() -> None:
    session, effects = after(running(), Rang(G1, Alarm.PLACEHOLDER))
    assert kinds(effects) == ["DeliveryOpened", "OpenAnchor"]
    assert after(session, Rang(G1, Alarm.PLACEHOLDER))[1] == Effects()


def test_a_question_is_delivered_where_the_answer_would_have_come_and_gives_its_place_back() -> None:
    session, effects = after(running(), Arrived(said(2, "early")), Asked(G1, QUESTION, "Well."))
    assert of(QuestionAsked, effects)[0].question.after == 2
    (delivery,) = of(Deliver, effects)
    assert (delivery.delivery.kind, delivery.delivery.key) == (DeliveryKind.QUESTION, "1.1.answer")
    assert (delivery.delivery.text, delivery.delivery.choices) == ("Well.\n\nWhich?", ("red", "blue"))
    assert of(MessageAppended, effects)[0].message.text == "Well.\n\nWhich?\n- red\n- blue"
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
    assert effects.acts == (CancelAlarms(), CancelRun(G1), ReportRun(live=False, for_good=True))
    assert isinstance(session.phase, Interrupted)
    assert session.phase.question is not None
    assert after(session, Arrived(said(2, "red")))[1].facts == ()


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
