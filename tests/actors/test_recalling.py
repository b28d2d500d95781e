"""What an agent is given of a transcript that has grown: what fits, whole, and a summary of the rest."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from greenroom.actors.model import Generation, Message, MessageKind, Role, Seq, ToolCall, ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.actors.window import estimate_tokens, fit, without_cut_results
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

SMALL = Policy(transcript_window=4, summary_every=3)


def row(seq: int, role: Role = Role.USER, text: str = "12345678", **fields: Any) -> Message:
    return Message(Seq(seq), Generation(1), f"k{seq}", role, text, 1.0, **fields)


def call(seq: int, *keys: str) -> Message:
    calls = tuple(ToolCall(key, "look", "{}", ToolPolicy.PURE) for key in keys)
    return row(seq, Role.ASSISTANT, "", tool_calls=calls)


def result(seq: int, key: str) -> Message:
    return row(seq, Role.TOOL, tool_key=key)


def test_tokens_are_a_budget_that_is_never_exceeded() -> None:
    rows = [row(n) for n in range(1, 6)]
    assert [estimate_tokens(each) for each in rows] == [2] * 5
    assert fit(rows, 5, estimate_tokens) == tuple(rows[3:])
    assert fit(rows, 10, estimate_tokens) == tuple(rows)
    assert fit(rows, 0, estimate_tokens) == ()
    assert fit(rows, 3, lambda _: 1) == tuple(rows[2:])
    assert fit(rows, None, estimate_tokens) == tuple(rows)


def test_a_call_costs_what_it_says_and_nothing_is_free() -> None:
    assert estimate_tokens(call(1, "a", "b", "c", "d")) == 6
    assert estimate_tokens(row(1, text="")) == 1


def test_a_result_is_never_given_without_its_call() -> None:
    rows = [result(2, "a"), call(3, "b", "c"), result(4, "c"), row(5), result(6, "b")]
    assert without_cut_results(rows) == tuple(rows[1:])
    assert without_cut_results(rows[2:]) == (rows[3],)


def given(agent_reads: dict[str, Any], **knobs: Any) -> tuple[list[list[str]], Scenario]:
    """Six messages are answered; what was each agent given?"""
    seen: list[list[str]] = []

    async def agent(turn: Turn) -> str:
        seen.append([each.text for each in await turn.messages(**agent_reads)])
        return f"re {turn.text}"

    with Scenario(agent, **knobs) as room:
        for n in range(1, 7):
            room.says(f"m{n}")
            room.rest()
        room.restart()
        room.rest()
        assert room.broken() == []
    return seen, room


def test_a_window_is_what_the_agent_asks_for() -> None:
    assert given({"last": 3})[0][-1] == ["m5", "re m5", "m6"]
    assert given({"tokens": 2})[0][-1] == ["re m5", "m6"]
    assert given({"tokens": 100, "last": 2})[0][-1] == ["re m5", "m6"]
    assert given({"tokens": 6, "count": len_of})[0][-1] == ["m6"]
    assert len(given({"tokens": 100})[0][-1]) == 11


def len_of(message: Message) -> int:
    return len(message.text)


def test_pages_are_read_until_there_is_as_much_as_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenroom.actors.recalling.PAGE_ROWS", 2)
    assert given({"tokens": 5})[0][-1] == ["m4", "re m4", "m5", "re m5", "m6"]
    assert len(given({"tokens": 100})[0][-1]) == 11
    assert given({"last": 5})[0][-1] == ["m4", "re m4", "m5", "re m5", "m6"]


def test_what_the_user_waits_for_is_given_however_small_the_window() -> None:
    seen: list[list[str]] = []

    async def agent(turn: Turn) -> str:
        for n in range(3):
            await turn.tool("look", {"n": n}, policy="pure", fn=lambda n: n)
        seen.append([each.text for each in await turn.messages(last=1)])
        seen.append([each.text for each in await turn.messages(tokens=0)])
        return "done"

    with Scenario(agent) as room:
        room.says("first")
        room.says("second")
        room.rest()
        assert seen == [["first", "second"]] * 2


def test_a_summary_stands_for_what_is_left_out_and_is_made_again_only_when_it_lags() -> None:
    asked: list[list[int]] = []

    async def summarise(rows: Sequence[Message]) -> str:
        asked.append([each.seq for each in rows])
        return f"{rows[0].text} .. {rows[-1].text}"

    seen, room = given({}, policy=SMALL, summarise=summarise)
    assert asked == [[1, 2, 3, 4], [6, 5, 7, 8, 9]]
    assert seen[2] == ["m1 .. re m2", "re m1", "m2", "re m2", "m3"]
    assert seen[3] == ["m1 .. re m2", "re m2", "m3", "re m3", "m4"]
    assert seen[-1][0] == "m1 .. re m2 .. re m4"
    rows = [each for each in room.transcript() if each.kind == MessageKind.SUMMARY]
    assert [each.key for each in rows] == ["summary.4", "summary.9"]
    assert room.visible() == [f"re m{n}" for n in range(1, 7)]


def test_a_summary_counts_towards_the_tokens() -> None:
    async def summarise(_: Sequence[Message]) -> str:
        return "x" * 8

    seen, _ = given({"tokens": 4}, policy=SMALL, summarise=summarise)
    assert seen[-1] == ["xxxxxxxx", "re m5", "m6"]


async def fails(_: Sequence[Message]) -> str:
    raise OSError("no model")


async def exits(_: Sequence[Message]) -> str:
    raise SystemExit(1)


async def gives_up(_: Sequence[Message]) -> str:
    raise asyncio.CancelledError


async def says_nothing(_: Sequence[Message]) -> str:
    return " "


async def hangs(_: Sequence[Message]) -> str:
    await asyncio.Event().wait()
    return ""


async def is_no_text(_: Sequence[Message]) -> Any:
    return 7


@pytest.mark.parametrize("summarise", [fails, exits, gives_up, says_nothing, hangs, is_no_text])
def test_a_summariser_that_fails_costs_the_summary_and_not_the_run(summarise: Any) -> None:
    seen, room = given({}, policy=SMALL, summarise=summarise)
    assert seen[-1] == ["re m4", "m5", "re m5", "m6"]
    assert [run.ending for run in room.runs()] == ["answered"] * 6


def test_a_summary_is_cut_at_its_limit() -> None:
    async def summarise(_: Sequence[Message]) -> str:
        return "word " * 100

    seen, _ = given({}, policy=Policy(transcript_window=4, summary_max=9), summarise=summarise)
    assert seen[-1][0] == "word word"


@pytest.mark.parametrize("moments", range(12))
def test_a_summary_that_was_under_way_when_its_reader_gave_up_is_made_once(moments: int) -> None:
    async def summarise(_: Sequence[Message]) -> str:
        return "all of it"

    async def agent(turn: Turn) -> str:
        if turn.text == "m4":
            first = asyncio.ensure_future(turn.messages())
            for _ in range(moments):
                await asyncio.sleep(0)
            first.cancel()
            assert (await turn.messages())[0].text == "all of it"
        return "re"

    with Scenario(agent, policy=SMALL, summarise=summarise, seed=moments + 1) as room:
        for n in range(1, 5):
            room.says(f"m{n}")
            room.rest()
        assert [run.ending for run in room.runs()] == ["answered"] * 4
        assert [row.key for row in room.transcript() if row.kind == "summary"] == ["summary.6"]
        assert room.broken() == []
