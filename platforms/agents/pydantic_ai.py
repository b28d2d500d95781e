"""Pydantic AI's agents as greenroom's: `as_agent(agent)`. Needs the extra `pydantic-ai`."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import Agent, RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.capabilities.abstract import WrapToolExecuteHandler
from pydantic_ai.exceptions import (
    ModelConnectionError,
    ModelRateLimitError,
    ModelServerError,
    ModelUnavailableError,
)
from pydantic_ai.messages import (
    AgentStreamEvent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RunUsage

from greenroom.actors.ports import Agent as GreenroomAgent
from greenroom.actors.ports import Conclusion, ProviderError, Turn
from greenroom.platforms.agents.framework import Policies, check, during, through_ledger, unsaid
from greenroom.platforms.agents.recalled import read_rows
from greenroom.platforms.agents.talk import Calls, Item, Result, Speaker, Words

OUT_OF_REACH = (ModelConnectionError, ModelRateLimitError, ModelServerError, ModelUnavailableError)
"""Errors of a model after which the same work is tried again later."""

CUT_SHORT = ("length", "content_filter", "error")
"""Why a model may have stopped that was not done; many say nothing of why."""


def as_agent(agent: Agent[Any, Any], *, deps: Any = None, policies: Policies | None = None) -> GreenroomAgent:
    """Let a Pydantic AI agent answer: its history is the transcript, its words are streamed, its tools run once.

    `policies` names other policies of tools, see `framework`. An output that is no text is answered as JSON.
    """
    checked = check(policies or {})

    async def answer(turn: Turn) -> Conclusion:
        run = _Run(turn)
        history = write_history(read_rows(await turn.messages()))
        try:
            with during(turn):
                result = await agent.run(
                    message_history=history, deps=deps, event_stream_handler=run.hear, capabilities=[_Ledger(checked)]
                )
        except OUT_OF_REACH as error:
            raise ProviderError(f"the model cannot be reached ({type(error).__name__})", error.retry_after) from error
        await run.spend(result.usage)
        last = result.response
        finish = last.finish_reason if last.finish_reason in CUT_SHORT else "stop"
        return Conclusion(unsaid(result.output, last.text or ""), finish)

    return answer


@dataclass
class _Ledger(AbstractCapability[Any]):
    """Takes each call of a tool through the ledger."""

    policies: Policies

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],  # noqa: ARG002 - it is called so
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,  # noqa: ARG002
        args: dict[str, Any],
        handler: WrapToolExecuteHandler,
    ) -> Any:
        return await through_ledger(call.tool_name, call.args_as_dict(), self.policies, lambda: handler(args))


@dataclass
class _Run:
    """What is heard of one run."""

    turn: Turn
    reported: RunUsage = field(default_factory=RunUsage)
    spoke: bool = False

    async def hear(self, ctx: RunContext[Any], events: AsyncIterable[AgentStreamEvent]) -> None:
        """Say what the model says, one paragraph for each of its texts; report what was spent before."""
        await self.spend(ctx.usage)
        async for event in events:
            match event:
                case PartStartEvent(part=TextPart(content)):
                    await self.turn.say(f"\n\n{content}" if self.spoke else content)
                    self.spoke = True
                case PartDeltaEvent(delta=TextPartDelta(content)):
                    await self.turn.say(content)
                case _:
                    pass
        await self.spend(ctx.usage)

    async def spend(self, usage: RunUsage) -> None:
        calls = usage.requests - self.reported.requests
        tokens = usage.total_tokens - self.reported.total_tokens
        self.reported = RunUsage(
            requests=usage.requests, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens
        )
        if calls or tokens:
            await self.turn.spent(calls=calls, tokens=tokens)


def write_history(items: Iterable[Item]) -> list[ModelMessage]:
    """Write a transcript as Pydantic AI's messages."""
    written: list[ModelMessage] = []
    names: dict[str, str] = {}
    for item in items:
        match item:
            case Calls(calls, text):
                names |= {call.id: call.name for call in calls}
                parts = [ToolCallPart(call.name, call.args, call.id) for call in calls]
                written.append(ModelResponse([*([TextPart(text)] if text else []), *parts]))
            case Result(id, text):
                written.append(ModelRequest([ToolReturnPart(names[id], text, id)]))
            case Words(Speaker.ASSISTANT, text):
                written.append(ModelResponse([TextPart(text)]))
            case Words(_, text):
                written.append(ModelRequest([UserPromptPart(text)]))
    return written
