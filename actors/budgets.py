"""How much a piece of work may spend: calls of tools and models, money, and the same call again and again. Pure.

What is spent counts for all attempts at the work. Who goes over a budget is told, as `BudgetExceededError`; who then
goes on all the same is ended.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.model import Budget, Spent
from greenroom.actors.rules import Rules


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
