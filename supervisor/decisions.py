"""How a resume decision is kept and told: its rule, all it was made from, and a sentence for the operator. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from greenroom.actors.model import OpenRun
from greenroom.actors.why import ADVICE
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.resume import LIMITS, TABLE, Decision, Quarantine, Resume, ResumeInputs, Skip, Wait, Why

ROW_NUMBERS = {row.rule: row.number for row in TABLE}

RESTARTS_EXHAUSTED = "RESTARTS_EXHAUSTED"
"""The one rule beside the table: a session whose actor crashes on is set aside, whatever it was doing."""


def rule_of(decision: Decision) -> str:
    """Name the rule of the table that answered."""
    match decision:
        case Skip(why):
            return why.name
        case Quarantine(crashing=crashing):
            return RESTARTS_EXHAUSTED if crashing else "ATTEMPTS_EXHAUSTED"
        case Wait():
            return "NOT_CONNECTED"
        case Resume():
            return "RESUME"
        case _:
            assert_never(decision)


def outcome_of(decision: Decision) -> str:
    """Name what is done: `resume`, `skip`, `wait` or `quarantine`."""
    return type(decision).__name__.lower()


def explain(inputs: ResumeInputs, decision: Decision, policy: Policy) -> dict[str, Any]:
    """Lay out a decision with everything it was made from, the policy's limits too; the result is JSON."""
    rule = rule_of(decision)
    return {
        "row": ROW_NUMBERS.get(rule),
        "rule": rule,
        "outcome": outcome_of(decision),
        "inputs": {
            "now": _finite(inputs.now),
            "age_s": _finite(inputs.age_s),
            "reason": str(inputs.reason),
            "quarantined": inputs.quarantined,
            "suspended": inputs.suspended,
            "routed": inputs.routed,
            "allowed": inputs.allowed,
            "connected": inputs.connected,
            "unclean_boots": inputs.unclean_boots,
            "tail": {
                "kind": inputs.tail.kind.name,
                "at": _finite(inputs.tail.at),
                "seq": inputs.tail.seq,
                "user_seq": inputs.tail.user_seq,
                "answered_upto": inputs.tail.answered_upto,
                "open_calls": sorted(inputs.tail.open_calls),
            },
            "run": None if inputs.run is None else _explain_run(inputs.run),
            "limits": _explain_limits(decision, policy),
        },
    }


def _explain_limits(decision: Decision, policy: Policy) -> dict[str, Any]:
    knobs = ("restarts_max", "restarts_window_s") if rule_of(decision) == RESTARTS_EXHAUSTED else LIMITS
    return {knob: _plain(getattr(policy, knob)) for knob in knobs}


def _plain(value: object) -> object:
    """Say a knob in JSON: reasons are a list, in one order."""
    return sorted(map(str, value)) if isinstance(value, Iterable) else value


def _explain_run(run: OpenRun) -> dict[str, Any]:
    return {
        "generation": run.generation,
        "epoch": run.epoch,
        "work": run.work,
        "cause": str(run.cause),
        "attempt": run.attempt,
        "opened_at": _finite(run.opened_at),
        "last_progress_at": _finite(run.last_progress_at),
        "interrupted_by": None if run.interrupted_by is None else str(run.interrupted_by),
        "ending": None if run.ending is None else str(run.ending),
    }


def _finite(number: float | None) -> float | None:
    """Keep what JSON can say: NaN and infinity are not numbers there."""
    return number if number is not None and abs(number) < float("inf") else None


def describe(decision: Decision, inputs: ResumeInputs) -> str:
    """Say in one sentence what was decided, why, and what an operator can do."""
    rule = rule_of(decision)
    named = f"row {ROW_NUMBERS[rule]}, {rule}" if rule in ROW_NUMBERS else rule
    return f"{_what(decision, inputs)} ({named}); {ADVICE[rule]}."


def _what(decision: Decision, inputs: ResumeInputs) -> str:
    match decision:
        case Skip(Why.STALE) if inputs.age_s is not None:
            return f"Not resumed: {Why.STALE}, the last progress was {inputs.age_s:.0f} s ago"
        case Skip(Why.REASON_NOT_ALLOWED):
            return f"Not resumed: {Why.REASON_NOT_ALLOWED} ({inputs.reason})"
        case Skip(why):
            return f"Not resumed: {why}"
        case Quarantine(attempts, crashing=True):
            return f"Quarantined: its actor crashed again after {attempts} restarts without any progress"
        case Quarantine(attempts):
            return f"Quarantined: {attempts} attempts without any progress"
        case Wait():
            return "Not resumed yet: its platform is not connected"
        case Resume(reason):
            return f"Resumed: the run was interrupted ({reason}) and ends in '{inputs.tail.kind}'"
        case _:
            assert_never(decision)
