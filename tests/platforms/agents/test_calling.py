"""Tools as a model calls them, on the real ledger: what becomes of a call is what the model is told."""

import asyncio
from typing import Any

import pytest

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.tools.calling import use
from greenroom.platforms.agents.tools.tool import Tool, Tools
from greenroom.supervisor.sandbox.scenario import Scenario

OBJECT = {"type": "object"}


async def greet(_: Turn, name: str) -> str:
    return f"hello {name}"


async def count(_: Turn, upto: int) -> list[int]:
    return list(range(upto))


async def break_down(_: Turn) -> str:
    raise OSError("the disk is gone")


async def sleep_long(_: Turn) -> str:
    await asyncio.sleep(1000)
    return "slept"


async def pay(_: Turn, idempotency_key: str) -> str:
    return f"paid under {idempotency_key.rpartition('-')[2]}"


async def recite(_: Turn) -> str:
    return "x" * 1000


def tool(fn: Any, policy: ToolPolicy = ToolPolicy.PURE, **more: Any) -> Tool:
    return Tool(fn.__name__, "does it", OBJECT, policy, fn, **more)


def told(calling: Tool, *answers: str, **args: Any) -> str:
    """What the model is told of one call; `answers` are what the person says."""

    async def agent(turn: Turn) -> str:
        used = await use(turn, calling, args)
        return f"{'failed: ' if used.failed else ''}{used.text}"

    with Scenario(agent) as room:
        for words in ("go", *answers):
            room.says(words)
            room.rest()
        assert room.broken() == []
        return room.visible()[-1]


def test_a_result_is_told_as_text() -> None:
    assert told(tool(greet), name="Ada") == "hello Ada"
    assert told(tool(count), upto=3) == "[0, 1, 2]"


def test_a_failure_is_told_and_ends_no_run() -> None:
    assert told(tool(break_down)) == "failed: OSError: the disk is gone"
    assert told(tool(greet), nome="Ada").startswith("failed: TypeError: greet() got an unexpected keyword argument")


def test_what_takes_too_long_is_given_up() -> None:
    assert told(tool(sleep_long, timeout_s=5)) == "failed: sleep_long took longer than 5 s and was given up."
    assert "may or may not have taken effect" in told(tool(sleep_long, ToolPolicy.ONCE, timeout_s=5))


def test_a_long_result_keeps_its_beginning_and_its_end() -> None:
    text = told(tool(recite, result_max=100))
    assert "900 characters are not kept" in text
    assert text.startswith("xxx")


def test_a_keyed_tool_is_given_its_key() -> None:
    assert told(tool(pay, ToolPolicy.KEYED)).startswith("paid under ")


def test_a_keyed_tool_that_takes_no_key_is_refused_when_it_is_made() -> None:
    with pytest.raises(TypeError, match="needs a function that takes idempotency_key"):
        tool(greet, ToolPolicy.KEYED)


@pytest.mark.parametrize("answer, what", [("yes", "hello Ada"), ("no", "failed: The user did not allow")])
def test_its_person_is_asked_first_where_that_is_wanted(answer: str, what: str) -> None:
    assert told(tool(greet, approve=True), answer, name="Ada").startswith(what)


@pytest.mark.parametrize("policy", list(ToolPolicy))
def test_a_call_that_was_interrupted_is_made_again_as_its_policy_allows(policy: ToolPolicy) -> None:
    effects: list[str] = []

    async def act(_: Turn, idempotency_key: str = "") -> str:
        effects.append(idempotency_key)
        await asyncio.sleep(5)
        return "done"

    async def agent(turn: Turn) -> str:
        return (await use(turn, tool(act, policy), {})).text

    with Scenario(agent) as room:
        room.says("go")
        room.advance(2)
        room.restart()
        room.rest()
        said = room.visible()[-1]
        match policy:
            case ToolPolicy.PURE | ToolPolicy.KEYED:
                assert (said, len(effects), len(set(effects))) == ("done", 2, 1)
            case ToolPolicy.ONCE:
                assert len(effects) == 1
                assert "may or may not have taken effect" in said
            case ToolPolicy.ASK:
                assert len(effects) == 1
                assert "Run it again?" in said
                room.says("no")
                room.rest()
        assert room.broken() == []


class Box:
    """A set of tools in memory."""

    def __init__(self, *tools: Tool) -> None:
        self.tools = tools
        self.closed = False

    async def offer(self) -> tuple[Tool, ...]:
        return self.tools

    async def close(self) -> None:
        self.closed = True
        if not self.tools:
            raise OSError("it is stuck")


async def test_a_name_is_offered_once_and_all_sets_are_closed(caplog: pytest.LogCaptureFixture) -> None:
    first, second, empty = Box(tool(greet)), Box(tool(greet, timeout_s=1), tool(count)), Box()
    tools = Tools(empty, first, second)
    assert [(each.name, each.timeout_s) for each in await tools.offer()] == [("greet", 120.0), ("count", 120.0)]
    await tools.close()
    assert empty.closed
    assert second.closed
    assert [record.message for record in caplog.records] == [
        "two tools are called greet; the one of the first table is used",
        "a set of tools did not close: OSError('it is stuck')",
    ]
