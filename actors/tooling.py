"""What a session writes of its tool calls: each before it is made, and its outcome before the agent sees it. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.acts import Confirm
from greenroom.actors.draft import Draft
from greenroom.actors.events import ToolCalled, ToolReturned, ToolWithheld
from greenroom.actors.facts import DoubtTold, ToolEnded, ToolStarted
from greenroom.actors.keys import tool_call_row_key, tool_result_row_key
from greenroom.actors.lines import DOUBT_RESULT
from greenroom.actors.model import Role, ToolCall
from greenroom.actors.rules import Rules
from greenroom.actors.spending import may_call
from greenroom.actors.state import Asking, Running


def call_tool(draft: Draft, phase: Running | Asking, event: ToolCalled, rules: Rules) -> None:
    """Let a call be on disk before it is made, if a budget allows it."""
    if not may_call(draft, phase, event, rules):
        return
    call = event.call
    _append_call(draft, call)
    draft.write(*(DoubtTold(draft.id, key, draft.now) for key in event.doubts))
    draft.write(ToolStarted(draft.id, draft.epoch, draft.generation, phase.run.work, call, draft.now))
    draft.stamp(phase.run)
    draft.anchor(phase)
    draft.do(Confirm(draft.generation, call.key))
    draft.hear(rules)


def withhold_tool(draft: Draft, phase: Running | Asking, event: ToolWithheld, rules: Rules) -> None:
    """Let the doubt be in the transcript, and with this call, which later attempts at this work meet instead."""
    if not may_call(draft, phase, event, rules):
        return
    call = event.call
    _append_call(draft, call)
    draft.append(tool_result_row_key(call.key, draft.generation), Role.TOOL, DOUBT_RESULT, tool_key=call.key)
    if call.key not in event.doubts:
        draft.write(ToolStarted(draft.id, draft.epoch, draft.generation, phase.run.work, call, draft.now))
    draft.write(*(DoubtTold(draft.id, key, draft.now) for key in {call.key: None, **dict.fromkeys(event.doubts)}))
    draft.stamp(phase.run)
    draft.do(Confirm(draft.generation, call.key))
    draft.hear(rules)


def _append_call(draft: Draft, call: ToolCall) -> None:
    row_key = tool_call_row_key(call.key, draft.generation)
    draft.append(row_key, Role.ASSISTANT, "", tool_calls=(call,), finish="tool_calls")


def keep_result(draft: Draft, phase: Running | Asking, event: ToolReturned, rules: Rules) -> None:
    """Let an outcome be on disk before the agent sees it."""
    call = event.call
    draft.write(ToolEnded(draft.id, draft.generation, call.key, event.result, event.failed, draft.now))
    draft.append(tool_result_row_key(call.key, draft.generation), Role.TOOL, event.result, tool_key=call.key)
    run = replace(phase.run, attempt=1, last_progress_at=draft.now)  # A stored result is progress: budgets start anew.
    draft.stamp(run)
    draft.move(replace(phase, run=run, waited_s=0.0) if isinstance(phase, Running) else replace(phase, run=run))
    draft.do(Confirm(draft.generation, call.key))
    draft.hear(rules)
