import asyncio
from collections.abc import Awaitable, Sequence
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
