"""LangGraph, with a chat model of LangChain's that streams what the script says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import tools_condition
from tests.platforms.agents.conformance.counterpart import AskUser, Counterpart
from tests.platforms.agents.conformance.framework import ASK, POLICIES, FrameworkCounterpart, count_answered

from greenroom.platforms.agents.langgraph import as_agent, tool_node


class ScriptedChat(FakeListChatModel):
    """LangChain's fake, but for its words."""

    responses: list[str] = []  # noqa: RUF012 - a model of pydantic
    other: Any

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        words: asyncio.Queue[str | None] = asyncio.Queue()
        heard = "\n".join(str(message.content) for message in messages)
        speaking = asyncio.ensure_future(self.other.respond(heard, count_results(messages), words.put))
        speaking.add_done_callback(lambda _: words.put_nowait(None))
        try:
            while (word := await words.get()) is not None:
                yield await self._pass(AIMessageChunk(content=word), run_manager)
            call = await speaking
        finally:
            speaking.cancel()
        if isinstance(call, AskUser):
            wanted = (ASK, {"prompt": call.prompt, "choices": call.choices})
        elif call is not None:
            wanted = ("nobody's" if call.args else call.name, {})
        else:
            return
        chunk = tool_call_chunk(name=wanted[0], args=json.dumps(wanted[1]), id="c", index=0)
        yield await self._pass(AIMessageChunk(content="", tool_call_chunks=[chunk]), run_manager)

    @staticmethod
    async def _pass(chunk: AIMessageChunk, run_manager: AsyncCallbackManagerForLLMRun | None) -> ChatGenerationChunk:
        generation = ChatGenerationChunk(message=chunk)
        if run_manager is not None:
            await run_manager.on_llm_new_token(str(chunk.content), chunk=generation)
        return generation


def build(other: FrameworkCounterpart, functions: dict[str, Callable[..., Awaitable[str]]]) -> Any:
    model = ScriptedChat(other=other)

    async def ask_model(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", ask_model)
    graph.add_node("tools", tool_node(list(functions.values()), POLICIES))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition, ["tools", END])
    graph.add_edge("tools", "model")
    return as_agent(graph.compile(), config={"recursion_limit": 6})


def count_results(messages: list[BaseMessage]) -> int:
    of_them = [message for message in messages if message.type in {"human", "tool"}]
    return count_answered((message.type == "human", str(message.content)) for message in of_them)


@asynccontextmanager
async def opens(_: Path) -> AsyncIterator[Counterpart]:
    yield FrameworkCounterpart(build)
