"""Pydantic AI's agents, where the suite of all agents does not look: history, usage, outputs, errors."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.exceptions import ModelHTTPError, ModelServerError
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.models.test import TestModel
from tests.platforms.agents.room import living, spent

from greenroom.platforms.agents.framework import current_turn
from greenroom.platforms.agents.pydantic_ai import as_agent


class City(BaseModel):
    name: str
    people: int


async def test_the_history_is_the_transcript_with_its_calls(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        seen.append([part.part_kind for message in messages for part in message.parts])
        if len(seen) == 1:
            yield {0: DeltaToolCall("look", "{}")}
        else:
            yield "It "
            yield "rains."

    async def look() -> str:
        """Look out of the window."""
        await current_turn().progress("looking")
        return "rain"

    async with living(tmp_path, as_agent(Agent(FunctionModel(stream_function=stream), tools=[look]))) as chat:
        assert await chat.answer(await chat.says("What is the weather?")) == "It rains."
        assert await chat.answer(await chat.says("Really?", id="2")) == "It rains."
    assert seen[1] == ["user-prompt", "tool-call", "tool-return"]
    assert seen[2] == ["user-prompt", "tool-call", "tool-return", "text", "user-prompt"]


async def test_what_is_spent_is_reported_after_each_request_of_the_model(tmp_path: Path) -> None:
    async def look() -> str:
        return "rain"

    async with living(tmp_path, as_agent(Agent(TestModel(), tools=[look]))) as chat:
        assert "rain" in await chat.answer(await chat.says("a"))
    calls, tokens = spent(tmp_path)
    assert calls == 2
    assert tokens > 10


async def test_an_output_that_is_no_text_is_answered_as_json(tmp_path: Path) -> None:
    model = TestModel(custom_output_args={"name": "Ulm", "people": 126_000})
    async with living(tmp_path, as_agent(Agent(model, output_type=City))) as chat:
        assert await chat.answer(await chat.says("a")) == '{"name":"Ulm","people":126000}'


async def test_a_model_that_is_overloaded_is_asked_again_and_a_tool_may_ask_for_other_arguments(tmp_path: Path) -> None:
    tries: list[int] = []

    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        tries.append(len(messages))
        if len(tries) == 1:
            raise ModelHTTPError.for_category(ModelServerError, status_code=503, model_name="m", retry_after=0.1)
        if len(tries) == 2:
            yield {0: DeltaToolCall("look", "{}")}
        else:
            yield "Done."

    def look() -> str:
        msg = "look elsewhere"
        raise ModelRetry(msg)

    async with living(tmp_path, as_agent(Agent(FunctionModel(stream_function=stream), tools=[look]))) as chat:
        assert await chat.answer(await chat.says("a")) == "Done."
    assert len(tries) == 3


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="always"):
        as_agent(Agent(TestModel()), policies={"look": "always"})


def test_the_example_books_a_table(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[3] / "examples" / "pydantic_ai_bot.py"
    done = subprocess.run(
        [sys.executable, example, tmp_path / "bot.db"],
        input="A table, please.\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == '{"find_table":"table 7","book_table":"booked"}\n'
    assert spent(tmp_path)[0] == 2
