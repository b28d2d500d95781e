"""Words that are taken back are no part of the answer, and are not shown any longer."""

from __future__ import annotations

import asyncio

import pytest

from greenroom import Turn
from greenroom.supervisor.sandbox.scenario import Scenario


@pytest.mark.parametrize(
    "count, answer",
    [(4, "One. Three."), (9, "Three."), (100, "Three."), (0, "One. Two.Three."), (-3, "One. Two.Three.")],
)
def test_the_last_words_are_taken_back(count: int, answer: str) -> None:
    async def agent(turn: Turn) -> None:
        await turn.say("One. ")
        await turn.say("Two.")
        await turn.unsay(count)
        await turn.say("Three.")

    with Scenario(agent) as room:
        room.says("count")
        room.rest()
        assert room.visible() == [answer]


def test_what_is_taken_back_is_not_shown_any_longer() -> None:
    async def agent(turn: Turn) -> None:
        await turn.say("One. Two.")
        await asyncio.sleep(10)
        await turn.unsay(5)
        await asyncio.sleep(10)

    with Scenario(agent) as room:
        room.says("count")
        room.advance(5)
        assert room.visible() == ["One. Two."]
        room.advance(10)
        assert room.visible() == ["One."]
        room.rest()
        assert room.visible() == ["One."]


def test_what_was_delivered_with_a_question_is_not_taken_back() -> None:
    async def agent(turn: Turn) -> str:
        await turn.say("Before.")
        await turn.ask_user("Which?")
        await turn.unsay(100)
        return "After."

    with Scenario(agent) as room:
        room.says("ask")
        room.rest()
        room.says("this")
        room.rest()
        assert room.visible() == ["Before.\n\nWhich?", "After."]
