"""The OpenAI Agents SDK, with a model that streams what the script says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, assert_never

from agents import Agent, function_tool
from agents.items import TResponseStreamEvent
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseOutputItemDoneEvent,
    ResponseTextDeltaEvent,
)
from tests.platforms.agents.conformance.counterpart import AskUser, CallTool, Counterpart
from tests.platforms.agents.conformance.framework import ASK, POLICIES, FrameworkCounterpart, count_answered

from greenroom.platforms.agents.openai_agents import as_agent


def build(other: FrameworkCounterpart, functions: dict[str, Callable[..., Awaitable[str]]]) -> Any:
    async def stream(call: ModelCall) -> AsyncIterator[TResponseStreamEvent]:
        words: asyncio.Queue[str | None] = asyncio.Queue()
        heard = json.dumps(call.input, ensure_ascii=False)
        speaking = asyncio.ensure_future(other.respond(heard, count_results(call.input), words.put))
        speaking.add_done_callback(lambda _: words.put_nowait(None))
        said: list[str] = []
        try:
            while (word := await words.get()) is not None:
                said.append(word)
                yield delta_of(word)
            wanted = await speaking
        finally:
            speaking.cancel()
        for event in end_of("".join(said), wanted):
            yield event

    model = ScriptedModel(ModelStep.stream(stream) for _ in range(20))
    agent = Agent(name="a", model=model, tools=[function_tool(each) for each in functions.values()])
    return as_agent(agent, policies=POLICIES, max_turns=3)


def delta_of(word: str) -> TResponseStreamEvent:
    return ResponseTextDeltaEvent(
        content_index=0,
        delta=word,
        item_id="m",
        logprobs=[],
        output_index=0,
        sequence_number=0,
        type="response.output_text.delta",
    )


def end_of(said: str, wanted: CallTool | AskUser | None) -> list[TResponseStreamEvent]:
    match wanted:
        case None:
            item = assistant_message(said)
        case AskUser(prompt, choices):
            item = function_call(ASK, {"prompt": prompt, "choices": list(choices)}, call_id="c")
        case CallTool(name, args):
            item = function_call("nobody's" if args else name, {}, call_id="c")
        case never:
            assert_never(never)
    response = Response.model_validate(
        {
            "id": "r",
            "created_at": 0,
            "model": "m",
            "object": "response",
            "output": [item.model_dump() if hasattr(item, "model_dump") else item],
            "parallel_tool_calls": False,
            "tool_choice": "auto",
            "tools": [],
        }
    )
    return [
        ResponseOutputItemDoneEvent.model_validate(
            {"item": response.output[0], "output_index": 0, "sequence_number": 0, "type": "response.output_item.done"}
        ),
        ResponseCompletedEvent(response=response, sequence_number=0, type="response.completed"),
    ]


def count_results(items: Any) -> int:
    of_them = [item for item in items if item.get("role") == "user" or "output" in item]
    return count_answered((item.get("role") == "user", str(item.get("output"))) for item in of_them)


@asynccontextmanager
async def opens(_: Path) -> AsyncIterator[Counterpart]:
    yield FrameworkCounterpart(build)
