"""LangGraph's graphs as agents: `as_agent(graph)`, with tools in a `tool_node`. Needs the extra `langgraph`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import AsyncToolCallWrapper

from greenroom.actors.ports import Agent, Conclusion, ProviderError, Turn
from greenroom.platforms.agents.framework import Policies, check, during, read_args, through_ledger, unsaid
from greenroom.platforms.agents.recalled import read_rows
from greenroom.platforms.agents.talk import Calls, Item, Result, Speaker, Words

CUT_SHORT = ("length", "max_tokens", "content_filter")
"""Why a model may have stopped that was not done."""


def tool_node(
    tools: Sequence[BaseTool | Callable[..., Any]], policies: Policies | None = None, **more: Any
) -> ToolNode:
    """Make a `ToolNode` whose tools run once, or as `policies` names for them; see `framework`."""
    return ToolNode(tools, awrap_tool_call=ledger(policies), **more)


def ledger(policies: Policies | None = None) -> AsyncToolCallWrapper:
    """Make what takes calls of tools through the ledger, for whoever makes a `ToolNode` or a middleware.

    Under a policy a tool gives words, or other JSON, to its model; one that gives a `Command` must have None.
    """
    checked = check(policies or {})

    async def wrap(request: Any, execute: Callable[[Any], Any]) -> Any:
        call = request.tool_call
        if checked.get(call["name"], "") is None:
            return await execute(request)

        async def run() -> Any:
            message = await execute(request)
            if not isinstance(message, ToolMessage):
                msg = f"tool {call['name']} gave a {type(message).__name__}; leave it to the graph by the policy None"
                raise TypeError(msg)
            return message.content

        told = await through_ledger(call["name"], call["args"], checked, run)
        return ToolMessage(told, name=call["name"], tool_call_id=call["id"])

    return wrap


def as_agent(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    *,
    say_from: Collection[str] | None = None,
    state: Mapping[str, Any] | None = None,
    config: RunnableConfig | None = None,
    out_of_reach: tuple[type[Exception], ...] = (),
) -> Agent:
    """Let a graph answer whose state has `messages`: they are the transcript, and what its models say is streamed.

    `say_from` names the nodes whose words are for the user, if not all are. `state` is what it is given besides. After
    an error that is `out_of_reach` the same work is tried again later. Raises ValueError for a graph with a memory of
    its own, and for tools that no ledger sees.
    """
    _check_graph(graph)

    async def answer(turn: Turn) -> Conclusion:
        given = {**(state or {}), "messages": write_history(read_rows(await turn.messages()))}
        words, last = _Words(turn, say_from), None
        modes: Any = graph.astream(given, config, stream_mode=["messages", "values"], subgraphs=True)
        try:
            with during(turn):
                async with aclosing(modes):
                    async for place, mode, told in modes:
                        if mode == "messages":
                            await words.hear(*told)
                        elif not place:
                            last = told["messages"][-1]
        except out_of_reach as error:
            raise ProviderError(f"the model cannot be reached ({type(error).__name__})") from error
        if not isinstance(last, AIMessage):
            return Conclusion("", None)
        about = last.response_metadata
        finish = about.get("finish_reason") or about.get("stop_reason")
        return Conclusion(unsaid(str(last.text), words.said), finish if finish in CUT_SHORT else "stop")

    return answer


class _Words:
    """Says what models say, a paragraph for each message, and reports what they spent."""

    def __init__(self, turn: Turn, say_from: Collection[str] | None) -> None:
        self.said = ""
        self._turn, self._say_from = turn, say_from
        self._heard: str | None = None
        self._spoke: str | None = None

    async def hear(self, message: BaseMessage, about: Mapping[str, Any]) -> None:
        if not isinstance(message, AIMessage):
            return
        usage = message.usage_metadata
        calls, self._heard = int(message.id != self._heard), message.id
        if calls or usage:
            await self._turn.spent(calls=calls, tokens=usage["total_tokens"] if usage else 0)
        text = str(message.text)
        if text and (self._say_from is None or about["langgraph_node"] in self._say_from):
            begins = self._spoke != message.id
            await self._turn.say(f"\n\n{text}" if begins and self._spoke is not None else text)
            self.said, self._spoke = text if begins else self.said + text, message.id


def _check_graph(graph: CompiledStateGraph[Any, Any, Any, Any]) -> None:
    if graph.checkpointer:
        raise ValueError("compile the graph without a checkpointer: its memory is the transcript, and its ledger")
    graphs: list[Any] = [graph, *(subgraph for _, subgraph in graph.get_subgraphs(recurse=True))]
    for each in graphs:
        for name, node in each.nodes.items():
            if isinstance(node.bound, ToolNode) and getattr(node.bound, "_awrap_tool_call", None) is None:
                msg = f"node {name}: no ledger sees its tools; make it by tool_node(tools, policies)"
                raise ValueError(msg)


def write_history(items: Iterable[Item]) -> list[BaseMessage]:
    """Write a transcript as LangChain's messages."""
    written: list[BaseMessage] = []
    for item in items:
        match item:
            case Calls(calls, text):
                called = [{"id": call.id, "name": call.name, "args": read_args(call.args)} for call in calls]
                written.append(AIMessage(text, tool_calls=called))
            case Result(id, text):
                written.append(ToolMessage(text, tool_call_id=id))
            case Words(speaker, text):
                written.append((AIMessage if speaker is Speaker.ASSISTANT else HumanMessage)(text))
    return written
