"""A decision's record and sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.supervisor.resume_page import page

from greenroom.actors.model import Epoch, Generation, InterruptReason, OpenRun, RunCause, Seq, Tail, TailKind
from greenroom.actors.why import ADVICE
from greenroom.supervisor.decisions import (
    RESTARTS_EXHAUSTED,
    ROW_NUMBERS,
    describe,
    explain,
    outcome_of,
    rule_of,
)
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.resume import (
    LIMITS,
    TABLE,
    Decision,
    Quarantine,
    Resume,
    ResumeInputs,
    Skip,
    Wait,
    Why,
    decide_resume,
)
from greenroom.supervisor.sandbox.invariants_deciding import read_inputs

NOW = 1_800_000_000.0
RUN = OpenRun(Generation(4), Epoch(1), Generation(3), RunCause.RESUME, 2, NOW - 20, NOW - 10)
INPUTS = ResumeInputs(NOW, Tail(TailKind.PARTIAL, NOW - 10, Seq(7), Seq(5)), RUN, InterruptReason.RESTART_INTERRUPTED)
DECISIONS: list[Decision] = [Resume(INPUTS.reason), Wait(), Quarantine(3), *(Skip(why) for why in Why)]
CRASHING = Quarantine(5, crashing=True)


def test_every_decision_has_a_row_an_outcome_and_advice() -> None:
    rules = {rule_of(decision) for decision in DECISIONS}
    assert rules == {row.rule for row in TABLE} == set(ROW_NUMBERS) == set(ADVICE) - {RESTARTS_EXHAUSTED}
    assert rule_of(CRASHING) == RESTARTS_EXHAUSTED
    assert {outcome_of(decision) for decision in DECISIONS} == {"resume", "wait", "quarantine", "skip"}


def test_the_named_rule_is_the_row_that_answered() -> None:
    for row in TABLE:
        assert rule_of(row.decision(INPUTS)) == row.rule


@pytest.mark.parametrize("decision", DECISIONS, ids=rule_of)
def test_a_decision_is_told_in_one_sentence_with_row_rule_and_advice(decision: Decision) -> None:
    sentence = describe(decision, INPUTS)
    rule = rule_of(decision)
    assert f"(row {ROW_NUMBERS[rule]}, {rule}); {ADVICE[rule]}." in sentence
    assert "\n" not in sentence


def test_a_stale_session_is_told_with_its_age() -> None:
    old = replace(INPUTS, tail=Tail(TailKind.USER, NOW - 7200), run=None)
    assert "the last progress was 7200 s ago" in describe(Skip(Why.STALE), old)


def test_an_explanation_holds_all_inputs() -> None:
    told = explain(INPUTS, decide_resume(INPUTS, Policy()), Policy(auto_resume=frozenset(InterruptReason)))
    assert (told["row"], told["rule"], told["outcome"]) == (15, "RESUME", "resume")
    assert told["inputs"]["tail"] == {
        "kind": "PARTIAL",
        "at": NOW - 10,
        "seq": 7,
        "user_seq": 5,
        "answered_upto": 0,
        "open_calls": [],
    }
    assert told["inputs"]["run"] == {
        "generation": 4,
        "epoch": 1,
        "work": 3,
        "cause": "resume",
        "attempt": 2,
        "opened_at": NOW - 20,
        "last_progress_at": NOW - 10,
        "interrupted_by": None,
        "ending": None,
    }
    assert told["inputs"]["age_s"] == 10
    assert set(ResumeInputs.__struct_fields__) <= set(told["inputs"])
    assert told["inputs"]["limits"] == {
        "auto_resume": sorted(InterruptReason),
        "fresh_s": 3600.0,
        "attempts_max": 3,
        "unclean_boots_max": 3,
    }


class Watched:
    """A policy that remembers which of its knobs were read."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def __getattr__(self, knob: str) -> object:
        self.read.add(knob)
        return getattr(Policy(), knob)


def test_the_limits_that_are_stored_are_those_that_the_table_reads() -> None:
    policy = Watched()
    for row in TABLE:
        row.fits(INPUTS, cast("Policy", policy))
    assert policy.read == set(LIMITS)


def test_what_is_set_aside_for_its_crashes_is_told_so_and_not_as_a_row_of_the_table() -> None:
    told = explain(INPUTS, CRASHING, Policy())
    assert (told["row"], told["rule"]) == (None, RESTARTS_EXHAUSTED)
    assert told["inputs"]["limits"] == {"restarts_max": 5, "restarts_window_s": Policy().restarts_window_s}
    sentence = describe(CRASHING, INPUTS)
    assert sentence.startswith(
        "Quarantined: its actor crashed again after 5 restarts without any progress (RESTARTS_EXH"
    )


@given(
    now=st.floats(), at=st.floats(), reason=st.text() | st.sampled_from(InterruptReason), run=st.none() | st.just(RUN)
)
def test_an_explanation_is_json_whatever_the_inputs(now: float, at: float, reason: str, run: OpenRun | None) -> None:
    inputs = ResumeInputs(now, Tail(TailKind.USER, at, open_calls=frozenset({"b", "a"})), run, reason)
    decision = decide_resume(inputs, Policy())
    told = explain(inputs, decision, Policy())
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert describe(decision, inputs)


@given(
    now=st.floats(allow_nan=False, allow_infinity=False),
    at=st.floats(allow_nan=False, allow_infinity=False),
    kind=st.sampled_from(TailKind),
    run=st.none() | st.just(RUN),
    allowed=st.booleans(),
    connected=st.booleans(),
    attempts_max=st.integers(1, 4),
    fresh_s=st.floats(0, 1e9),
)
def test_who_decides_again_by_what_is_stored_decides_the_same(
    now: float,
    at: float,
    kind: TailKind,
    run: OpenRun | None,
    allowed: bool,
    connected: bool,
    attempts_max: int,
    fresh_s: float,
) -> None:
    policy = Policy(attempts_max=attempts_max, fresh_s=fresh_s)
    tail = Tail(kind, at, Seq(7), Seq(5), open_calls=frozenset({"b", "a"}))
    inputs = ResumeInputs(now, tail, run, InterruptReason.ACTOR_CRASHED, allowed=allowed, connected=connected)
    decision = decide_resume(inputs, policy)
    stored = json.loads(json.dumps(explain(inputs, decision, policy)["inputs"]))
    assert decide_resume(*read_inputs(stored)) == decision


def test_the_page_of_all_rows_is_current() -> None:
    kept = Path(__file__).parents[2] / "docs" / "resume.md"
    hint = "run `python -m tests.supervisor.resume_page > docs/resume.md`"
    assert kept.read_text(encoding="utf-8") == page(), hint
