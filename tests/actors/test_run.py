"""The wall around an agent, seen from its chat: one honest line, and nobody else is disturbed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from greenroom.actors.lines import CRASHED_LINE
from greenroom.actors.model import ToolCall, ToolPolicy
from greenroom.actors.ports import Conclusion, ProviderError, Turn
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


HALF = chr(0xD83D)
UNREAD = ToolCall(HALF, "look", "{}", ToolPolicy.ONCE)
UNFIT: dict[str, Callable[[Turn], Awaitable[object]]] = {
    "half a token": lambda turn: turn.spent(tokens=12.5),  # type: ignore[arg-type]
    "no number": lambda turn: turn.spent(calls=float("nan")),  # type: ignore[arg-type]
    "more than fits": lambda turn: turn.spent(tokens=10**30),
    "no cost": lambda turn: turn.spent(cost=float("nan")),
    "no money": lambda turn: turn.spent(cost="1"),  # type: ignore[arg-type]
    "more money than fits": lambda turn: turn.spent(cost=10**400),
    "half a character to run": lambda turn: turn.spawn(["echo", HALF]),
    "half a character to watch for": lambda turn: turn.spawn("echo", watch_patterns=[HALF]),
    "a call that nobody read": lambda turn: turn.transcript.append_many(
        [{"key": "c", "role": "assistant", "text": "", "tool_calls": [replace(UNREAD, name="", policy="often")]}]
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_stored_ends_the_run_that_hands_it_over_and_no_session(name: str) -> None:
    """It came as far as the disk, which refused it: the session died, and was quarantined after three attempts."""
    called: list[str] = []

    async def agent(turn: Turn) -> str:
        called.append(turn.text)
        if turn.text == "break":
            await UNFIT[name](turn)
        return "fine"

    with Scenario(agent) as room:
        room.says("break")
        room.rest()
        room.says("hello")
        room.rest()
        first, second = room.visible()
        assert first in {CRASHED_LINE.format(what=each) for each in ("TypeError", "ValueError")}
        assert (second, called) == ("fine", ["break", "hello"])
        assert room.broken() == []


def test_half_a_character_in_how_a_model_stopped_is_mended() -> None:
    async def agent(_: Turn) -> Conclusion:
        return Conclusion("Well", f"st{HALF}op" + "x" * 500)

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        (text,) = room.visible()
        assert text.startswith("Well\n\n(Incomplete: the agent's text was cut short (st\ufffdopx")
        assert len(text) < 250


@pytest.mark.parametrize(
    "asked, within_s", [("30", 40.0), ("Wed, 21 Oct", 10.0), (10**400, 10.0), (b"x", 10.0)], ids=range(4)
)
def test_how_long_a_provider_wants_to_wait_is_read_as_it_came(asked: Any, within_s: float) -> None:
    tried: list[int] = []

    async def agent(turn: Turn) -> str:
        tried.append(turn.attempt)
        if len(tried) == 1:
            raise ProviderError("busy", retry_after_s=asked)
        return "fine"

    with Scenario(agent, policy=Policy(provider_backoff_s=5.0)) as room:
        room.says("go")
        room.advance(within_s / 2 - 1)
        assert len(tried) == 1
        room.advance(within_s / 2 + 1)
        assert room.visible() == ["fine"]


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
