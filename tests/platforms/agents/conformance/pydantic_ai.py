"""Pydantic AI, with its own model of functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from tests.platforms.agents.conformance.counterpart import AskUser, Counterpart
from tests.platforms.agents.conformance.framework import ASK, POLICIES, FrameworkCounterpart, count_answered

from greenroom.platforms.agents.pydantic_ai import as_agent


def build(other: FrameworkCounterpart, functions: dict[str, Callable[..., Awaitable[str]]]) -> Any:
    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        words: asyncio.Queue[str | None] = asyncio.Queue()
        speaking = asyncio.ensure_future(other.respond(str(messages), count_results(messages), words.put))
        speaking.add_done_callback(lambda _: words.put_nowait(None))
        try:
            while (word := await words.get()) is not None:
                yield word
            call = await speaking
        finally:
            speaking.cancel()
        if isinstance(call, AskUser):
            yield {0: DeltaToolCall(ASK, json.dumps({"prompt": call.prompt, "choices": call.choices}))}
        elif call is not None:
            yield {0: DeltaToolCall(call.name, "{" if call.args else "{}")}

    agent = Agent(FunctionModel(stream_function=stream), tools=list(functions.values()))
    return as_agent(agent, policies=POLICIES)


def count_results(messages: list[ModelMessage]) -> int:
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    of_them = [part for part in parts if isinstance(part, UserPromptPart | ToolReturnPart)]
    return count_answered((isinstance(part, UserPromptPart), str(part.content)) for part in of_them)


@asynccontextmanager
async def opens(_: Path) -> AsyncIterator[Counterpart]:
    yield FrameworkCounterpart(build)
