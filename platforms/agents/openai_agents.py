"""Agents of the OpenAI Agents SDK as greenroom's: `as_agent(agent)`. Needs the extra `openai-agents`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import agents as sdk
from agents.items import TResponseInputItem
from agents.tool_context import ToolContext
from openai import APIConnectionError, InternalServerError, RateLimitError
from openai.types.responses import ResponseTextDeltaEvent

from greenroom.actors.ports import Agent, Conclusion, ProviderError, Turn
from greenroom.platforms.agents.framework import Policies, check, during, read_args, through_ledger, unsaid
from greenroom.platforms.agents.recalled import read_rows
from greenroom.platforms.agents.talk import Calls, Item, Result, Speaker, Words

HOSTED = (sdk.WebSearchTool, sdk.FileSearchTool, sdk.CodeInterpreterTool, sdk.HostedMCPTool, sdk.ImageGenerationTool)
"""Tools that run where the model does."""

MAX_TURNS = 50
"""Requests of the model in one run."""


def as_agent(
    agent: sdk.Agent[Any],
    *,
    context: Any = None,
    policies: Policies | None = None,
    run_config: sdk.RunConfig | None = None,
    max_turns: int = MAX_TURNS,
) -> Agent:
    """Let an agent of the SDK answer: its history is the transcript, its words are streamed, its tools run once.

    `policies` names other policies of tools, see `framework`. Without a `run_config` no traces are sent anywhere.
    Raises TypeError or ValueError for tools that the ledger cannot see, there or in agents that it hands over to.
    """
    ledgered = _under_ledger(agent, check(policies or {}), {})
    config = run_config or sdk.RunConfig(tracing_disabled=True)

    async def answer(turn: Turn) -> Conclusion:
        history = write_history(read_rows(await turn.messages()))
        with during(turn):
            run = sdk.Runner.run_streamed(
                ledgered, history, context=context, hooks=_Spending(turn), run_config=config, max_turns=max_turns
            )
            try:
                said = await _speak(turn, run)
            except (APIConnectionError, InternalServerError, RateLimitError) as error:
                raise ProviderError(f"the model cannot be reached ({type(error).__name__})") from error
            finally:
                run.cancel()
        return Conclusion(unsaid(run.final_output, said), "stop")

    return answer


async def _speak(turn: Turn, run: sdk.RunResultStreaming) -> str:
    """Say what the model says, a paragraph for each of its messages; returns the last, if no tool came after it."""
    said, between = "", ""
    async for event in run.stream_events():
        if event.type == "run_item_stream_event":
            between, said = ("\n\n", said) if event.item.type == "message_output_item" else (between, "")
        elif event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent):
            await turn.say(between + event.data.delta)
            said, between = event.data.delta if between else said + event.data.delta, ""
    return said


class _Spending(sdk.RunHooks[Any]):
    """Reports what each request of a model spent."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    async def on_llm_end(self, context: Any, agent: Any, response: sdk.ModelResponse) -> None:  # noqa: ARG002
        await self._turn.spent(calls=1, tokens=response.usage.total_tokens)


def _under_ledger(agent: sdk.Agent[Any], policies: Policies, known: dict[int, sdk.Agent[Any]]) -> sdk.Agent[Any]:
    """Copy an agent, and those that it hands over to, with their tools under the ledger."""
    if id(agent) in known:
        return known[id(agent)]
    if agent.mcp_servers:
        msg = (
            f"agent {agent.name}: the ledger does not see the tools of its mcp_servers; write functions that call them"
        )
        raise ValueError(msg)
    copy = known[id(agent)] = agent.clone(tools=[_wrap(tool, policies) for tool in agent.tools], handoffs=[])
    for each in agent.handoffs:
        copy.handoffs.append(
            _wrap_handoff(each, policies, known)
            if isinstance(each, sdk.Handoff)
            else _under_ledger(each, policies, known)
        )
    return copy


def _wrap(tool: sdk.Tool, policies: Policies) -> sdk.Tool:
    if isinstance(tool, HOSTED) or policies.get(tool.name, "") is None:
        return tool
    if not isinstance(tool, sdk.FunctionTool):
        msg = f"tool {tool.name}: the ledger sees functions only; policies={{{tool.name!r}: None}} leaves it to the SDK"
        raise TypeError(msg)

    async def invoke(context: ToolContext[Any], written: str) -> Any:
        return await through_ledger(
            tool.name, read_args(written), policies, lambda: tool.on_invoke_tool(context, written)
        )

    return replace(tool, on_invoke_tool=invoke)


def _wrap_handoff(
    handoff: sdk.Handoff[Any, Any], policies: Policies, known: dict[int, sdk.Agent[Any]]
) -> sdk.Handoff[Any, Any]:
    async def invoke(context: sdk.RunContextWrapper[Any], written: str) -> Any:
        return _under_ledger(await handoff.on_invoke_handoff(context, written), policies, known)

    return replace(handoff, on_invoke_handoff=invoke)


def write_history(items: Iterable[Item]) -> list[TResponseInputItem]:
    """Write a transcript as items of the Responses API."""
    written: list[TResponseInputItem] = []
    for item in items:
        match item:
            case Calls(calls, text):
                if text:
                    written.append({"role": "assistant", "content": text})
                written += [
                    {"type": "function_call", "call_id": each.id, "name": each.name, "arguments": each.args}
                    for each in calls
                ]
            case Result(id, text):
                written.append({"type": "function_call_output", "call_id": id, "output": text})
            case Words(Speaker.ASSISTANT, text):
                written.append({"role": "assistant", "content": text})
            case Words(_, text):
                written.append({"role": "user", "content": text})
    return written
