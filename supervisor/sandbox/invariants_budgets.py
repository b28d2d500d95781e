"""What must be true of what work spends: it is kept over all attempts, and nobody goes on for ever."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World

SLACK_S = 5.0


def no_work_goes_over_its_budget(db: apsw.Connection, world: World) -> Iterator[str]:
    """A piece of work makes no more tool calls than it may, and reports at most twice that it is over a budget."""
    if world.policy is None:
        return
    for session, work, calls in rows(
        db,
        "SELECT session_id, work, sum(attempts) AS calls FROM tool_calls GROUP BY session_id, work HAVING calls > ?",
        world.policy.tool_calls_max,
    ):
        yield f"work {work} of session {session} made {calls} calls of tools"
    for session, generation, count in rows(
        db,
        "SELECT session_id, generation, count(*) AS calls FROM tool_calls WHERE name = 'look'"
        " GROUP BY session_id, generation HAVING calls > ?",
        world.policy.repeats_max,
    ):
        yield f"run {generation} of session {session} made the same call {count} times"


def who_goes_over_is_ended(db: apsw.Connection, world: World) -> Iterator[str]:
    """A run that made the same call as often as it may, and never stops, is ended for that and for nothing else."""
    if world.policy is None or world.was("disk", "clock", "host"):
        return
    for session, generation in rows(
        db,
        "SELECT session_id, generation FROM runs WHERE ending = 'failed' AND failed_by IN ('silent', 'endless')"
        " AND (SELECT count(*) FROM tool_calls WHERE name = 'look' AND tool_calls.session_id = runs.session_id"
        " AND tool_calls.generation = runs.generation AND result IS NOT NULL) >= ?",
        world.policy.repeats_max,
    ):
        yield f"run {generation} of session {session} went on although its budget was used up"


def what_was_spent_is_kept(db: apsw.Connection, _: World) -> Iterator[str]:
    """The next attempt at a piece of work begins with what the one before it had spent."""
    for session, generation in rows(
        db,
        "SELECT session_id, generation FROM (SELECT session_id, generation, tokens, cost, model_calls,"
        " max(model_calls) OVER work AS calls_before, max(tokens) OVER work AS tokens_before FROM runs"
        " WINDOW work AS (PARTITION BY session_id, work ORDER BY generation ROWS UNBOUNDED PRECEDING))"
        " WHERE model_calls < calls_before OR tokens < tokens_before",
    ):
        yield f"run {generation} of session {session} forgot what its work had spent"


def a_failure_has_its_cause(db: apsw.Connection, _: World) -> Iterator[str]:
    """Of each run that failed it is stored by what; one that used up a budget says so in its chat's transcript."""
    for session, generation in rows(
        db, "SELECT session_id, generation FROM runs WHERE ending = 'failed' AND failed_by IS NULL"
    ):
        yield f"run {generation} of session {session} failed, and nothing says by what"


def a_run_has_its_time(db: apsw.Connection, world: World) -> Iterator[str]:
    """A run that is ended for its length was at it for so long: time for which its host slept is none of that.

    How long it slept before the first alarm was due is not noticed.
    """
    policy = world.policy
    if policy is None or any(kind.startswith("clock") for kind in world.faults):
        return
    unnoticed_s = max(policy.notice_first_s, policy.notice_every_s) + SLACK_S
    for session, generation, opened_at, closed_at in rows(
        db, "SELECT session_id, generation, opened_at, closed_at FROM runs WHERE failed_by = 'endless'"
    ):
        asleep_s = sum(seconds for since, seconds in world.sleeps if opened_at <= since <= closed_at)
        awake_s = closed_at - opened_at - asleep_s
        if awake_s < policy.run_max_s - unnoticed_s:
            yield f"run {generation} of session {session} was ended after {awake_s:.0f} s, awake"


BUDGETS: tuple[Check, ...] = (
    no_work_goes_over_its_budget,
    who_goes_over_is_ended,
    what_was_spent_is_kept,
    a_failure_has_its_cause,
    a_run_has_its_time,
)
