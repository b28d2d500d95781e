"""How a run ends."""

from typing import Any

import pytest
from tests.actors.session_stage import G1, S, after, kinds, of, running, said

from greenroom.actors.acts import (
    ArmAlarm,
    CancelAlarms,
    CancelRun,
    Deliver,
    ReportConcluded,
    ReportRun,
    StartRun,
)
from greenroom.actors.events import (
    Alarm,
    Answered,
    Arrived,
    Cancelled,
    Drained,
    Failed,
    Rang,
    RunEnded,
    Spoke,
)
from greenroom.actors.facts import (
    DeliveryFilled,
    DeliveryOpened,
    MessageAppended,
    RunClosed,
    RunMarked,
    RunOpened,
)
from greenroom.actors.model import (
    DeliveryState,
    Ending,
    InterruptReason,
    MessageKind,
    Role,
    TailKind,
)
from greenroom.actors.rules import Rules
from greenroom.actors.session import Idle, Interrupted, Running


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
        assert of(ReportRun, effects) == [ReportRun(live=False, for_good=True)]


def test_s020_an_answer_in_a_drain_closes_its_marked_run() -> None:
    session, effects = after(running(), Drained(InterruptReason.RESTART_TIMEOUT))
    assert of(RunMarked, effects) == [RunMarked(S, G1, InterruptReason.RESTART_TIMEOUT)]
    _, effects = after(session, Arrived(said(2)), RunEnded(G1, Answered("Hi.")))
    assert of(RunClosed, effects)[0].ending is Ending.ANSWERED
    assert not of(StartRun, effects)


def test_silence_ends_a_run_with_a_line_and_what_waits_goes_on() -> None:
    session, effects = after(running(), Arrived(said(2)), Rang(G1, Alarm.SILENCE))
    assert effects.acts[:2] == (CancelAlarms(), CancelRun(G1))
    assert "no sign of life for 15 min" in of(Deliver, effects)[0].delivery.text
    assert of(RunOpened, effects)[0].run.generation == 2
    assert isinstance(session.phase, Running)
    acts = [type(act) for act in effects.acts]
    assert acts.index(CancelAlarms) < acts.index(StartRun) < acts.index(ArmAlarm)


def test_an_answer_beyond_its_limit_is_cut_and_says_so() -> None:
    _, effects = after(running(), RunEnded(G1, Answered("x" * 20)), rules=Rules(answer_max=5))
    assert of(MessageAppended, effects)[0].message.text.startswith("xxxxx\n\n(Cut here: an answer has at most 5 ")


def test_who_waits_for_an_answer_is_told_whenever_work_is_concluded() -> None:
    for outcome in (Answered("Hi."), Answered(""), Failed("(no)"), Cancelled()):
        assert of(ReportConcluded, after(running(), RunEnded(G1, outcome))[1])
