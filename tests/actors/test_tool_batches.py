"""Batches of tools that run at the same time and are cut off in the middle: A done, B in doubt, C not begun."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from greenroom.actors.ports import Conclusion, ToolFailedError, ToolInDoubtError, Turn
from greenroom.supervisor.sandbox.scenario import Scenario

Agent = Callable[[Turn], Awaitable[str | Conclusion | None]]


class Bench:
    """Three tools: A is quick, B takes a minute, C comes when B is there."""

    def __init__(self, policy: str) -> None:
        self.effects: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}
        self.policy = policy
        self.slow_s = 60.0

    async def act(self, name: str, idempotency_key: str) -> str:
        self.effects[name] += 1
        self.keys.setdefault(name, set()).add(idempotency_key)
        await asyncio.sleep(self.slow_s if name == "B" else 0.1)
        return f"{name} done"

    async def call(self, turn: Turn, name: str, after: asyncio.Event | None = None) -> str:
        if after is not None:
            await after.wait()
        try:
            return str(await turn.tool("act", {"name": name}, policy=self.policy, fn=self.act))
        except ToolInDoubtError:
            return f"{name} in doubt"

    async def agent(self, turn: Turn) -> str:
        there = asyncio.Event()

        async def slow() -> str:
            try:
                return await self.call(turn, "B")
            finally:
                there.set()

        return ", ".join(await asyncio.gather(self.call(turn, "A"), slow(), self.call(turn, "C", there)))


@contextmanager
def cut_off(bench: Bench) -> Iterator[Scenario]:
    """The process is killed when A's result is stored and B has taken effect."""
    with Scenario(bench.agent) as room:
        room.says("do all three")
        room.advance(10)
        assert bench.effects == {"A": 1, "B": 1}
        bench.slow_s = 0.1
        room.restart()
        yield room


@pytest.mark.parametrize(
    "policy, effects, answer",
    [
        ("pure", {"A": 1, "B": 2, "C": 1}, "A done, B done, C done"),
        ("keyed", {"A": 1, "B": 2, "C": 1}, "A done, B done, C done"),
        ("once", {"A": 1, "B": 1, "C": 1}, "A done, B in doubt, C done"),
    ],
)
def test_of_a_concurrent_batch_only_what_may_be_is_made_again(
    policy: str, effects: dict[str, int], answer: str
) -> None:
    bench = Bench(policy)
    with cut_off(bench) as room:
        room.rest()
        assert room.visible() == [answer]
        assert bench.effects == effects
        assert all(len(keys) == 1 for keys in bench.keys.values())
        (note,) = [row.text for row in room.transcript() if row.kind == "recovery_note"]
        assert 'Already done and stored, do not repeat: act({"name":"A"})' in note
        assert ('In doubt, it may or may not have taken effect: act({"name":"B"})' in note) == (policy == "once")
        assert '{"name":"C"}' not in note
        assert room.broken() == []


@pytest.mark.parametrize("words, effects, answer", [("yes", 2, "B done"), ("no", 1, "B in doubt")])
def test_of_a_concurrent_batch_the_person_decides_about_what_is_in_doubt(words: str, effects: int, answer: str) -> None:
    bench = Bench("ask")
    with cut_off(bench) as room:
        room.rest()
        assert room.visible() == [
            'act({"name":"B"}) was interrupted and may already have taken effect. Run it again?\n- yes\n- no'
        ]
        assert bench.effects == {"A": 1, "B": 1}  # C waits for B, and B for its person.
        room.restart()
        room.rest()
        assert room.decisions()[-1] == "AWAITING_USER"
        room.says(words)
        room.rest()
        assert room.visible()[1:] == [f"A done, {answer}, C done"]
        assert bench.effects == {"A": 1, "B": effects, "C": 1}
        assert room.broken() == []


def test_a_call_with_more_arguments_than_anybody_reads_is_asked_about_with_their_beginning_and_their_end() -> None:
    calls: list[int] = []

    async def write(body: str) -> str:
        calls.append(len(body))
        await asyncio.sleep(60)
        return "written"

    async def agent(turn: Turn) -> str:
        return str(await turn.tool("write", {"body": "x" * 1_000_000}, policy="ask", fn=write))

    with Scenario(agent) as room:
        room.says("write it")
        room.advance(10)
        room.restart()
        room.rest()
        question = "".join(room.visible())
        assert 4_000 < len(question) < 4_200
        assert question.startswith('write({"body":"xxx')
        assert "[... 996,011 characters are not kept ...]" in question
        assert question.endswith('xxx"}) was interrupted and may already have taken effect. Run it again?\n- yes\n- no')
        room.says("yes")
        room.rest()
        assert calls == [1_000_000] * 2
        assert room.visible()[-1] == "written"
        assert room.broken() == []


def test_two_calls_in_doubt_are_asked_about_one_after_the_other_while_others_go_on() -> None:
    effects: Counter[str] = Counter()
    hangs = asyncio.Event

    async def act(name: str) -> str:
        effects[name] += 1
        if effects[name] == 1 and name != "C":
            await hangs().wait()
        return name

    async def call(turn: Turn, name: str, policy: str) -> str:
        try:
            return str(await turn.tool("act", {"name": name}, policy=policy, fn=act))
        except ToolInDoubtError:
            return f"not {name}"

    async def agent(turn: Turn) -> str:
        return " ".join(await asyncio.gather(call(turn, "A", "ask"), call(turn, "B", "ask"), call(turn, "C", "once")))

    with Scenario(agent) as room:
        room.says("go")
        room.until(lambda: len(effects) == 3)
        room.advance(1)
        room.restart()
        room.rest()
        assert [each.split(" was")[0] for each in room.visible()] == ['act({"name":"A"})']
        room.says("no")
        room.rest()
        assert [each.split(" was")[0] for each in room.visible()[1:]] == ['act({"name":"B"})']
        room.says("yes")
        room.rest()
        assert room.visible()[2:] == ["not A B C"]
        assert effects == {"A": 1, "B": 2, "C": 1}
        assert room.broken() == []


def test_a_call_beside_an_open_question_does_not_make_its_work_go_on_by_itself() -> None:
    begun: list[Any] = []

    async def act() -> str:
        begun.append(1)
        await asyncio.sleep(100)
        return "done"

    async def agent(turn: Turn) -> str:
        async def late() -> str:
            await asyncio.sleep(5)
            return str(await turn.tool("act", {}, policy="pure", fn=act))

        answer, done = await asyncio.gather(turn.ask_user("Which?"), late())
        return f"{answer}, {done}"

    with Scenario(agent) as room:
        room.says("go")
        room.advance(10)
        assert (room.visible(), len(begun)) == (["Which?", "..."], 1)
        room.restart()
        room.rest()
        assert room.decisions() == ["AWAITING_USER"]
        assert len(begun) == 1
        room.says("red")
        room.rest()
        assert room.visible()[1:] == ["red, done"]
        assert room.broken() == []


def test_of_a_batch_in_which_one_fails_the_others_results_are_kept() -> None:
    effects: Counter[str] = Counter()

    async def act(name: str) -> str:
        effects[name] += 1
        if name == "A":
            raise ValueError("A is refused")
        await asyncio.sleep(1)
        return name

    async def agent(turn: Turn) -> str:
        calls = (turn.tool("act", {"name": name}, policy="once", fn=act) for name in "AB")
        found = await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(60)
        return " ".join(type(it).__name__ if isinstance(it, BaseException) else str(it) for it in found)

    with Scenario(agent) as room:
        room.says("go")
        room.advance(10)
        room.restart()
        room.rest()
        assert room.visible() == [f"{ToolFailedError.__name__} B"]
        assert effects == {"A": 1, "B": 1}
