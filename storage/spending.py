"""What the work of a run spent: kept with the run, tool calls in the ledger."""

import apsw

from greenroom.actors.facts import RunSpent
from greenroom.actors.model import Generation, SessionId, Spent
from greenroom.storage.rows import Row


def run_spent(db: apsw.Connection, fact: RunSpent) -> None:
    spent = fact.spent
    db.execute(
        "UPDATE runs SET model_calls = ?, tokens = ?, cost = ? WHERE session_id = ? AND generation = ? AND open = 1",
        (spent.model_calls, spent.tokens, spent.cost, fact.session_id, fact.generation),
    )


def read_spent(db: apsw.Connection, session_id: SessionId, work: Generation) -> Spent:
    """What the work of the open run spent so far."""
    rows: list[Row] = db.execute(
        "SELECT (SELECT coalesce(sum(attempts), 0) FROM tool_calls WHERE session_id = ?1 AND work = ?2),"
        " model_calls, tokens, cost FROM runs WHERE session_id = ?1 AND open = 1",
        (session_id, work),
    ).fetchall()
    return Spent(*rows[0])
