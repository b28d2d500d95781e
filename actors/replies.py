"""What the house replies to an order, in a few plain lines. Pure; nobody parses it back."""

from __future__ import annotations

import json
from typing import Any, assert_never

from greenroom.actors.commands import USES
from greenroom.actors.draft import Draft
from greenroom.actors.facts import DecisionStored
from greenroom.actors.lines import span
from greenroom.actors.model import TailKind
from greenroom.actors.state import Asking, Idle, Interrupted, Running
from greenroom.actors.times import read_time
from greenroom.actors.why import RULES
from greenroom.actors.wording import cause_of

PROMPT_MAX = 200
"""Characters of an open question that a status repeats."""

HELP = "\n".join(f"/{command} - {use}" for command, use in USES.items())
NOTHING_RUNS = "Nothing is running."
TEXT_WANTED = "Write the text behind it: /{command} and what you want to say."
NOTHING_TO_APPROVE = "Nothing waits for your approval."
ALREADY_SUSPENDED = "This conversation is suspended already; /resume lifts that."
SUSPENDED = "Suspended{interrupted}. What you write is kept; nothing begins until you write /resume."
LIFTED = "Not suspended any more; nothing waits."
RESUMED = "Going on."
RUNS_ALREADY = "It is running already; /status says more."
RESTARTING = "The service is about to restart; what is open goes on afterwards."
NOTHING_TO_RESUME = "There is nothing to resume; /retry runs your last request again."
SET_ASIDE = "This conversation is set aside until whoever runs this service releases it."
RETRIED = "Running your last request again."
RETRY_BUSY = "Something is running; wait for it, or /stop it first."
RETRY_SUSPENDED = "This conversation is suspended; /resume lifts that."
RETRY_LATER = "The service is about to restart; write /retry again afterwards."
NOTHING_TO_RETRY = "There is no request to run again."
UNREADABLE = "That could not be looked up now; try again in a moment."
NO_DECISION = "No interruption of this conversation was ever decided about."


def waits_for_answer(prompt: str) -> str:
    """Say that it is the user's turn."""
    return f"The agent waits for your answer: {_shortened(prompt)}"


def stopped(line: str, *, before: int, ended: int, waiting: int) -> str:
    """Say what was stopped: `before` messages had not begun, `ended` processes ran, `waiting` messages come next."""
    parts = [line, _ended(ended)]
    if before:
        parts.append(f"{_messages(before)} that had not begun {_will(before, 'is', 'are')} dropped.")
    if waiting:
        parts.append(f"{_messages(waiting)} that {_will(waiting, 'waits', 'wait')} {_will(waiting, 'is', 'are')} next.")
    return " ".join(part for part in parts if part)


def begun_anew(line: str, *, before: int, ended: int) -> str:
    """Say that a new conversation begins; `before` messages that waited stay with the old one."""
    parts = [line, _ended(ended), "A new conversation begins."]
    if before:
        parts.append(f"{_messages(before)} that waited {_will(before, 'stays', 'stay')} unanswered in the old one.")
    return " ".join(part for part in parts if part)


def status(draft: Draft, decision: DecisionStored | None) -> str:
    """Say what is going on."""
    lines = [_state(draft)]
    if draft.waiting:
        count = len(draft.waiting)
        lines.append(f"{_messages(count)} {_will(count, 'waits', 'wait')}.")
    if living := sum(it.lives for it in draft.awaited):
        lines.append("One background process runs." if living == 1 else f"{living} background processes run.")
    if draft.quarantined:
        lines.append(SET_ASIDE)
    if draft.suspended:
        lines.append("Suspended; /resume lifts that.")
    if draft.draining is not None:
        lines.append("The service is about to restart.")
    if decision is not None:
        lines.append(f"Last decision{_ago(decision.at, draft.now)}: {_outcome(decision)}.")
    return "\n".join(lines)


def explanation(decision: DecisionStored | None, now: float) -> str:
    """Say how the last interruption was decided about, and from what."""
    if decision is None:
        return NO_DECISION
    lines = [f"Decided{_ago(decision.at, now)}: {_outcome(decision)} (rule {decision.rule})."]
    return "\n".join((*lines, *_inputs(decision.inputs)))


def _state(draft: Draft) -> str:
    match draft.phase:
        case Idle():
            return NOTHING_RUNS
        case Running(run=run):
            return f"Running for {span(draft.now - run.opened_at)}, attempt {run.attempt}."
        case Asking(question=question):
            return waits_for_answer(question.prompt)
        case Interrupted(question=question) if question is not None:
            return waits_for_answer(question.prompt)
        case Interrupted(run=run):
            return f"Interrupted after {_attempts(run.attempt)}; /resume goes on with it."
        case _:
            assert_never(draft.phase)


def _outcome(decision: DecisionStored) -> str:
    found = RULES.get(decision.rule, decision.rule)
    match decision.outcome:
        case "resume":
            return "the work went on by itself"
        case "wait":
            return f"not resumed yet, since {found}"
        case "quarantine":
            return f"set aside, since {found}"
        case _:
            return f"not resumed, since {found}"


def _inputs(text: str) -> list[str]:
    """Put what is stored with the decision into words; what another version stored otherwise is left out."""
    try:
        inputs: dict[str, Any] = json.loads(text)
    except ValueError:
        return []
    lines = []
    if isinstance(run := inputs.get("run"), dict):
        lines.append(f"The work had been interrupted: {cause_of(str(inputs.get('reason')))}.")
        lines.append(f"That was {_attempts(run.get('attempt'))} without progress.")
    if isinstance(tail := inputs.get("tail"), dict) and tail.get("kind") in TailKind.__members__:
        lines.append(f"How the conversation ended: {TailKind[tail['kind']]}.")
    if isinstance(age_s := inputs.get("age_s"), int | float):
        lines.append(f"It had last moved {span(age_s)} before.")
    if isinstance(boots := inputs.get("unclean_boots"), int) and boots:
        lines.append(f"The service had ended unexpectedly {boots} times shortly before.")
    return lines


def _attempts(count: object) -> str:
    return "one attempt" if count == 1 else f"{count} attempts"


def _messages(count: int) -> str:
    return "One message" if count == 1 else f"{count} messages"


def _ended(count: int) -> str:
    """Say how many background processes were ended."""
    if count == 0:
        return ""
    return "One background process is ended." if count == 1 else f"{count} background processes are ended."


def _will(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _ago(at: float, now: float) -> str:
    moment = read_time(at, now=now)
    return "" if moment is None else f" {span(now - moment)} ago"


def _shortened(prompt: str) -> str:
    return prompt if len(prompt) <= PROMPT_MAX else f"{prompt[:PROMPT_MAX]}..."
