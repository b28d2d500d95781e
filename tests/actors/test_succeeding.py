from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from tests.actors.session_stage import G1, KEY, NOW, S, after, fresh, kinds, of, said

from greenroom.actors.acts import ReportSucceeded, StartRun
from greenroom.actors.events import Answered, Arrived, Drained, RunEnded, Woke
from greenroom.actors.facts import DeliveryOpened, RunOpened, SessionSucceeded
from greenroom.actors.model import (
    FreshCause,
    InboxId,
    InterruptReason,
    OpenRun,
    Question,
    RunCause,
    Seq,
    Tail,
    TailKind,
)
from greenroom.actors.rules import Rules
from greenroom.actors.session import Idle, Running
from greenroom.actors.succeeding import decide_reset

HOUR = 3_600.0
IDLE = Rules(reset="idle", reset_after_s=HOUR)
LATER = NOW + 2 * HOUR
DONE = Tail(TailKind.FINAL, NOW, Seq(2), Seq(1), Seq(1))
QUIET = fresh(generation=G1, tail=DONE, active_at=NOW)


def oslo(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Oslo")).timestamp()


DAILY = Rules(reset="daily", reset_hour=4, zone="Europe/Oslo")
DAYS = {
    "the same morning": ("2026-11-21 08:00", "2026-11-21 12:00", None),
    "before and after the turn": ("2026-11-21 03:59", "2026-11-21 04:00", FreshCause.DAILY),
    "one night is one day": ("2026-11-20 23:00", "2026-11-21 03:59", None),
    "the next day": ("2026-11-20 12:00", "2026-11-21 12:00", FreshCause.DAILY),
    "over the end of summer time": ("2026-10-25 02:30", "2026-10-25 05:00", FreshCause.DAILY),
}


@pytest.mark.parametrize("active, now, cause", DAYS.values(), ids=DAYS.keys())
def test_a_day_turns_at_its_hour_in_its_zone(active: str, now: str, cause: FreshCause | None) -> None:
    assert decide_reset(oslo(active), oslo(now), DAILY) is cause


def test_silence_counts_and_without_a_policy_nothing_does() -> None:
    assert decide_reset(NOW, NOW + HOUR, IDLE) is None
    assert decide_reset(NOW, NOW + HOUR + 1, IDLE) is FreshCause.IDLE
    assert decide_reset(0.0, 1e9, Rules()) is None


def test_after_the_silence_a_message_begins_a_new_session_and_no_run_here() -> None:
    session, effects = after(QUIET, Arrived(said(1, at=LATER)), now=LATER, rules=IDLE)
    assert of(SessionSucceeded, effects) == [SessionSucceeded(S, FreshCause.IDLE, LATER)]
    assert kinds(effects) == ["SessionSucceeded", "ReportSucceeded", "ArmIdle"]
    assert (session.phase, session.waiting, session.succeeded) == (Idle(), (), True)
    again, effects = after(session, Arrived(said(2, at=LATER)), Woke(), now=LATER, rules=IDLE)
    assert (again.waiting, effects.facts, of(ReportSucceeded, effects)) == ((), (), [])


def test_the_new_session_says_once_why_it_is_new_before_its_first_answer() -> None:
    new = fresh(because=FreshCause.IDLE, waiting=(said(1, at=LATER),), inbox_cursor=InboxId(1))
    session, effects = after(new, Woke(), now=LATER, rules=IDLE)
    (line,) = of(DeliveryOpened, effects)
    assert line.delivery.text.startswith("(This is a new conversation: nothing was said for 1 h.")
    assert kinds(effects).index("RunOpened") < kinds(effects).index("DeliveryOpened")
    assert kinds(effects).index("Deliver") < kinds(effects).index("StartRun")
    _, effects = after(session, Arrived(said(2)), RunEnded(G1, Answered("hi")), now=LATER, rules=IDLE)
    assert [fact.delivery.kind for fact in of(DeliveryOpened, effects)] == ["answer"]
    asked_for = replace(new, because=FreshCause.ASKED)
    assert of(DeliveryOpened, after(asked_for, Woke(), now=LATER, rules=IDLE)[1]) == []


RUN = OpenRun(G1, QUIET.epoch, G1, RunCause.INBOUND, 1, NOW, NOW)
BUSY = {
    "a run that is to go on": {"run": RUN, "tail": Tail(TailKind.TOOL_RESULTS, NOW, Seq(3), Seq(1))},
    "a question": {"run": RUN, "tail": Tail(TailKind.ASKED, NOW, Seq(3), Seq(1)), "question": Question("q", "Which?")},
    "a doubt": {"tail": DONE, "in_doubt": True},
    "nothing known of its age": {"tail": DONE, "active_at": None},
}


@pytest.mark.parametrize("what", BUSY.values(), ids=BUSY.keys())
def test_nothing_that_is_open_is_cut(what: dict[str, object]) -> None:
    rules = Rules(reset="idle", reset_after_s=HOUR, fresh_s=0)
    busy = fresh(**{"generation": G1, "active_at": NOW, **what})
    session, effects = after(busy, Arrived(said(1, at=LATER)), now=LATER, rules=rules)
    assert of(SessionSucceeded, effects) == []
    assert (len(of(RunOpened, effects)), type(session.phase)) == (1, Running)


def test_work_that_is_too_old_is_concluded_first_and_then_the_conversation_begins_anew() -> None:
    old = fresh(generation=G1, active_at=NOW, run=RUN, tail=Tail(TailKind.USER, NOW, Seq(1), Seq(1)))
    _, effects = after(old, Arrived(said(2, at=LATER)), now=LATER, rules=IDLE)
    assert kinds(effects).index("RunClosed") < kinds(effects).index("SessionSucceeded")
    assert of(StartRun, effects) == []


def test_a_session_that_drains_or_is_set_aside_begins_nothing() -> None:
    draining, _ = after(QUIET, Drained(InterruptReason.RESTART_TIMEOUT))
    for session in (draining, fresh(generation=G1, tail=DONE, active_at=NOW, quarantined=True)):
        _, effects = after(session, Arrived(said(1, at=LATER)), now=LATER, rules=IDLE)
        assert of(SessionSucceeded, effects) == []


def test_a_clock_that_was_set_back_makes_nothing_old() -> None:
    ahead = fresh(generation=G1, tail=DONE, active_at=LATER)
    assert of(SessionSucceeded, after(ahead, Arrived(said(1, at=NOW)), rules=IDLE)[1]) == []
    assert ahead.key == KEY
