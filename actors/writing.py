"""What an agent adds to the transcript itself: rows of its own, and what stands for rows that no window shows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from greenroom.actors.acts import Confirm
from greenroom.actors.concluding import conclude_by_row
from greenroom.actors.events import Added, RowsWritten, Summarised
from greenroom.actors.keys import ADDED, added_key, line_key, own_row_key, summary_key
from greenroom.actors.lines import cut_answer
from greenroom.actors.model import MessageKind, Role, TailKind
from greenroom.actors.state import Asking, Idle, Running

if TYPE_CHECKING:
    from greenroom.actors.agent_rows import AgentRow
    from greenroom.actors.draft import Draft
    from greenroom.actors.rules import Rules


def write_own(draft: Draft, phase: Running | Asking, event: RowsWritten | Summarised, rules: Rules) -> None:
    """Append what the agent, or for it the host's summariser, wrote: a sign of life."""
    if isinstance(event, RowsWritten):
        _write_rows(draft, phase, event)
    else:
        _write_summary(draft, phase, event)
    if isinstance(draft.phase, Running):
        draft.hear(rules)


def add_after(draft: Draft, event: Added, rules: Rules) -> None:
    """Show what the agent said after its answer, as a message of its own; it answers nothing, and begins nothing.

    While somebody is asked no row of older work comes between; who left the conversation, or stopped it, hears nothing
    more of it.
    """
    if not _may_add(draft):
        return
    text = cut_answer(event.text, rules.answer_max)
    draft.append(added_key(event.generation), Role.ASSISTANT, text)
    draft.keep_tail()
    draft.say(line_key(draft.id, event.generation, ADDED), text, reply_to=event.reply_to)


def _may_add(draft: Draft) -> bool:
    over = draft.succeeded or draft.tail.kind is TailKind.STOPPED
    return not over and isinstance(draft.phase, Idle | Running)


def _write_rows(draft: Draft, phase: Running | Asking, event: RowsWritten) -> None:
    """Append the agent's rows. If the last one concludes, the work is concluded: its delivery comes with it.

    A tool's result among them is progress. While a question is open none are written, see `Link.pen`.
    """
    if isinstance(phase, Asking):
        return
    rows = event.rows[:-1] if event.rows[-1].concludes else event.rows
    for row in rows:
        _append(draft, row)
    draft.do(Confirm(draft.generation, event.batch))
    if event.rows[-1].concludes:
        conclude_by_row(draft, phase, event.rows[-1])
        return
    run = phase.run
    if any(row.role is Role.TOOL for row in rows):
        run = replace(run, attempt=1, last_progress_at=draft.now)
    draft.stamp(run)
    draft.move(replace(phase, run=run))
    draft.anchor(replace(phase, run=run))


def _write_summary(draft: Draft, phase: Running | Asking, event: Summarised) -> None:
    """Keep what stands for the rows up to `event.upto`. It says nothing of how the transcript ends."""
    key = summary_key(event.upto)
    draft.append(key, Role.SYSTEM, event.text, kind=MessageKind.SUMMARY)
    draft.stamp(phase.run)
    draft.do(Confirm(draft.generation, key))


def _append(draft: Draft, row: AgentRow) -> None:
    draft.append(
        own_row_key(row.key),
        row.role,
        row.text,
        finish=row.finish,
        tool_calls=row.tool_calls,
        tool_key=row.tool_key,
    )
