"""How an agent that follows a model calls tools: what happens to a call is what the model is told of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from greenroom.actors.model import ToolPolicy
from greenroom.actors.output import keep_ends
from greenroom.actors.ports import (
    BudgetExceededError,
    QuestionTimedOutError,
    QuestionUndeliveredError,
    ToolInDoubtError,
    Turn,
)
from greenroom.actors.toolbox import ARGS_SHOWN_MAX
from greenroom.actors.tools import takes_key
from greenroom.platforms.agents.tools.tool import Tool

IN_DOUBT = "It may or may not have taken effect. Do not simply call it again: look, or ask the user."
"""What a model is told of a call that nobody heard the end of, unless it is harmless to call it again."""


class Used(Struct, frozen=True):
    """What a model is told of its call."""

    text: str
    failed: bool = False


async def use(turn: Turn, tool: Tool, args: Mapping[str, Any], beside: str = "") -> Used:
    """Call a tool for a model, under the tool's policy. Raises BudgetExceededError.

    A refusal, a failure, a doubt and a time-out are told to the model, which decides what to make of them. `beside`:
    what is kept with the call in the transcript.
    """
    try:
        if tool.approve and not await _is_allowed(turn, tool, args):
            return Used("The user did not allow this call. It was not made.", failed=True)
        result = await turn.tool(tool.name, dict(args), policy=tool.policy, fn=_bind(turn, tool), beside=beside)
    except BudgetExceededError:
        raise
    except ToolInDoubtError as doubt:
        return Used(f"{doubt} Do not simply call it again: look, or ask the user.", failed=True)
    except TimeoutError:
        doubt_too = "" if tool.policy is ToolPolicy.PURE else f" {IN_DOUBT}"
        return Used(f"{tool.name} took longer than {tool.timeout_s:g} s and was given up.{doubt_too}", failed=True)
    except Exception as error:  # Invariant: whatever a tool raises ends its call, and not the run.
        return Used(keep_ends(f"{type(error).__name__}: {error}", tool.result_max), failed=True)
    if isinstance(result, str):
        return Used(result)
    return Used(keep_ends(json.dumps(result, ensure_ascii=False), tool.result_max))


async def _is_allowed(turn: Turn, tool: Tool, args: Mapping[str, Any]) -> bool:
    shown = keep_ends(json.dumps(dict(args), ensure_ascii=False), ARGS_SHOWN_MAX)
    try:
        return await turn.approve(f"May I call {tool.name} with {shown}?")
    except (QuestionTimedOutError, QuestionUndeliveredError):
        return False  # Silence is no yes.


def _bind(turn: Turn, tool: Tool) -> Callable[..., Awaitable[Any]]:
    """Give the ledger a function that looks like the tool's own: it is what is asked whether it takes a key."""

    async def call(**args: Any) -> Any:
        result = await asyncio.wait_for(tool.fn(turn, **args), tool.timeout_s)
        return keep_ends(result, tool.result_max) if isinstance(result, str) else result

    async def call_with_key(*, idempotency_key: str, **args: Any) -> Any:
        return await call(idempotency_key=idempotency_key, **args)

    return call_with_key if takes_key(tool.fn, by_any_name=tool.policy is ToolPolicy.KEYED) else call
