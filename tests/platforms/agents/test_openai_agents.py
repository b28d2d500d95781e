"""Agents of the OpenAI Agents SDK, where the suite of all agents does not look: history, usage, handoffs, errors."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from agents import Agent, Handoff, LocalShellTool, Usage, WebSearchTool, function_tool, handoff
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from openai import APIConnectionError
from pydantic import BaseModel
from tests.platforms.agents.room import living, spent, until

from greenroom.platforms.agents.framework import current_turn
from greenroom.platforms.agents.openai_agents import as_agent


class City(BaseModel):
    name: str


@function_tool
async def look(where: str) -> str:
    """Look out of a window."""
    await current_turn().progress(f"looking {where}")
    return "rain"


async def test_the_history_is_the_transcript_with_its_calls_and_what_is_spent_is_stored(tmp_path: Path) -> None:
    usage = Usage(requests=1, input_tokens=20, output_tokens=5, total_tokens=25)
    first, last = [function_call("look", {"where": "west"}, call_id="c")], [assistant_message("It rains.")]
    model = ScriptedModel(ModelStep(output=output, usage=usage) for output in (first, last, last))
    async with living(tmp_path, as_agent(Agent(name="a", model=model, tools=[look]))) as chat:
        assert await chat.answer(await chat.says("What is the weather?")) == "It rains."
        assert await chat.answer(await chat.says("Really?", id="2")) == "It rains."
        assert spent(tmp_path) == (3, 75)
    assert [item.get("type", item.get("role")) for item in model.calls[2].input] == [
        "user",
        "function_call",
        "function_call_output",
        "assistant",
        "user",
    ]
    assert model.calls[2].input[1]["arguments"] == '{"where":"west"}'
    assert model.calls[2].input[2]["output"] == "rain"


async def test_an_agent_that_is_handed_over_to_has_its_tools_under_the_ledger_too(tmp_path: Path) -> None:
    begun: list[str] = []

    @function_tool
    async def pay() -> str:
        """Pay."""
        begun.append("pay")
        await asyncio.Event().wait()
        return "never"

    async def has_begun(times: int) -> bool:
        return len(begun) == times

    call = [function_call("pay", {}, call_id="p")]
    transfer = [function_call("transfer_to_clerk", {}, call_id="t")]
    clerk = Agent(name="clerk", tools=[pay], model=ScriptedModel([call, call, [assistant_message("Not again.")]]))
    ways: list[Agent[Any] | Handoff[Any, Any]] = [clerk, handoff(clerk)]
    for number, to in enumerate(ways, 1):
        (folder := tmp_path / str(number)).mkdir()
        clerk.model = ScriptedModel([call, call, [assistant_message("Not again.")]])
        agent = as_agent(Agent(name="a", model=ScriptedModel([transfer, transfer]), handoffs=[to]))
        async with living(folder, agent) as chat:
            receipt = await chat.says("pay")
            await until(partial(has_begun, number))
        async with living(folder, agent) as chat:
            assert await chat.answer(receipt) == "Not again."
        assert len(begun) == number


async def test_a_model_that_cannot_be_reached_is_asked_again(tmp_path: Path) -> None:
    error = APIConnectionError(request=httpx2.Request("POST", "http://model"))
    model = ScriptedModel([ModelStep.raise_error(error), [assistant_message("Done.")]])
    async with living(tmp_path, as_agent(Agent(name="a", model=model))) as chat:
        assert await chat.answer(await chat.says("a")) == "Done."


async def test_an_output_that_is_no_text_is_answered_as_json(tmp_path: Path) -> None:
    model = ScriptedModel([[assistant_message('{"name": "Ulm"}')]])
    async with living(tmp_path, as_agent(Agent(name="a", model=model, output_type=City))) as chat:
        assert await chat.answer(await chat.says("a")) == '{"name": "Ulm"}'


async def test_what_a_tool_concludes_with_is_answered(tmp_path: Path) -> None:
    model = ScriptedModel([[assistant_message("I look."), function_call("look", {"where": "west"}, call_id="c")]])
    agent = Agent(name="a", model=model, tools=[look], tool_use_behavior="stop_on_first_tool")
    async with living(tmp_path, as_agent(agent)) as chat:
        assert await chat.answer(await chat.says("a")) == "I look.\n\nrain"


def test_tools_that_the_ledger_cannot_see_are_refused_unless_they_are_left_to_the_sdk() -> None:
    shell = LocalShellTool(executor=lambda _: "")
    with pytest.raises(TypeError, match="local_shell"):
        as_agent(Agent(name="a", handoffs=[Agent(name="b", tools=[shell])]))
    as_agent(Agent(name="a", tools=[shell, WebSearchTool()]), policies={"local_shell": None})
    with pytest.raises(ValueError, match="mcp_servers"):
        as_agent(Agent(name="a", mcp_servers=[object()]))  # type: ignore[list-item]
