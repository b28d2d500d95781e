"""The short lines that a session says to its person by itself: honest, without the user's words or inner details."""

from __future__ import annotations

from greenroom.actors.budgets import Excess
from greenroom.actors.model import Budget, FreshCause, InterruptReason, Lapse
from greenroom.actors.process import ProcessEnding, show_command

EMPTY_LINE = "(The agent ended without an answer. Your message is kept; write again to go on.)"
INCOMPLETE_LINE = "(Incomplete: the agent's text was cut short ({finish}). Write again to go on.)"
STOPPED_SHORT_LINE = "(The agent gave up before it had an answer. Write again to go on.)"
CRASHED_LINE = "(The agent failed: {what}. Your message is kept; write again to go on.)"
ASIDE_LINE = (
    "(This conversation is set aside. Your message is kept; it will be answered when whoever runs this service has "
    "released the conversation.)"
)
SUSPENDED_LINE = "(This conversation is suspended. Your message is kept; /resume lets it go on.)"
RESTING_LINE = "(Suspended: /resume lets me go on with this.)"
STOPPED_LINE = "Stopped."
CUT_RESULT = (
    "[no result: the run was ended before one was stored; the call may or may not have taken effect, and it was not "
    "repeated]"
)

DOUBT_RESULT = (
    "[in doubt: the same call was interrupted before; it may or may not have taken effect, and it was not repeated]"
)

STEERED_LINE = "(Passed on to the work that is running.)"
UNSTEERED_LINE = "(The work before could not take this in; I answer it now.)"
TIMED_OUT_LINE = "(I asked you something and had no answer in time, so I stopped here. Write again to go on.)"
OVER_LINE = "(That question is over, so this changed nothing. Write to me if you want something else.)"
UNDELIVERED_LINE = "(I could not reach you with a question, so I stopped here. Write again to go on.)"
NO_NEWS_LINE = "(The agent had nothing to say about what a background process told it.)"
_LAPSED = {
    Lapse.TIMED_OUT: "[the question timed out: nobody answered it in time]",
    Lapse.UNDELIVERED: "[the question could not be delivered: nobody was asked]",
    Lapse.ENDED: "[the question is over: the work in which it was asked has ended]",
}

COMMAND_MAX = 200
"""Characters of a command in a line or a note."""

_BUDGETS = {
    Budget.TOOL_CALLS: "has called tools {} times for this, which is as often as it may",
    Budget.REPEATS: "has made the same call {} times, which is as often as it may",
    Budget.MODEL_CALLS: "has called its model more than {} times for this",
    Budget.COST: "has spent more than {} on this",
}

MINUTE_S = 60
HOUR_S = 3600


def span(seconds: float) -> str:
    """Say a length of time as a person would.

    >>> span(45), span(180), span(7260)
    ('45 s', '3 min', '2 h 1 min')
    """
    whole = max(0, round(seconds))
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    hours, rest = divmod(whole, HOUR_S)
    minutes = rest // MINUTE_S
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def fresh_line(cause: FreshCause, after_s: float) -> str:
    """Say that the conversation begins anew, and why."""
    why = f"nothing was said for {span(after_s)}" if cause is FreshCause.IDLE else "a new day has begun"
    return f"(This is a new conversation: {why}. What was said before is kept, but not in mind here.)"


def working_line(elapsed_s: float, remark: str = "") -> str:
    """Say that a run lasts, and what it last said of its progress.

    >>> working_line(180, "page 7")
    '(Still working, 3 min: page 7)'
    """
    return f"(Still working, {span(elapsed_s)}{f': {remark}' if remark else ''})"


def drained_line(reason: InterruptReason) -> str:
    """Say, where a run is live, that the process is about to end; nothing else is said of it until it runs again."""
    what = "shut down" if reason is InterruptReason.SHUTDOWN_TIMEOUT else "restarted"
    return f"(I am being {what}; I go on with this afterwards.)"


def late_line(late_s: float) -> str:
    """Say that an answer comes late, and how late."""
    return f"(Late: your message waited {span(late_s)} before I could begin.)"


def silent_line(silent_s: float) -> str:
    """Say that a run was given up for want of any sign of life."""
    return f"(The agent gave no sign of life for {span(silent_s)}, so its run was ended. Write again to try anew.)"


def endless_line(run_max_s: float) -> str:
    """Say that a run was ended because it did not end by itself."""
    return f"(The agent was still at it after {span(run_max_s)}, so its run was ended. Write again to go on.)"


def put_off_line(why: str, after_s: float) -> str:
    """Say that the agent could not reach what it needs, and when it tries again."""
    return f"(The agent cannot go on just now: {why}. It tries again in {span(after_s)}.)"


def unreachable_line(why: str, waited_s: float) -> str:
    """Say that the agent still could not reach what it needs, after so much waiting."""
    waited = f" after waiting {span(waited_s)} in all" if waited_s > 0 else ""
    return f"(The agent could not go on{waited}: {why}. Your message is kept; write again to try anew.)"


def with_choices(text: str, choices: tuple[str, ...]) -> str:
    """List what may be answered under a question."""
    return "\n".join((text, *(f"- {choice}" for choice in choices)))


def over_budget_line(excess: Excess) -> str:
    """Say that a run was ended because it used up what it may spend, and what that was."""
    what = _BUDGETS[excess.budget].format(f"{excess.most:,g}")
    return f"(The agent {what}, so its run was ended. Write again to go on.)"


def trouble_line(words: str) -> str:
    """Tell who waits, or writes, that nothing can be saved just now, and why.

    >>> trouble_line("cannot save right now: the disk is full")
    '(I cannot save right now: the disk is full. What you wrote is not lost; I go on by myself when that is over.)'
    """
    return f"(I {words}. What you wrote is not lost; I go on by myself when that is over.)"


def lapsed_text(lapse: Lapse) -> str:
    """Say in the transcript that a question is over without an answer."""
    return _LAPSED[lapse]


def process_line(command: tuple[str, ...], ending: ProcessEnding) -> str:
    """Say, while a run goes on, that a process is over that it started.

    >>> from greenroom.actors.process import ProcessState
    >>> process_line(("make",), ProcessEnding(ProcessState.ENDED, 2))
    '(Finished in the background: make, exit code 2)'
    """
    return f"(Finished in the background: {shorten(show_command(command), COMMAND_MAX)}, {how_it_ended(ending)})"


def how_it_ended(ending: ProcessEnding) -> str:
    """Say how a process ended, in a few words."""
    if ending.exit_code is None:
        return "lost when the service ended"
    return f"exit code {ending.exit_code}" if ending.exit_code >= 0 else f"ended by signal {-ending.exit_code}"


def shorten(text: str, limit: int) -> str:
    """Cut a text for a note or a line."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def joined(*parts: str) -> str:
    """Join paragraphs; empty ones are left out."""
    return "\n\n".join(part for part in parts if part)


def paragraphs(*parts: str) -> str:
    """Join what an agent said; parts of blanks only are left out."""
    return joined(*(part for part in parts if part.strip()))


def cut_answer(text: str, limit: int) -> str:
    """Cut an answer at its limit, and say so."""
    return text if len(text) <= limit else f"{text[:limit]}\n\n(Cut here: an answer has at most {limit:,} characters.)"
