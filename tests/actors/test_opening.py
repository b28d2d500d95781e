"""How a run begins."""

from msgspec.structs import replace
from tests.actors.session_stage import (
    CALL,
    G1,
    G2,
    INTERRUPTED,
    NOW,
    RULES,
    S,
    after,
    fresh,
    interrupted_asking,
    of,
    run,
    running,
    said,
)

from greenroom.actors.acts import (
    ArmIdle,
    Deliver,
    Effects,
    OpenAnchor,
    ReportRun,
    Rest,
    ShowText,
    StartRun,
)
from greenroom.actors.events import (
    Answered,
    Arrived,
    IdleRang,
    Resumed,
    RunEnded,
    ToolCalled,
    ToolReturned,
    Woke,
)
from greenroom.actors.facts import (
    DeliveryFilled,
    DeliveryOpened,
    InboundTaken,
    MessageAppended,
    QuestionAnswered,
    RunClosed,
    RunOpened,
)
from greenroom.actors.model import (
    Ending,
    InboxId,
    InterruptReason,
    MessageKind,
    Role,
    RunCause,
    Seq,
    TailKind,
    ToolPolicy,
    ToolRecord,
)
from greenroom.actors.rules import Rules


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


def test_a_quarantined_session_leaves_everything_alone_and_rests() -> None:
    session = fresh(generation=G1, run=run(), tail=INTERRUPTED, quarantined=True)
    for event in (Woke(), Resumed(InterruptReason.ACTOR_CRASHED)):
        assert after(session, event)[1].facts == ()
    session, effects = after(session, Arrived(said(2)))
    assert [type(fact) for fact in effects.facts] == [DeliveryOpened], "it says so, once"
    assert after(session, Arrived(said(3)))[1].facts == ()
    assert after(session, IdleRang())[1] == Effects(acts=(Rest(),))
