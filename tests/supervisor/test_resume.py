"""The resume table: each row's canonical case, the order of the rows, and an answer for everything."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from greenroom.actors.interruption import read_reason
from greenroom.actors.model import (
    Ending,
    Epoch,
    Generation,
    InterruptReason,
    OpenRun,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
    TailKind,
)
from greenroom.actors.store import Unfinished
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.resume import (
    TABLE,
    Decision,
    FormerBoot,
    Quarantine,
    Resume,
    ResumeInputs,
    Skip,
    Wait,
    Why,
    count_unclean_boots,
    decide_resume,
    inputs_from,
)

NOW = 1_800_000_000.0
HOUR = 3600.0
POLICY = Policy()
CRASH = InterruptReason.RESTART_INTERRUPTED


def run(
    *, attempt: int = 1, last_progress_at: float = NOW - 10, ending: Ending | None = None, epoch: int = 1
) -> OpenRun:
    return OpenRun(
        generation=Generation(4),
        epoch=Epoch(epoch),
        work=Generation(4),
        cause=RunCause.INBOUND,
        attempt=attempt,
        opened_at=NOW - 20,
        last_progress_at=last_progress_at,
        ending=ending,
    )


def tail(kind: TailKind = TailKind.USER, at: float = NOW - 10) -> Tail:
    concluded = kind in {TailKind.FINAL, TailKind.STOPPED, TailKind.FAILED, TailKind.EMPTY}
    return Tail(kind, at=at, seq=Seq(7), user_seq=Seq(5), answered_upto=Seq(5 if concluded else 0))


INTERRUPTED = ResumeInputs(now=NOW, tail=tail(), run=run(), reason=CRASH)
TRIED = run(ending=Ending.EMPTY)
OLD = NOW - 2 * HOUR

CASES: dict[Why, ResumeInputs] = {
    Why.QUARANTINED: replace(INTERRUPTED, quarantined=True),
    Why.SUSPENDED: replace(INTERRUPTED, suspended=True),
    Why.NOTHING_OPEN: replace(INTERRUPTED, run=None, tail=Tail()),
    Why.ANSWERED: replace(INTERRUPTED, tail=tail(TailKind.FINAL)),
    Why.AWAITING_USER: replace(INTERRUPTED, tail=tail(TailKind.ASKED)),
    Why.STOPPED_BY_USER: replace(INTERRUPTED, tail=tail(TailKind.STOPPED)),
    Why.FAILED: replace(INTERRUPTED, tail=tail(TailKind.FAILED)),
    Why.ALREADY_TRIED: replace(INTERRUPTED, tail=tail(TailKind.RECOVERY_NOTE), run=TRIED),
    Why.NO_ROUTE: replace(INTERRUPTED, routed=False),
    Why.REASON_NOT_ALLOWED: replace(INTERRUPTED, reason="moon_phase"),
    Why.STALE: replace(INTERRUPTED, tail=tail(at=OLD), run=run(last_progress_at=OLD)),
    Why.SAFE_MODE: replace(INTERRUPTED, unclean_boots=3),
    Why.NOT_ALLOWED: replace(INTERRUPTED, allowed=False),
}
EXHAUSTED = replace(INTERRUPTED, run=run(attempt=3))
UNCONNECTED = replace(INTERRUPTED, connected=False)


@pytest.mark.parametrize("why", CASES)
def test_each_reason_to_leave_a_session_alone(why: Why) -> None:
    assert decide_resume(CASES[why], POLICY) == Skip(why)


def test_no_reason_is_without_its_case() -> None:
    assert set(CASES) == set(Why)


def test_the_other_answers_have_their_cases() -> None:
    assert decide_resume(EXHAUSTED, POLICY) == Quarantine(attempts=3)
    assert decide_resume(UNCONNECTED, POLICY) == Wait()
    assert decide_resume(INTERRUPTED, POLICY) == Resume(CRASH)


def test_the_rows_are_numbered_as_in_the_design() -> None:
    assert [row.number for row in TABLE] == [1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert len({row.rule for row in TABLE}) == len(TABLE)


# Each rule by what alone makes it fit; two that need different tails or runs cannot fit one input.
CHANGES: dict[str, Callable[[ResumeInputs], ResumeInputs]] = {
    "QUARANTINED": lambda it: replace(it, quarantined=True),
    "SUSPENDED": lambda it: replace(it, suspended=True),
    "NOTHING_OPEN": lambda it: replace(it, run=None, tail=replace(it.tail, user_seq=Seq(0))),
    "ANSWERED": lambda it: replace(it, tail=replace(it.tail, kind=TailKind.FINAL)),
    "AWAITING_USER": lambda it: replace(it, tail=replace(it.tail, kind=TailKind.ASKED)),
    "STOPPED_BY_USER": lambda it: replace(it, tail=replace(it.tail, kind=TailKind.STOPPED)),
    "FAILED": lambda it: replace(it, tail=replace(it.tail, kind=TailKind.FAILED)),
    "ALREADY_TRIED": lambda it: replace(
        it,
        tail=replace(it.tail, kind=TailKind.RECOVERY_NOTE),
        run=replace(it.run, ending=Ending.EMPTY) if it.run is not None else None,
    ),
    "NO_ROUTE": lambda it: replace(it, routed=False),
    "REASON_NOT_ALLOWED": lambda it: replace(it, reason="moon_phase"),
    "STALE": lambda it: replace(
        it,
        tail=replace(it.tail, at=OLD),
        run=replace(it.run, last_progress_at=OLD) if it.run is not None else None,
    ),
    "ATTEMPTS_EXHAUSTED": lambda it: replace(it, run=replace(it.run, attempt=9) if it.run is not None else None),
    "SAFE_MODE": lambda it: replace(it, unclean_boots=9),
    "NOT_ALLOWED": lambda it: replace(it, allowed=False),
    "NOT_CONNECTED": lambda it: replace(it, connected=False),
    "RESUME": lambda it: it,
}
TAIL_RULES = {"ANSWERED", "AWAITING_USER", "STOPPED_BY_USER", "FAILED", "ALREADY_TRIED"}
NEVER_TOGETHER = {frozenset(pair) for pair in combinations(TAIL_RULES, 2)} | {
    frozenset({"NOTHING_OPEN", "ATTEMPTS_EXHAUSTED"})
}


def rules_that_fit(inputs: ResumeInputs) -> set[str]:
    return {row.rule for row in TABLE if row.fits(inputs, POLICY)}


def rule_that_answers(inputs: ResumeInputs) -> str:
    decision = decide_resume(inputs, POLICY)
    return next(row.rule for row in TABLE if row.decision(inputs) == decision)


@pytest.mark.parametrize("rule", CHANGES)
def test_each_change_makes_its_rule_fit_and_no_other(rule: str) -> None:
    assert rules_that_fit(CHANGES[rule](INTERRUPTED)) == {rule, "RESUME"}


def test_of_any_two_rules_that_fit_the_earlier_answers() -> None:
    together = set()
    order = [row.rule for row in TABLE]
    for first, second in combinations(order, 2):
        for inputs in (CHANGES[first](CHANGES[second](INTERRUPTED)), CHANGES[second](CHANGES[first](INTERRUPTED))):
            if {first, second} <= rules_that_fit(inputs):
                together.add(frozenset({first, second}))
                assert rule_that_answers(inputs) == min(rules_that_fit(inputs), key=order.index) == first
    assert {frozenset(pair) for pair in combinations(order, 2)} - together == NEVER_TOGETHER


NUMBERS = st.floats() | st.sampled_from([0.0, -1.0, NOW, OLD, NOW + 60, NOW + 1e6, NOW * 1000, NOW * 1e6, NOW * 1e9])
TAILS = st.builds(
    Tail,
    kind=st.sampled_from(TailKind),
    at=NUMBERS,
    seq=st.integers(0, 9).map(Seq),
    user_seq=st.integers(0, 9).map(Seq),
    answered_upto=st.integers(0, 9).map(Seq),
    open_calls=st.frozensets(st.text(max_size=3), max_size=2),
)
REASONS = st.sampled_from(InterruptReason) | st.text(max_size=5)
RUNS = st.builds(
    OpenRun,
    generation=st.integers(0, 9).map(Generation),
    epoch=st.integers(0, 3).map(Epoch),
    work=st.integers(0, 9).map(Generation),
    cause=st.sampled_from(RunCause),
    attempt=st.integers(-1, 9),
    opened_at=NUMBERS,
    last_progress_at=NUMBERS,
    interrupted_by=st.none() | REASONS,
    ending=st.none() | st.sampled_from(Ending),
)
INPUTS = st.builds(
    ResumeInputs,
    now=NUMBERS,
    tail=TAILS,
    run=st.none() | RUNS,
    reason=REASONS,
    quarantined=st.booleans(),
    suspended=st.booleans(),
    routed=st.booleans(),
    allowed=st.booleans(),
    connected=st.booleans(),
    unclean_boots=st.integers(0, 9),
)
POLICIES = st.builds(
    Policy,
    fresh_s=st.sampled_from([-1, 0, 1, 3600]),
    auto_resume=st.frozensets(st.sampled_from(InterruptReason)),
    attempts_max=st.integers(1, 4),
    unclean_boots_max=st.integers(1, 4),
)


@given(INPUTS, POLICIES)
def test_everything_is_decided_and_the_same_way_twice(inputs: ResumeInputs, policy: Policy) -> None:
    decision = decide_resume(inputs, policy)
    assert isinstance(decision, Skip | Wait | Quarantine | Resume)
    assert decide_resume(inputs, policy) == decision


@given(INPUTS, POLICIES)
def test_what_is_answered_stopped_suspended_or_the_users_turn_never_goes_on(
    inputs: ResumeInputs, policy: Policy
) -> None:
    ended = {TailKind.FINAL, TailKind.STOPPED, TailKind.ASKED, TailKind.FAILED}
    if inputs.quarantined or inputs.suspended or inputs.tail.kind in ended or not inputs.allowed or not inputs.routed:
        assert not isinstance(decide_resume(inputs, policy), Resume)


UNFINISHED_TAILS = [TailKind.EMPTY, TailKind.USER, TailKind.TOOL_CALLS, TailKind.TOOL_RESULTS, TailKind.PARTIAL]


@pytest.mark.parametrize("kind", [*UNFINISHED_TAILS, TailKind.RECOVERY_NOTE])
def test_s012_s013_s047_unfinished_work_goes_on(kind: TailKind) -> None:
    assert decide_resume(replace(INTERRUPTED, tail=tail(kind)), POLICY) == Resume(CRASH)


@pytest.mark.parametrize("reason", InterruptReason)
def test_s001_s002_every_known_interruption_is_resumed_by_default(reason: InterruptReason) -> None:
    assert decide_resume(replace(INTERRUPTED, reason=reason), POLICY) == Resume(reason)


@pytest.mark.parametrize("age_s, decision", [(3599, Resume(CRASH)), (3600, Resume(CRASH)), (3601, Skip(Why.STALE))])
def test_s003_the_window_ends_after_its_last_second(age_s: float, decision: Decision) -> None:
    old = replace(INTERRUPTED, tail=tail(at=NOW - age_s), run=run(last_progress_at=NOW - age_s))
    assert decide_resume(old, POLICY) == decision


def test_s004_suspended_and_routeless_sessions_are_skipped() -> None:
    assert decide_resume(CASES[Why.SUSPENDED], POLICY) == Skip(Why.SUSPENDED)
    assert decide_resume(CASES[Why.NO_ROUTE], POLICY) == Skip(Why.NO_ROUTE)


@pytest.mark.parametrize("mark", ["", "moon_phase", "RESTART_TIMEOUT", "restart_timeout "])
def test_s005_a_reason_nobody_knows_is_no_reason_to_crash_or_resume(mark: str) -> None:
    inputs = replace(INTERRUPTED, reason=read_reason(replace(run(), interrupted_by=mark), Epoch(2)))
    assert decide_resume(inputs, POLICY) == Skip(Why.REASON_NOT_ALLOWED)


def test_s006_a_fresh_marker_does_not_wake_an_answered_session() -> None:
    marked = replace(run(last_progress_at=NOW), interrupted_by=InterruptReason.RESTART_TIMEOUT)
    assert decide_resume(replace(CASES[Why.ANSWERED], run=marked), POLICY) == Skip(Why.ANSWERED)


def test_s007_repeated_restarts_do_not_keep_old_work_fresh() -> None:
    reopened = replace(run(last_progress_at=OLD), opened_at=NOW - 60)
    assert decide_resume(replace(INTERRUPTED, tail=tail(at=OLD), run=reopened), POLICY) == Skip(Why.STALE)


def test_s008_the_transcripts_time_counts_where_the_run_has_none() -> None:
    inputs = replace(INTERRUPTED, tail=tail(at=OLD), run=run(last_progress_at=0.0))
    assert decide_resume(inputs, POLICY) == Skip(Why.STALE)


def test_s009_a_lone_note_after_an_attempt_that_ended_by_itself_is_not_tried_again() -> None:
    assert decide_resume(CASES[Why.ALREADY_TRIED], POLICY) == Skip(Why.ALREADY_TRIED)
    cut_again = replace(CASES[Why.ALREADY_TRIED], run=run(attempt=2))
    assert decide_resume(cut_again, POLICY) == Resume(CRASH)


def test_s010_an_open_question_waits_however_long() -> None:
    asked = replace(INTERRUPTED, tail=tail(TailKind.ASKED, at=NOW - 1000 * HOUR), run=run(last_progress_at=OLD))
    assert decide_resume(asked, POLICY) == Skip(Why.AWAITING_USER)


@pytest.mark.parametrize("at", [0.0, -5.0, float("nan"), float("inf"), -float("inf"), NOW + 1e9, NOW * 1e13])
def test_s023_a_garbage_time_is_no_time_and_the_work_counts_as_fresh(at: float) -> None:
    inputs = replace(INTERRUPTED, tail=tail(at=at), run=run(last_progress_at=at))
    assert inputs.age_s is None
    assert decide_resume(inputs, POLICY) == Resume(CRASH)


def test_s023_garbage_beside_a_readable_time_does_not_refresh_it() -> None:
    inputs = replace(INTERRUPTED, tail=tail(at=NOW + 1e9), run=run(last_progress_at=OLD))
    assert decide_resume(inputs, POLICY) == Skip(Why.STALE)


@pytest.mark.parametrize("fresh_s", [0, -1])
def test_s031_a_window_of_zero_switches_the_gate_off(fresh_s: float) -> None:
    ancient = replace(INTERRUPTED, tail=tail(at=1.0), run=run(last_progress_at=1.0))
    assert decide_resume(ancient, Policy(fresh_s=fresh_s)) == Resume(CRASH)


@pytest.mark.parametrize("scale", [1, 1e3, 1e6, 1e9])
def test_s031_times_in_milliseconds_and_finer_are_understood(scale: float) -> None:
    inputs = replace(INTERRUPTED, tail=tail(at=OLD * scale), run=run(last_progress_at=(NOW - HOUR) * scale))
    assert inputs.age_s == pytest.approx(HOUR, abs=0.01)


def test_a_clock_that_was_set_back_makes_work_fresh_not_negative() -> None:
    inputs = replace(INTERRUPTED, tail=tail(at=NOW + 7200), run=run(last_progress_at=OLD))
    assert inputs.age_s == 0.0


def test_s032_a_chat_that_is_no_longer_allowed_is_not_resumed() -> None:
    key = SessionKey("telegram", "me", "42")
    assert not Policy(allow=("telegram:me:41",)).allows(key)
    assert decide_resume(CASES[Why.NOT_ALLOWED], POLICY) == Skip(Why.NOT_ALLOWED)


def test_s033_work_of_a_platform_that_is_down_waits_for_it() -> None:
    assert decide_resume(UNCONNECTED, POLICY) == Wait()
    assert decide_resume(replace(UNCONNECTED, connected=True), POLICY) == Resume(CRASH)


def test_s041_the_third_attempt_without_progress_is_the_last() -> None:
    assert decide_resume(replace(INTERRUPTED, run=run(attempt=2)), POLICY) == Resume(CRASH)
    assert decide_resume(EXHAUSTED, POLICY) == Quarantine(3)


def test_s044_three_unclean_boots_in_a_minute_are_a_crash_loop() -> None:
    former = [FormerBoot(NOW - 9000, clean=False), FormerBoot(NOW - 40, clean=False), FormerBoot(NOW - 20, clean=False)]
    assert count_unclean_boots(former, now=NOW, window_s=300) == 3
    assert count_unclean_boots([], now=NOW, window_s=300) == 0


def test_unclean_boots_of_long_ago_and_clean_ones_do_not_count() -> None:
    former = [
        FormerBoot(NOW - 9000, clean=False),
        FormerBoot(NOW - 8000, clean=False),
        FormerBoot(NOW - 20, clean=True),
    ]
    assert count_unclean_boots(former, now=NOW, window_s=300) == 1


def test_the_mark_tells_why_else_the_epoch_does() -> None:
    marked = replace(run(epoch=1), interrupted_by=InterruptReason.SHUTDOWN_TIMEOUT)
    assert read_reason(marked, Epoch(2)) is InterruptReason.SHUTDOWN_TIMEOUT
    assert read_reason(run(epoch=1), Epoch(2)) is InterruptReason.RESTART_INTERRUPTED
    assert read_reason(run(epoch=2), Epoch(2)) is InterruptReason.ACTOR_CRASHED
    assert read_reason(None, Epoch(2)) is InterruptReason.RESTART_INTERRUPTED


@pytest.mark.parametrize("suspended, quarantined, routed, allowed, connected", list(product([True, False], repeat=5)))
def test_inputs_join_the_store_and_the_process(
    suspended: bool, quarantined: bool, routed: bool, allowed: bool, connected: bool
) -> None:
    unfinished = Unfinished(
        SessionId(1), SessionKey("web", "local", "a"), Generation(4), run(), tail(), 2, routed, suspended, quarantined
    )
    inputs = inputs_from(unfinished, now=NOW, epoch=Epoch(2), allowed=allowed, connected=connected, unclean_boots=1)
    assert inputs == ResumeInputs(
        NOW, tail(), run(), CRASH, quarantined, suspended, routed, allowed, connected, unclean_boots=1
    )
