"""What an agent can do with its turn, through crashes, on the real house in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from greenroom.actors.ports import Conclusion, Turn
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

Agent = Callable[[Turn], Awaitable[str | Conclusion | None]]


def test_a_question_waits_across_a_restart_and_its_answer_comes_at_once_in_the_next_attempt() -> None:
    async def agent(turn: Turn) -> str:
        await turn.say("Well. ")
        colour = await turn.ask_user("Which?", ["red", "blue"])
        return f"{turn.attempt}: {colour}"

    with Scenario(agent) as room:
        room.says("paint")
        room.rest()
        assert room.visible() == ["Well. \n\nWhich?\n- red\n- blue"]
        room.restart()
        room.rest()
        assert room.decisions() == ["AWAITING_USER"]
        room.says("red")
        room.rest()
        assert room.visible()[1:] == ["1: red"]
        assert room.broken() == []


def test_one_question_at_a_time() -> None:
    async def agent(turn: Turn) -> str:
        return " ".join(await asyncio.gather(turn.ask_user("Which?"), turn.ask_user("And?")))

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["Which?"]
        room.says("red")
        room.rest()
        assert room.visible()[1:] == ["And?"]
        room.says("big")
        room.rest()
        assert room.visible()[-1] == "red big"


def test_streamed_words_reach_the_chat_in_few_steps_and_end_as_the_answer() -> None:
    async def agent(turn: Turn) -> str:
        for _ in range(1_000):
            await turn.say("x")
            await asyncio.sleep(0.001)
        return "end"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        (message,) = room.messages()
        assert message.texts[-1] == "x" * 1_000 + "\n\nend"
        assert 3 < len(message.texts) < 30


def test_progress_is_written_down_now_and_then_while_words_stream() -> None:
    async def agent(turn: Turn) -> str:
        for _ in range(60):
            await turn.say(".")
            await asyncio.sleep(1)
        await asyncio.Event().wait()
        return ""

    with Scenario(agent) as room:
        room.says("go")
        room.advance(65)
        (run,) = room.runs()
        assert 45 <= run.last_progress_at - run.opened_at <= 61


def test_nothing_that_is_no_text_gets_in_and_nothing_that_cannot_be_written() -> None:
    async def agent(turn: Turn) -> str:
        strange: Any = 7
        for call in (turn.say(strange), turn.progress(strange), turn.ask_user(strange)):
            with pytest.raises(TypeError, match="must be text, got int"):
                await call
        with pytest.raises(TypeError):
            await turn.tool(strange, {}, policy="pure", fn=dict)
        await turn.say("half \ud83d ")
        await turn.tool("t\udc00", {"a": "\ud800"}, policy="once", fn=lambda a: a)
        return "whole \U0001f600 \ud800"

    with Scenario(agent) as room:
        room.says("go")
        room.rest()
        assert room.visible() == ["half \ufffd \n\nwhole \U0001f600 \ufffd"]
        assert [row.ending for row in room.runs()] == ["answered"]


def test_an_agent_reads_its_transcript_and_nothing_of_others() -> None:
    seen: list[list[tuple[str, str]]] = []

    async def agent(turn: Turn) -> str:
        seen.append([(row.role.value, row.text) for row in await turn.messages()])
        assert [row.text for row in await turn.messages(1)] == [turn.text]
        return f"re {turn.text}"

    with Scenario(agent) as room:
        room.says("a")
        room.says("b", 2)
        room.rest()
        room.says("c")
        room.rest()
        assert seen[-1] == [("user", "a"), ("assistant", "re a"), ("user", "c")]


def test_an_agent_that_talks_for_ever_is_ended_and_fills_no_memory() -> None:
    said: list[int] = []

    async def agent(turn: Turn) -> str:
        while True:
            await turn.say("on and ")
            await asyncio.sleep(10)
            said.append(len(turn.said))  # type: ignore[attr-defined]  # what the turn keeps

    with Scenario(agent, policy=Policy(run_max_s=3_600.0, answer_max=100)) as room:
        room.says("go")
        room.rest()
        assert max(said) == 101
        assert 350 < len(said) < 361
        (text,) = room.visible()
        assert text.startswith("on and on and ")
        assert "(Cut here: an answer has at most 100 characters.)" in text
        assert text.endswith("(The agent was still at it after 1 h, so its run was ended. Write again to go on.)")
        assert [run.ending for run in room.runs()] == ["failed"]
        assert room.broken() == []
