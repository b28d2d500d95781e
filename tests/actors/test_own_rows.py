"""Rows that an agent writes itself: each once, in order, on disk before it is told so, whatever happens meanwhile."""

import asyncio
from typing import Any

import pytest
from tests.scenarios.stage import lock

from greenroom.actors.agent_rows import WRITE_ROWS_MAX, pick_new, read_rows, split_rows
from greenroom.actors.model import TailKind
from greenroom.actors.ports import Conclusion, Turn
from greenroom.actors.rules import Rules
from greenroom.supervisor.sandbox.invariants import PLACEHOLDER
from greenroom.supervisor.sandbox.scenario import Loss, Policy, Scenario

Row = dict[str, Any]

CALL: Row = {"key": "c", "role": "assistant", "text": "", "tool_calls": [{"key": "look", "name": "look", "args": {}}]}
RESULT: Row = {"key": "r", "role": "tool", "text": "42", "tool_key": "look"}
THOUGHT: Row = {"key": "t", "role": "assistant", "text": "Hm."}
ANSWER: Row = {"key": "a", "role": "assistant", "text": "It is 42.", "finish": "stop"}
ALL = [CALL, RESULT, THOUGHT, ANSWER]


def own(room: Scenario) -> list[str]:
    return [row.key for row in room.transcript() if row.key.startswith("own.")]


def assistant(room: Scenario) -> list[str]:
    return [row.text for row in room.transcript() if row.role == "assistant" and row.text]


def test_what_is_flushed_again_from_a_copy_is_stored_once_and_in_order() -> None:
    counts: list[int] = []

    async def agent(turn: Turn) -> None:
        copies = [dict(row) for row in ALL]
        counts.extend([await turn.transcript.append_many(rows) for rows in (ALL[:2], copies[:3], copies, ALL)])

    with Scenario(agent) as room:
        room.says("Tell me")
        room.rest()
        assert counts == [2, 1, 1, 0]
        assert own(room) == ["own.c", "own.r", "own.t", "own.a"]
        assert room.visible() == ["It is 42."]
        assert room.broken() == []


@pytest.mark.parametrize("steps", range(18, 60, 3))
def test_the_next_attempt_flushes_its_list_again_wherever_the_process_died(steps: int) -> None:
    async def agent(turn: Turn) -> None:
        for row in ALL:
            await turn.transcript.append_many([row])
            await asyncio.sleep(1)

    with Scenario(agent, policy=Policy(attempts_max=9)) as room:
        room.says("Tell me")
        room.steps(steps)
        room.crash(Loss.RANDOM)
        room.boot()
        room.rest()
        assert own(room) == ["own.c", "own.r", "own.t", "own.a"]
        assert [words for words in room.visible() if words != PLACEHOLDER] == [
            "It is 42."
        ]  # One may be lost, and stray.
        assert room.broken() == []


@pytest.mark.parametrize("nth", range(1, 8))
def test_a_locked_database_leaves_neither_a_gap_nor_a_duplicate(nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """S150, by the agent's own hand."""

    async def agent(turn: Turn) -> None:
        for row in ALL:
            await turn.transcript.append_many([row])

    with Scenario(agent) as room:
        met = lock(monkeypatch, nth=nth)
        room.says("Tell me")
        room.rest()
        assert met == [nth, nth + 1]
        assert own(room) == ["own.c", "own.r", "own.t", "own.a"]
        assert room.broken() == []


def test_a_flush_that_was_given_up_and_is_made_again_waits_for_the_first() -> None:
    seen: list[str] = []

    async def agent(turn: Turn) -> str:
        first = asyncio.ensure_future(turn.transcript.append_many([THOUGHT]))
        await asyncio.sleep(0.01)
        first.cancel()
        assert await turn.transcript.append_many([THOUGHT]) == 0
        seen.extend(row.text for row in await turn.messages())
        return "Done."

    with Scenario(agent) as room:
        room.says("Tell me")
        room.rest()
        assert seen == ["Tell me", "Hm."]
        assert own(room) == ["own.t"]


@pytest.mark.parametrize("returned", ["It is 42.", "is  42.\n", "", None, Conclusion("It is 42.", "stop")])
def test_the_row_that_concludes_is_the_answer_and_none_is_added(returned: Any) -> None:
    async def agent(turn: Turn) -> Any:
        await turn.say("Let me see. ")
        await turn.transcript.append_many(ALL)
        await turn.say("It is ")
        await turn.say("42.")
        return returned

    with Scenario(agent) as room:
        room.says("Tell me")
        room.rest()
        room.restart()
        room.rest()
        assert assistant(room) == ["Hm.", "It is 42."]
        assert room.visible() == ["It is 42."]
        assert [row.answers_upto for row in room.transcript() if row.answers_upto] == [1]
        assert [run.ending for run in room.runs()] == ["answered"]
        assert room.broken() == []


@pytest.mark.parametrize("idle_s", [0.0, 60.0])
@pytest.mark.parametrize("waits", [False, True])
def test_what_an_agent_adds_to_its_answer_is_a_message_of_its_own(*, waits: bool, idle_s: float) -> None:
    async def agent(turn: Turn) -> str:
        if turn.text == "And?":
            return "Yes."
        await turn.transcript.append_many(ALL)
        await asyncio.sleep(2)
        await turn.say("By the way:\n")
        return "it rains."

    with Scenario(agent, policy=Policy(idle_s=idle_s, placeholder_after_s=30)) as room:
        room.says("Tell me")
        room.advance(1)
        if waits:
            room.says("And?")
        room.rest()
        room.restart()
        room.rest()
        added = "By the way:\n\n\nit rains."
        assert assistant(room) == ["Hm.", "It is 42.", added, *(["Yes."] if waits else [])]
        assert room.visible() == ["It is 42.", added, *(["Yes."] if waits else [])]
        assert room.broken() == []


@pytest.mark.parametrize("order", ["/stop", "/new"])
def test_who_left_the_conversation_hears_no_more_of_it(order: str) -> None:
    async def agent(turn: Turn) -> str:
        await turn.transcript.append_many(ALL)
        await asyncio.sleep(2)
        return "By the way, it rains."

    with Scenario(agent) as room:
        room.says("Tell me")
        room.advance(1)
        room.says(order)
        room.rest()
        assert len(room.visible()) == 2
        assert "By the way, it rains." not in room.visible()
        assert room.broken() == []


@pytest.mark.parametrize("rows", [[CALL, RESULT], [CALL | {"text": "Done.", "finish": "stop"}, RESULT], [THOUGHT]])
def test_an_interim_row_is_not_taken_for_the_answer(rows: list[Row]) -> None:
    async def agent(turn: Turn) -> str:
        await turn.transcript.append_many(rows)
        return "Done."

    with Scenario(agent) as room:
        room.says("Tell me")
        room.rest()
        assert room.visible() == ["Done."]
        assert [row.key for row in room.transcript() if row.answers_upto] == ["end.1"]
        assert room.broken() == []


def test_what_an_agent_raises_after_its_answer_is_not_shown() -> None:
    async def agent(turn: Turn) -> str:
        await turn.transcript.append_many(ALL)
        raise OSError("the log is full")

    with Scenario(agent) as room:
        room.says("Tell me")
        room.rest()
        assert room.visible() == ["It is 42."]


def test_after_its_answer_an_agent_neither_writes_nor_calls_nor_asks_and_ends_soon() -> None:
    ended: list[float] = []

    async def agent(turn: Turn) -> str:
        began = asyncio.get_running_loop().time()
        await turn.transcript.append_many(ALL if turn.text == "Tell me" else [ANSWER | {"key": "b", "text": "Yes."}])
        with pytest.raises(RuntimeError, match="concludes this run"):
            await turn.transcript.append_many([THOUGHT | {"key": "t2"}])
        with pytest.raises(RuntimeError, match="concludes this run"):
            await turn.tool("x", {}, policy="once", fn=dict)
        with pytest.raises(RuntimeError, match="concludes this run"):
            await turn.ask_user("And?")
        try:
            await asyncio.sleep(1_000)
        finally:
            ended.append(asyncio.get_running_loop().time() - began)
        return "late"

    with Scenario(agent) as room:
        room.says("Tell me")
        room.advance(2)
        room.says("And?")
        room.rest()
        assert room.visible() == ["It is 42.", "Yes."]
        assert all(9 < each < 12 for each in ended)
        assert room.broken() == []


def test_while_a_question_is_open_rows_wait_for_its_answer() -> None:
    async def agent(turn: Turn) -> str:
        asked = asyncio.ensure_future(turn.ask_user("Which?"))
        await asyncio.sleep(1)
        written = asyncio.ensure_future(turn.transcript.append_many([THOUGHT]))
        answer = await asked
        await written
        return answer

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.runs()[-1].tail_kind == TailKind.ASKED.name
        room.says("red")
        room.rest()
        assert [row.text for row in room.transcript()] == ["go", "Which?", "red", "Hm.", "red"]


@pytest.mark.parametrize(
    "rows, error, words",
    [
        ([{"role": "user", "text": "hi", "key": "u"}], ValueError, "leave rows of the user out"),
        ([THOUGHT | {"content": "x"}], ValueError, "there is no 'content'"),
        ([THOUGHT | {"key": ""}], ValueError, "key: must have 1 to"),
        ([THOUGHT | {"key": "k" * 201}], ValueError, "key: must have 1 to"),
        ([THOUGHT | {"text": None}], TypeError, "text: must be text"),
        ([THOUGHT | {"text": "x" * 101}], ValueError, "it has 101 characters, the limit is 100"),
        ([THOUGHT | {"role": "poet"}], ValueError, "role must be one of"),
        ([THOUGHT | {"tool_key": "look"}], ValueError, "tool_key names the call"),
        ([RESULT | {"tool_key": None}], ValueError, "tool_key names the call"),
        ([RESULT | {"tool_calls": CALL["tool_calls"]}], ValueError, "only an assistant's row has tool_calls"),
        ([CALL | {"tool_calls": [{"key": "x", "name": "y", "args": "{"}]}], ValueError, "Expecting"),
        ([CALL | {"tool_calls": ["x"]}], TypeError, "call 0: must be a mapping"),
        (["Hm."], TypeError, "row 0: must be a mapping"),
        ([THOUGHT] * 6, ValueError, "6 rows at once, the limit is 5"),
    ],
)
def test_what_is_no_row_is_refused_with_what_to_write(rows: list[Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_rows(rows, Rules(append_max=5, answer_max=100))


def test_a_key_names_one_row_for_ever() -> None:
    first, other = read_rows([THOUGHT, THOUGHT | {"text": "Oh."}], Rules())
    assert pick_new([first, first], {}) == (first,)
    assert pick_new([first], {"t": first}) == ()
    with pytest.raises(ValueError, match="'t' is the key of another row"):
        pick_new([other], {"t": first})


def test_only_the_last_row_concludes() -> None:
    answer, thought = read_rows([ANSWER, THOUGHT], Rules())
    with pytest.raises(ValueError, match="'a' concludes, and rows follow"):
        pick_new([answer, thought], {})
    assert pick_new([answer, thought], {"a": answer}) == (thought,)


def test_many_rows_are_several_transactions_in_order() -> None:
    rows = read_rows([THOUGHT | {"key": str(n)} for n in range(250)], Rules())
    parts = list(split_rows(rows))
    assert [len(part) for part in parts] == [WRITE_ROWS_MAX, WRITE_ROWS_MAX, 50]
    assert [row for part in parts for row in part] == list(rows)
    long = read_rows([THOUGHT | {"key": str(n), "text": "x" * 600_000} for n in range(3)], Rules())
    assert [len(part) for part in split_rows(long)] == [1, 1, 1]
