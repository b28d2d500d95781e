"""How much a piece of work may spend: calls of tools and models, money, and the same call again and again. Pure.

What is spent counts for all attempts at the work. Who goes over a budget is told, as `BudgetExceededError`; who then
goes on all the same is ended.
"""

from __future__ import annotations

from operator import index
from typing import SupportsFloat, SupportsIndex

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.model import Budget, Spent
from greenroom.actors.rules import Rules

SPENT_MAX = 10**12
"""Most that one report may say of anything: sums of as many reports as anybody can write fit into a column."""


class Excess(Struct, frozen=True):
    """A budget, and that it is used up."""

    budget: Budget
    most: float


def after_call(spent: Spent) -> Spent:
    """Count one more call of a tool."""
    return replace(spent, tool_calls=spent.tool_calls + 1)


def excess_of_call(spent: Spent, nth: int, rules: Rules) -> Excess | None:
    """Say whether one more tool call is too much, that came `nth` times in this run already, just like this.

    >>> excess_of_call(Spent(tool_calls=500), 0, Rules()).budget
    <Budget.TOOL_CALLS: 'tool_calls'>
    """
    if 0 < rules.tool_calls_max <= spent.tool_calls:
        return Excess(Budget.TOOL_CALLS, rules.tool_calls_max)
    return Excess(Budget.REPEATS, rules.repeats_max) if 0 < rules.repeats_max <= nth else None


def read_spent(calls: object, tokens: object, cost: object) -> Spent:
    """Read what an agent reports. Raises ValueError for what cannot be kept, and TypeError for what is no number.

    >>> read_spent(1, 900, 0.5)
    Spent(tool_calls=0, model_calls=1, tokens=900, cost=0.5)
    """
    return Spent(model_calls=_read_count("calls", calls), tokens=_read_count("tokens", tokens), cost=_read_cost(cost))


def _read_count(name: str, given: object) -> int:
    if not isinstance(given, SupportsIndex):
        msg = f"turn.spent: {name} must be a whole number, got {given!r:.40}; round it"
        raise TypeError(msg)
    number = index(given)
    if not 0 <= number <= SPENT_MAX:
        msg = f"turn.spent: {name} must be from 0 to {SPENT_MAX:,}, got {given!r:.40}"
        raise ValueError(msg)
    return number


def _read_cost(given: object) -> float:
    if not isinstance(given, SupportsFloat):
        msg = f"turn.spent: cost must be a number, got {given!r:.40}"
        raise TypeError(msg)
    if not 0 <= given <= SPENT_MAX:  # type: ignore[operator]  # what can be a float can be compared; NaN is neither
        msg = f"turn.spent: cost must be from 0 to {SPENT_MAX:,}, got {given!r:.40}"
        raise ValueError(msg)
    return float(given)


def after_report(spent: Spent, more: Spent) -> Spent:
    """Add what the agent says that it spent."""
    return replace(
        spent,
        model_calls=spent.model_calls + more.model_calls,
        tokens=spent.tokens + more.tokens,
        cost=spent.cost + more.cost,
    )


def excess_of_report(spent: Spent, rules: Rules) -> Excess | None:
    """Say whether what was spent is too much."""
    if 0 < rules.model_calls_max < spent.model_calls:
        return Excess(Budget.MODEL_CALLS, rules.model_calls_max)
    return Excess(Budget.COST, rules.cost_max) if 0 < rules.cost_max < spent.cost else None
