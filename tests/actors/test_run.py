"""The wall around an agent, seen from its chat: one honest line, and nobody else is disturbed."""

import asyncio
from typing import Any

import pytest

from greenroom.actors.ports import Conclusion, Turn
from greenroom.supervisor.sandbox.scenario import Policy, Scenario


class StrangeError(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("not even that")


RAISED: tuple[BaseException, ...] = (
    *(RuntimeError("secret"), StrangeError(), SystemExit(3), KeyboardInterrupt(), GeneratorExit()),
    *(StopIteration(1), StopAsyncIteration(), BaseException("base"), ExceptionGroup("two", [ValueError("secret")])),
)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_an_agent_raises_ends_its_run_with_one_line_and_nothing_else(error: BaseException) -> None:
    async def agent(turn: Turn) -> str:
        if turn.text == "break":
            await turn.say("Let me see")
            raise error
        return "fine"

    with Scenario(agent) as room:
        room.says("break")
        room.says("hello", 2)
        room.rest()
        (text,) = room.visible(1)
        name = "RuntimeError" if isinstance(error, StopIteration) else type(error).__name__
        assert text == f"Let me see\n\n(The agent failed: {name}. Your message is kept; write again to go on.)"
        assert "secret" not in text
        assert room.visible(2) == ["fine"]
        assert [run.ending for run in room.runs()] == ["failed"]
        room.says("hello again")
        room.rest()
        assert room.visible()[1:] == ["fine"]


def test_s093_an_agent_that_cancels_itself_gives_up_with_a_line() -> None:
    async def agent(_: Turn) -> str:
        raise asyncio.CancelledError

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["(The agent gave up before it had an answer. Write again to go on.)"]


@pytest.mark.parametrize("returned", [7, b"x", ["a"], Conclusion(7, "stop"), Conclusion("x", 7)])  # type: ignore[arg-type]
def test_what_is_no_text_is_no_answer(returned: Any) -> None:
    async def agent(_: Turn) -> Any:
        return returned

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible()[0].startswith(f"(The agent failed: it returned {type(returned).__name__} instead")


@pytest.mark.parametrize(
    "returned, visible",
    [
        (None, ["Said."]),
        ("", ["Said."]),
        ("More.", ["Said.\n\nMore."]),
        (Conclusion("More.", "END_TURN"), ["Said.\n\nMore."]),
        (
            Conclusion("Mo", "length"),
            ["Said.\n\nMo\n\n(Incomplete: the agent's text was cut short (length). Write again to go on.)"],
        ),
    ],
)
def test_what_was_said_and_what_is_returned_are_one_answer(returned: Any, visible: list[str]) -> None:
    async def agent(turn: Turn) -> Any:
        await turn.say("Said.")
        return returned

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == visible


def test_s091_an_agent_that_never_speaks_is_ended_and_the_message_was_stored() -> None:
    async def agent(turn: Turn) -> str:
        if turn.text == "hang":
            await asyncio.Event().wait()
        return "fine"

    with Scenario(agent, policy=Policy(silent_max_s=120)) as room:
        room.says("hang")
        room.advance(1)
        assert [row.text for row in room.transcript()] == ["hang"]
        room.says("and then")
        room.rest()
        first, second = room.visible()
        assert "no sign of life for 2 min" in first
        assert second == "fine"


def test_an_agent_that_ignores_its_cancellation_says_nothing_any_more() -> None:
    async def agent(turn: Turn) -> str:
        if turn.text == "hang":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                assert turn.stopping
                await turn.say("never mind")
                await asyncio.sleep(60)
                return "too late"
        return "fine"

    with Scenario(agent, policy=Policy(silent_max_s=120)) as room:
        room.says("hang")
        room.advance(121)
        room.says("next")
        room.rest()
        assert room.visible()[1:] == ["fine"]
        assert "too late" not in "".join(row.text for row in room.transcript())
        assert room.broken() == []


def test_a_task_that_an_agent_left_behind_speaks_to_nobody() -> None:
    left: list[asyncio.Task[None]] = []

    async def chatter(turn: Turn) -> None:
        await asyncio.sleep(5)
        await turn.say("still here")

    async def agent(turn: Turn) -> str:
        left.append(asyncio.create_task(chatter(turn)))
        return "done"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert left[0].done()
        assert room.visible() == ["done"]
