"""LangGraph's graphs, where the suite of all agents does not look: history, usage, nodes, commands, refusals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command
from tests.platforms.agents.room import living, spent

from greenroom.platforms.agents.langgraph import as_agent, tool_node

USAGE = {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25}


def look(where: str) -> str:
    """Look out of a window."""
    return f"rain in the {where}"


class Scripted:
    """A node that says one thing after the other, and remembers what it was given."""

    def __init__(self, *messages: AIMessage) -> None:
        self.given: list[Sequence[BaseMessage]] = []
        self._messages = list(messages)

    def __call__(self, state: MessagesState) -> Any:
        self.given.append(state["messages"])
        return {"messages": [self._messages.pop(0)]}


def graph_of(model: Any, tools: ToolNode) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", tools)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition, ["tools", END])
    graph.add_edge("tools", "model")
    return graph


def calls(name: str, **args: Any) -> AIMessage:
    return AIMessage("I look.", tool_calls=[{"id": "c", "name": name, "args": args}], usage_metadata=USAGE)


async def test_the_history_is_the_transcript_with_its_calls_and_what_is_spent_is_stored(tmp_path: Path) -> None:
    model = Scripted(calls("look", where="west"), AIMessage("It rains.", usage_metadata=USAGE), AIMessage("Yes."))
    async with living(tmp_path, as_agent(graph_of(model, tool_node([look])).compile())) as chat:
        assert await chat.answer(await chat.says("What is the weather?")) == "I look.\n\nIt rains."
        assert await chat.answer(await chat.says("Really?", id="2")) == "Yes."
        assert spent(tmp_path) == (3, 50)
    assert [message.type for message in model.given[2]] == ["human", "ai", "tool", "ai", "human"]
    assert model.given[2][2].content == "rain in the west"


async def test_only_the_words_of_nodes_that_are_for_the_user_are_said(tmp_path: Path) -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("plan", Scripted(AIMessage("The plan is to be kind.")))
    graph.add_node("speak", Scripted(AIMessage("Hello.")))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "speak")
    async with living(tmp_path, as_agent(graph.compile(), say_from={"speak"})) as chat:
        assert await chat.answer(await chat.says("a")) == "Hello."


async def test_words_that_a_model_could_not_end_are_no_answer(tmp_path: Path) -> None:
    model = Scripted(AIMessage("I was about to", response_metadata={"finish_reason": "length"}))
    async with living(tmp_path, as_agent(graph_of(model, tool_node([look])).compile())) as chat:
        assert "cut short (length)" in await chat.answer(await chat.says("a"))


async def test_a_tool_that_commands_the_graph_is_left_to_it(tmp_path: Path) -> None:
    def stop() -> Command[Any]:
        """Stop here."""
        return Command(goto=END, update={"messages": [AIMessage("Stopped there.")]}, graph=Command.PARENT)

    inner = graph_of(Scripted(calls("stop")), tool_node([stop], {"stop": None})).compile()
    graph = StateGraph(MessagesState)
    graph.add_node("inner", inner, destinations=(END,))
    graph.add_edge(START, "inner")
    async with living(tmp_path, as_agent(graph.compile())) as chat:
        assert (await chat.answer(await chat.says("a"))).endswith("Stopped there.")


async def test_a_model_that_cannot_be_reached_is_asked_again(tmp_path: Path) -> None:
    tries: list[int] = []

    def model(_: MessagesState) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError
        return {"messages": [AIMessage("Done.")]}

    agent = as_agent(graph_of(model, tool_node([look])).compile(), out_of_reach=(ConnectionError,))
    async with living(tmp_path, agent) as chat:
        assert await chat.answer(await chat.says("a")) == "Done."


def test_a_graph_with_a_memory_or_tools_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="checkpointer"):
        as_agent(graph_of(Scripted(), tool_node([look])).compile(checkpointer=InMemorySaver()))
    with pytest.raises(ValueError, match="tool_node"):
        as_agent(graph_of(Scripted(), ToolNode([look])).compile())
