"""What must be true of decisions: each follows from what is stored with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import apsw

from greenroom.actors.model import OpenRun, Tail, TailKind
from greenroom.supervisor.decisions import RESTARTS_EXHAUSTED, outcome_of, rule_of
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.resume import ResumeInputs, decide_resume
from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World


def a_decision_follows_from_its_row(db: apsw.Connection, _: World) -> Iterator[str]:
    """Who decides again, by nothing but the inputs and limits that are stored with a decision, decides the same."""
    for session, rule, outcome, stored in rows(
        db, "SELECT session_id, rule, outcome, inputs FROM decisions WHERE rule <> ?", RESTARTS_EXHAUSTED
    ):
        again = decide_resume(*read_inputs(json.loads(stored)))
        if (rule_of(again), outcome_of(again)) != (rule, outcome):
            yield f"{rule} of session {session} is stored with what leads to {rule_of(again)}"


def read_inputs(stored: dict[str, Any]) -> tuple[ResumeInputs, Policy]:
    """Read back what `explain` laid out."""
    given = {name: value for name, value in stored.items() if name not in {"age_s", "tail", "run", "limits"}}
    tail = {**stored["tail"], "kind": TailKind[stored["tail"]["kind"]]}
    tail["open_calls"] = frozenset(tail["open_calls"])
    run = None if stored["run"] is None else OpenRun(**stored["run"])
    return ResumeInputs(**given, tail=Tail(**tail), run=run), _policy(json.dumps(stored["limits"]))


@cache
def _policy(limits: str) -> Policy:
    """Make a policy of limits, in JSON: it judges all its knobs, and a world has one."""
    return Policy(**json.loads(limits))


DECIDING_AFTER_BOOT: tuple[Check, ...] = (a_decision_follows_from_its_row,)
