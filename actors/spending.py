"""What becomes of what a run spends: it is kept; who goes over a budget is told once, and then ended. Pure."""

from __future__ import annotations

from greenroom.actors.acts import Confirm
from greenroom.actors.budgets import Excess, after_call, after_report, excess_of_call, excess_of_report
from greenroom.actors.concluding import give_up
from greenroom.actors.draft import Draft
from greenroom.actors.events import SpendingReported, ToolCalled, ToolWithheld
from greenroom.actors.facts import RunSpent
from greenroom.actors.lines import over_budget_line
from greenroom.actors.rules import Rules
from greenroom.actors.state import Asking, Running


def may_call(draft: Draft, phase: Running | Asking, event: ToolCalled | ToolWithheld, rules: Rules) -> bool:
    """Count a tool call against its budgets. False: it is not made, and the agent hears why or is ended."""
    excess = excess_of_call(draft.spent, event.nth, rules)
    if excess is not None:
        _refuse(draft, phase, event.call.key, excess, rules)
        return False
    draft.spent = after_call(draft.spent)  # On disk in the ledger.
    return True


def take_report(draft: Draft, phase: Running | Asking, event: SpendingReported, rules: Rules) -> None:
    """Keep what was spent, whatever follows from it."""
    draft.spent = spent = after_report(draft.spent, event.spent)
    draft.write(RunSpent(draft.id, phase.run.generation, spent))
    excess = excess_of_report(spent, rules)
    if excess is None:
        draft.do(Confirm(draft.generation, event.key))
    else:
        _refuse(draft, phase, event.key, excess, rules)
    if isinstance(draft.phase, Running | Asking):
        draft.hear(rules)


def _refuse(draft: Draft, phase: Running | Asking, key: str, excess: Excess, rules: Rules) -> None:
    """Tell the agent, once in a run; an agent that goes on all the same does not end by itself."""
    if draft.told_excess:
        give_up(draft, phase, over_budget_line(excess), excess.budget, rules)
    else:
        draft.told_excess = True
        draft.do(Confirm(draft.generation, key, excess))
