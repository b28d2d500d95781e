"""What its person sees of a run while it lasts: on the anchor, and never stored. All of it may be lost. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.acts import ArmAlarm, ShowText
from greenroom.actors.draft import Draft
from greenroom.actors.events import Alarm
from greenroom.actors.lines import RESTING_LINE, drained_line, joined, working_line
from greenroom.actors.model import InterruptReason
from greenroom.actors.rules import Rules
from greenroom.actors.state import Asking, Interrupted, Running

REMARK_MAX = 200
"""Characters of a run's last remark that are said again in a notice."""


def show(draft: Draft, phase: Running | Asking, text: str, rules: Rules) -> None:
    """Show the words that stream."""
    phase = draft.anchor(phase)
    draft.move(replace(phase, said=text))
    draft.do(ShowText(draft.answer_key(phase), text))
    draft.hear(rules)


def show_aside(draft: Draft, phase: Running | Asking, remark: str, rules: Rules) -> None:
    """Show a remark under what was said; it is no part of that, and is said again with the next notice."""
    phase = draft.anchor(phase)
    if isinstance(phase, Running):
        draft.move(replace(phase, remark=" ".join(remark.split())[:REMARK_MAX]))
    draft.do(ShowText(draft.answer_key(phase), joined(phase.said, f"({remark})")))
    draft.hear(rules)


def show_notice(draft: Draft, phase: Running, rules: Rules) -> None:
    """Show how long it works already, and that again after a while."""
    anchored = draft.anchor(phase)
    line = working_line(draft.now - phase.run.opened_at, phase.remark)
    draft.do(ShowText(draft.answer_key(anchored), joined(phase.said, line)))
    draft.do(ArmAlarm(draft.generation, Alarm.NOTICE, rules.notice_every_s))


def show_drain(draft: Draft, phase: Running, reason: InterruptReason) -> None:
    """Show that the process is about to end, and that the work goes on after that."""
    anchored = draft.anchor(phase)
    draft.do(ShowText(draft.answer_key(anchored), joined(phase.said, drained_line(reason))))


def show_suspended(draft: Draft, phase: Running | Interrupted) -> None:
    """Show where the answer will come, if anything stands there, that nobody works on it, and what changes that."""
    if phase.anchored:
        said = phase.said if isinstance(phase, Running) else ""
        draft.do(ShowText(draft.answer_key(phase), joined(said, RESTING_LINE)))
