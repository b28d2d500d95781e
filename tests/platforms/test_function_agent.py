import asyncio
from collections.abc import AsyncGenerator, Awaitable, Generator, Sequence
from typing import Any

import pytest

from greenroom.actors.model import Message, SessionKey
from greenroom.actors.ports import Conclusion, Turn
from greenroom.platforms.agents.function import NotAnAgentError, as_agent
from greenroom.supervisor.sandbox.scenario import Scenario


class Answering:
    async def __call__(self, turn: Turn) -> str:
        return f"called {turn.text}"


class Blocking:
    def __call__(self, messages: Sequence[Message]) -> str:
        return f"blocked {messages[-1].text}"


def last(messages: Sequence[Message]) -> str:
    return f"last {messages[-1].text}"


async def waits(turn: Turn) -> str:
    await asyncio.sleep(1)
    return f"waited {turn.text}"


def waits_for(messages: Sequence[Message]) -> Awaitable[str]:
    async def answer() -> str:
        await asyncio.sleep(1)
        return f"slow {messages[-1].text}"

    return answer()


@pytest.mark.parametrize(
    "given, visible",
    [
        (Answering(), "called a"),
        (Blocking(), "blocked a"),
        (last, "last a"),
        (lambda messages: Conclusion(f"lambda {messages[-1].text}", "stop"), "lambda a"),
        (waits_for, "slow a"),
        (waits, "waited a"),
    ],
)
def test_whatever_takes_a_turn_or_messages_is_an_agent(given: Any, visible: str) -> None:
    with Scenario(as_agent(given)) as room:
        room.says("a")
        room.rest()
        assert room.visible() == [visible]


def test_what_a_generator_yields_is_streamed_and_what_it_returns_is_the_rest() -> None:
    def agent(messages: Sequence[Message], attempt: int) -> Generator[str, None, str]:
        yield f"{messages[-1].text}: "
        yield f"attempt {attempt}"
        return "The rest."

    with Scenario(as_agent(agent)) as room:
        room.says("a")
        room.rest()
        assert room.visible() == ["a: attempt 1\n\nThe rest."]


def test_what_an_async_generator_yields_is_visible_while_it_goes_on() -> None:
    async def agent(turn: Turn) -> AsyncGenerator[str]:
        yield f"{turn.text}, "
        await asyncio.sleep(30)
        yield "b"

    with Scenario(as_agent(agent)) as room:
        room.says("a")
        room.advance(10)
        assert room.visible() == ["a, "]
        room.rest()
        assert room.visible() == ["a, b"]


def test_a_generator_that_is_stopped_is_closed() -> None:
    closed: list[str] = []

    def plain(messages: Sequence[Message]) -> Generator[str]:
        try:
            while True:
                yield messages[-1].text
        finally:
            closed.append("plain")

    async def given_the_turn(turn: Turn) -> AsyncGenerator[str]:
        try:
            while True:
                await asyncio.sleep(1)
                yield turn.text
        finally:
            closed.append("async")

    for agent in (plain, given_the_turn):
        with Scenario(as_agent(agent)) as room:
            room.says("a")
            room.until(lambda: room.visible() not in ([], ["..."]))
            room.says("/stop")
            room.rest()
            assert room.visible()[-1] == "Stopped."
    assert closed == ["plain", "async"]


def test_a_generator_of_what_is_no_text_fails() -> None:
    def agent(messages: Sequence[Message]) -> Generator[int]:
        yield 7

    with Scenario(as_agent(agent)) as room:
        room.says("a")
        room.rest()
        assert "The agent failed: TypeError" in room.visible()[-1]


def test_a_plain_function_is_given_what_it_names() -> None:
    seen: list[tuple[SessionKey, str, int, int, str | None]] = []

    def agent(
        messages: Sequence[Message],
        session: SessionKey,
        *,
        text: str,
        attempt: int,
        recovery_note: str | None,
        more: int = 1,
    ) -> str:
        assert more == 1
        seen.append((session, text, len(messages), attempt, recovery_note))
        return "done"

    with Scenario(as_agent(agent)) as room:
        room.says("a")
        room.rest()
        assert seen == [(room.chat(), "a", 1, 1, None)]


@pytest.mark.parametrize("given", [7, "agent", None, Answering, lambda: "x", lambda a, b: "x", as_agent.__class__])
def test_what_cannot_be_called_so_is_refused_with_words(given: Any) -> None:
    with pytest.raises(NotAnAgentError, match=r"^agent: "):
        as_agent(given)
