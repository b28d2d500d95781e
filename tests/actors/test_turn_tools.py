"""What becomes of an agent's tool calls, through crashes, on the real house in virtual time."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from greenroom.actors.ports import Conclusion, ToolFailedError, ToolInDoubtError, Turn
from greenroom.actors.toolbox import ARGS_MAX, BESIDE_MAX, NAME_MAX
from greenroom.supervisor.sandbox.scenario import NeverRestsError, Policy, Scenario

Agent = Callable[[Turn], Awaitable[str | Conclusion | None]]


class Till:
    """A tool with an effect; it may hang after it, so that the process can be killed in between."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.keys: list[str] = []
        self.hangs = True

    async def take(self, amount: int, idempotency_key: str) -> str:
        self.taken.append(amount)
        self.keys.append(idempotency_key)
        if self.hangs:
            await asyncio.Event().wait()
        return f"took {amount}"


def paying(till: Till, policy: str) -> Agent:
    async def agent(turn: Turn) -> str:
        try:
            return str(await turn.tool("take", {"amount": 5}, policy=policy, fn=till.take))
        except ToolInDoubtError as doubt:
            return f"in doubt: {doubt.name}{doubt.args_json}"

    return agent


@contextmanager
def killed_in_the_tool(till: Till, policy: str) -> Iterator[Scenario]:
    with Scenario(paying(till, policy)) as room:
        room.says("pay")
        room.until(lambda: till.taken)
        room.restart()
        yield room


@pytest.mark.parametrize("policy", ["pure", "keyed"])
def test_an_interrupted_pure_or_keyed_call_is_made_again_with_the_same_key(policy: str) -> None:
    till = Till()
    with killed_in_the_tool(till, policy) as room:
        till.hangs = False
        room.rest()
        assert room.visible() == ["took 5"]
        assert till.taken == [5, 5]
        assert len(set(till.keys)) == 1
        assert room.of_session("tool_calls")[0].attempts == 2
        assert room.broken() == []


def test_an_interrupted_once_call_is_in_doubt_and_not_made_again() -> None:
    till = Till()
    with killed_in_the_tool(till, "once") as room:
        room.rest()
        assert room.visible() == ['in doubt: take{"amount":5}']
        assert till.taken == [5]
        (note,) = [row.text for row in room.transcript() if row.kind == "recovery_note"]
        assert 'In doubt, it may or may not have taken effect: take({"amount":5}).' in note


def test_an_interrupted_ask_call_asks_and_a_yes_counts_for_one_interruption_only() -> None:
    till = Till()
    with killed_in_the_tool(till, "ask") as room:
        room.rest()
        assert "Run it again?" in room.visible()[0]
        assert till.taken == [5]
        room.says("yes")
        room.until(lambda: len(till.taken) == 2)
        room.restart()
        room.rest()
        assert till.taken == [5, 5], "the yes was for the interruption before"
        room.restart()
        till.hangs = False
        room.says("Y")
        room.rest()
        assert till.taken == [5, 5, 5]
        assert room.visible()[-1] == "took 5"


def test_a_no_leaves_an_ask_call_in_doubt() -> None:
    till = Till()
    with killed_in_the_tool(till, "ask") as room:
        room.rest()
        room.says("no")
        room.rest()
        assert till.taken == [5]
        assert room.visible()[-1] == 'in doubt: take{"amount":5}'


@contextmanager
def given_up_in_the_tool(till: Till, policy: str, how: str) -> Iterator[Scenario]:
    """The run ends while its tool may have taken effect, and the chat says: write again."""
    with Scenario(paying(till, policy)) as room:
        room.says("pay")
        room.until(lambda: till.taken)
        if how == "killed, and too old to go on":
            room.restart(after_s=2 * Policy().fresh_s)
        room.rest()
        till.hangs = False
        room.says("pay")
        yield room


GIVEN_UP = ["silent for too long", "killed, and too old to go on"]


@pytest.mark.parametrize("how", GIVEN_UP)
def test_a_repeated_request_meets_the_doubt_about_a_once_call_until_it_was_told(how: str) -> None:
    till = Till()
    with given_up_in_the_tool(till, "once", how) as room:
        room.rest()
        assert room.visible()[-1] == 'in doubt: take{"amount":5}'
        assert till.taken == [5]
        assert [row.text[:10] for row in room.transcript() if row.role == "tool"][-1] == "[in doubt:"
        room.says("it did not arrive, pay")
        room.rest()
        assert till.taken == [5, 5], "its user knows"
        assert room.visible()[-1] == "took 5"
        assert room.broken() == []


@pytest.mark.parametrize("how", GIVEN_UP)
def test_no_call_is_left_without_a_result_in_the_transcript(how: str) -> None:
    with given_up_in_the_tool(Till(), "pure", how) as room:
        room.rest()
        rows = room.transcript()
        asked = [call[0] for row in rows for call in json.loads(row.tool_calls or "[]")]
        assert [row.tool_key for row in rows if row.role == "tool"] == asked
        assert [row.text[:11] for row in rows if row.role == "tool"] == ["[no result:", '"took 5"']
        assert room.broken() == []


@pytest.mark.parametrize("how", GIVEN_UP)
def test_a_repeated_request_asks_before_an_ask_call_is_made_again(how: str) -> None:
    till = Till()
    with given_up_in_the_tool(till, "ask", how) as room:
        room.rest()
        assert "Run it again?" in room.visible()[-1]
        till.hangs = True
        room.says("yes")
        room.until(lambda: len(till.taken) == 2)
        room.restart()
        till.hangs = False
        room.rest()
        assert till.taken == [5, 5], "the yes was for the interruption before"
        room.says("yes")
        room.rest()
        assert room.visible()[-1] == "took 5"
        room.says("pay once more")
        room.rest()
        assert till.taken == [5, 5, 5, 5], "nothing is in doubt any more"


def test_a_doubt_that_was_told_stays_for_the_attempts_at_the_work_in_which_it_was_told() -> None:
    till = Till()
    told: list[str] = []

    async def agent(turn: Turn) -> str:
        try:
            return str(await turn.tool("take", {"amount": 5}, policy="once", fn=till.take))
        except ToolInDoubtError as doubt:
            told.append(doubt.key)
            if len(told) == 1:
                await asyncio.Event().wait()
            return "in doubt"

    with Scenario(agent) as room:
        room.says("pay")
        room.until(lambda: till.taken)
        room.rest()
        room.says("pay")
        room.until(lambda: told)
        room.restart()
        room.rest()
        assert len(told) == 2
        assert till.taken == [5]
        assert room.broken() == []


def test_the_answer_to_one_question_is_never_taken_for_that_to_another() -> None:
    till = Till()

    async def agent(turn: Turn) -> str:
        paid = await turn.tool("take", {"amount": 5}, policy="ask", fn=till.take)
        return f"{paid}, {await turn.ask_user('Which colour?')}"

    with Scenario(agent) as room:
        room.says("pay")
        room.until(lambda: till.taken)
        room.restart()
        till.hangs = False
        room.rest()
        room.says("yes")
        room.rest()
        assert room.visible()[-1] == "Which colour?"
        room.restart()
        room.says("red")
        room.rest()
        assert room.visible()[-1] == "took 5, red"


def test_s137_a_stored_result_is_replayed_and_looks_the_same() -> None:
    seen: list[Any] = []
    calls: list[str] = []

    def measure() -> dict[int, tuple[int, int]]:
        calls.append("measure")
        return {1: (2, 3)}

    async def agent(turn: Turn) -> str:
        seen.append(await turn.tool("measure", {}, policy="once", fn=measure))
        if turn.attempt == 1:
            await asyncio.Event().wait()
        return "done"

    with Scenario(agent) as room:
        room.says("go")
        room.until(lambda: seen)
        room.restart()
        with pytest.raises(NeverRestsError):  # A stored result is progress: each attempt is the first again.
            room.until(lambda: len(seen) > 2, within_s=10)
        assert calls == ["measure"]
        assert seen[0] == seen[1] == {"1": [2, 3]}


async def fails(**_: Any) -> None:
    raise ValueError("no such city")


def too_long() -> str:
    return "x" * 100


@pytest.mark.parametrize(
    "fn, error, words",
    [
        (fails, ValueError, "no such city"),
        (object, TypeError, "not JSON serializable"),
        (lambda: float("nan"), ValueError, "not JSON compliant"),
        (too_long, ToolFailedError, "the limit is 50"),
    ],
)
def test_a_tool_that_fails_raises_and_its_failure_is_what_a_later_attempt_meets(
    fn: Callable[..., Any], error: type[Exception], words: str
) -> None:
    raised: list[Exception] = []

    async def agent(turn: Turn) -> str:
        try:
            await turn.tool("t", {}, policy="pure", fn=fn)
        except (TypeError, ValueError, ToolFailedError) as problem:
            raised.append(problem)
        if len(raised) == 1:
            await asyncio.Event().wait()
        return "told"

    with Scenario(agent, policy=Policy(tool_result_max=50)) as room:
        room.says("go")
        room.until(lambda: raised)
        room.restart()
        room.rest()
        assert [type(each) for each in raised] == [error, ToolFailedError]
        assert all(words in str(each) or len(str(each)) == 50 for each in raised)
        assert room.of_session("tool_calls")[0].attempts == 1
        assert room.visible() == ["told"]


def test_what_is_beside_a_call_is_kept_with_it_and_shown_to_nobody() -> None:
    async def agent(turn: Turn) -> str:
        with pytest.raises(ValueError, match=f"the limit is {BESIDE_MAX:,}"):
            await turn.tool("t", {}, policy="pure", fn=dict, beside="x" * (BESIDE_MAX + 1))
        await turn.tool("t", {}, policy="pure", fn=dict, beside="thoughts \ud83d")
        assert [call.beside for row in await turn.messages() for call in row.tool_calls] == ["thoughts \ufffd"]
        return "kept"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["kept"]


def test_a_call_that_is_too_long_to_be_kept_is_not_made() -> None:
    async def agent(turn: Turn) -> str:
        for name, args, most in (("t" * (NAME_MAX + 1), {}, NAME_MAX), ("t", {"all": "x" * ARGS_MAX}, ARGS_MAX)):
            with pytest.raises(ValueError, match=f"more than {most:,} characters .*; nothing was called"):
                await turn.tool(name, args, policy="once", fn=dict)
        return "not called"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["not called"]
        assert room.of_session("tool_calls") == []


def test_a_keyed_tool_is_given_its_key_or_is_not_called() -> None:
    called: list[dict[str, Any]] = []

    def takes_none(amount: int) -> None:
        called.append({"amount": amount})

    def takes_any(**args: Any) -> None:
        called.append(args)

    async def agent(turn: Turn) -> str:
        with pytest.raises(TypeError, match="keyed needs a function that takes idempotency_key"):
            await turn.tool("t", {"amount": 5}, policy="keyed", fn=takes_none)
        with pytest.raises(TypeError):
            await turn.tool("t", {}, policy="keyed", fn=dict)
        await turn.tool("t", {"amount": 5}, policy="keyed", fn=takes_any)
        await turn.tool("t", {"amount": 5}, policy="once", fn=takes_any)
        return "done"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["done"]
        assert [sorted(args) for args in called] == [["amount", "idempotency_key"], ["amount"]]
        assert len(room.of_session("tool_calls")) == 2


def test_a_once_call_that_took_effect_and_returned_no_json_is_not_made_again_by_a_retry() -> None:
    taken: list[int] = []
    told: list[str] = []

    def take(amount: int) -> object:
        taken.append(amount)
        return {amount}

    async def agent(turn: Turn) -> str:
        for _ in range(3):
            try:
                await turn.tool("take", {"amount": 5}, policy="once", fn=take)
            except (TypeError, ToolInDoubtError, ToolFailedError) as problem:
                told.append(f"{type(problem).__name__}: {problem}"[:60])
        if turn.recovery_note is None:
            await asyncio.Event().wait()
        return "told"

    with Scenario(agent) as room:
        room.says("pay")
        room.until(lambda: len(told) == 3)
        room.restart()
        room.rest()
        assert taken == [5]
        kinds = [each.split(":")[0] for each in told]
        assert kinds == ["TypeError", *["ToolInDoubtError"] * 2, "ToolFailedError", *["ToolInDoubtError"] * 2]
        assert told[0].startswith("TypeError: tool take took effect, do not call it again")
        assert told[3].startswith("ToolFailedError: [took effect] tool take took effect")
        assert "it returned {5}" in room.of_session("tool_calls")[0].result
        assert room.visible() == ["told"]
        assert room.broken() == []


def test_the_same_call_twice_is_two_calls() -> None:
    till = Till()
    till.hangs = False

    async def agent(turn: Turn) -> str:
        return ", ".join([await turn.tool("take", {"amount": 5}, policy="once", fn=till.take) for _ in range(2)])

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["took 5, took 5"]
        assert len(set(till.keys)) == 2


@pytest.mark.parametrize("fn", [dict, lambda **args: args, fails.__class__])
def test_a_tool_may_be_any_callable(fn: Callable[..., Any]) -> None:
    async def agent(turn: Turn) -> str:
        try:
            return json.dumps(await turn.tool("t", {"a": 1}, policy="pure", fn=fn))
        except TypeError:
            return "refused"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() in (['{"a": 1}'], ["refused"])
