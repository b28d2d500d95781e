"""What a program may say, and what becomes of it: the other end of the pipe is a coroutine, and time is virtual."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from greenroom.actors.model import Generation, Message, Role, Seq, ToolCall, ToolPolicy
from greenroom.actors.ports import Conclusion, Turn
from greenroom.platforms.agents.program.codec import GarbageError, ToProgram, read_line, rows, write_line
from greenroom.platforms.agents.program.conversation import OPEN_MAX, Conversation
from greenroom.platforms.agents.tools.tool import Tool
from greenroom.supervisor.sandbox.scenario import Scenario

Line = dict[str, Any]


class Pipe:
    """The program's end."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._told: asyncio.Queue[Line] = asyncio.Queue()

    def says(self, kind: str, **fields: Any) -> None:
        self.writes(json.dumps({"type": kind} | fields).encode() + b"\n")

    def writes(self, line: bytes | None) -> None:
        self._said.put_nowait(line)

    async def hears(self) -> Line:
        return await self._told.get()

    async def hear(self) -> bytes | None:
        return await self._said.get()

    async def tell(self, line: ToProgram) -> None:
        self._told.put_nowait(json.loads(write_line(line)))


Program = Callable[[Pipe], Awaitable[None]]


ProgramAgent = Callable[[Turn], Awaitable[Conclusion | None]]


def agent_of(program: Program, *tools: Tool) -> ProgramAgent:
    async def agent(turn: Turn) -> Conclusion | None:
        pipe = Pipe()
        running = asyncio.ensure_future(program(pipe))
        try:
            return await Conversation(turn, tools, pipe.tell).listen(pipe.hear)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return agent


def told_of(program: Program, *tools: Tool) -> list[str]:
    """What a person reads who says one thing to this program."""
    with Scenario(agent_of(program, *tools)) as room:
        room.says("a")
        room.rest()
        assert room.broken() == []
        return room.visible()


async def test_the_pipe_is_of_this_test_only() -> None:
    pipe = Pipe()
    pipe.says("say", text="x")
    line = await pipe.hear()
    assert line is not None
    assert read_line(line).__class__.__name__ == "Say"


def test_what_is_said_comes_before_the_answer_and_progress_is_no_part_of_it() -> None:
    async def program(pipe: Pipe) -> None:
        pipe.says("say", text="One, ")
        pipe.writes(b"\n")
        pipe.says("progress", text="thinking")
        pipe.says("say", text="two.")
        pipe.says("answer", text="Three.")
        pipe.writes(b"nobody reads this")

    assert told_of(program) == ["One, two.\n\nThree."]


def test_without_a_word_of_its_end_what_was_said_is_cut_short() -> None:
    async def program(pipe: Pipe) -> None:
        pipe.says("say", text="I was about to")
        pipe.says("answer", finish=None)

    assert told_of(program) == [
        "I was about to\n\n(Incomplete: the agent's text was cut short (no finish). Write again to go on.)"
    ]


def test_an_effect_is_done_once_and_its_result_is_given_after_an_interruption() -> None:
    done: list[str] = []
    words: list[Line] = []

    async def program(pipe: Pipe) -> None:
        for line in ("x", "y"):
            pipe.says("effect", name="note", args={"line": line}, id=line)
            words.append(word := await pipe.hears())
            if word["type"] == "do":
                done.append(line)
                pipe.says("did", id=line, result={"line": line})
        if len(words) > 2:
            pipe.says("answer", text="noted")

    with Scenario(agent_of(program)) as room:
        room.says("a")
        room.until(lambda: len(words) == 2)
        room.advance(1)
        room.restart()
        room.rest()
        assert done == ["x", "y"]
        assert words[2:] == [{"type": "done", "id": line, "result": {"line": line}} for line in ("x", "y")]
        assert all(word["key"] for word in words[:2])
        assert room.visible()[-1].endswith("noted")
        assert room.broken() == []


@pytest.mark.parametrize(
    "policy, kinds", [("once", ["do", "in_doubt"]), ("keyed", ["do", "do"]), ("pure", ["do", "do"])]
)
def test_an_effect_that_was_begun_and_not_reported_is_in_doubt_unless_it_may_be_repeated(
    policy: str, kinds: list[str]
) -> None:
    words: list[Line] = []

    async def program(pipe: Pipe) -> None:
        pipe.says("effect", name="pay", args={"sum": 7}, policy=policy)
        words.append(word := await pipe.hears())
        if len(words) == 1:
            await asyncio.Event().wait()
        if word["type"] == "do":
            pipe.says("did")
        pipe.says("answer", text=f"{word['type']}.")

    with Scenario(agent_of(program)) as room:
        room.says("a")
        room.until(lambda: words)
        room.restart()
        room.rest()
        assert [word["type"] for word in words] == kinds
        if policy == "keyed":
            assert words[0]["key"] == words[1]["key"]
        assert room.visible()[-1].endswith(f"{kinds[-1]}.")
        assert room.broken() == []


def test_a_program_that_ends_within_an_effect_leaves_it_in_doubt_also_for_a_repeated_request() -> None:
    words: list[str] = []

    async def program(pipe: Pipe) -> None:
        pipe.says("effect", name="pay")
        words.append((await pipe.hears())["type"])
        pipe.says("answer", text=words[-1])

    async def agent(turn: Turn) -> Conclusion | None:
        conclusion = await agent_of(program)(turn)
        if conclusion is None:
            raise ZeroDivisionError
        return conclusion

    with Scenario(agent) as room:
        room.says("pay")
        room.rest()
        room.says("pay again")
        room.rest()
        assert words == ["do", "in_doubt"]
        assert room.visible()[-1] == "in_doubt"


def test_an_effect_that_surely_failed_is_told_as_such_within_the_same_work() -> None:
    words: list[Line] = []

    async def program(pipe: Pipe) -> None:
        pipe.says("effect", name="pay")
        words.append(word := await pipe.hears())
        if word["type"] == "do":
            pipe.says("failed", text="no money")
            await asyncio.Event().wait()
        pipe.says("answer", text=word["text"])

    with Scenario(agent_of(program)) as room:
        room.says("a")
        room.until(lambda: words)
        room.advance(1)
        room.restart()
        room.rest()
        assert [word["type"] for word in words] == ["do", "undone"]
        assert room.visible()[-1].endswith("no money")


def test_what_greenroom_can_do_is_done_under_its_policy_and_told_as_text() -> None:
    calls: list[int] = []
    words: list[Line] = []

    async def double(turn: Turn, n: int) -> int:
        calls.append(n)
        return 2 * n

    tool = Tool("double", "doubles", {"type": "object"}, ToolPolicy.ONCE, double)

    async def program(pipe: Pipe) -> None:
        for line in ({"name": "double", "args": {"n": 4}}, {"name": "fly"}, {"name": "double", "args": {"m": 4}}):
            pipe.says("tool", **line)
            words.append(await pipe.hears())
        pipe.says("answer", text="done")

    assert told_of(program, tool) == ["done"]
    assert calls == [4]
    assert [(word["text"][:9], word["failed"]) for word in words] == [
        ("8", False),
        ("there is ", True),
        ("TypeError", True),
    ]


def test_a_question_waits_for_its_answer_across_a_restart_while_other_requests_are_answered() -> None:
    words: list[Line] = []

    async def program(pipe: Pipe) -> None:
        pipe.says("ask", prompt="Which?", choices=["red", "blue"], id="q")
        pipe.says("effect", name="look", policy="pure", id="e")
        while True:
            words.append(word := await pipe.hears())
            if word["type"] == "do":
                pipe.says("did", id="e")
            if word["type"] == "reply":
                pipe.says("answer", text=f"It is {word['text']}.")

    with Scenario(agent_of(program)) as room:
        room.says("a")
        room.until(lambda: "Which?" in str(room.visible()))
        room.advance(5)
        room.restart()
        room.says("blue")
        room.rest()
        assert {word["type"] for word in words} == {"do", "done", "reply"}
        assert room.visible()[-1] == "It is blue."


def test_a_question_that_nobody_answers_is_told_as_such() -> None:
    async def program(pipe: Pipe) -> None:
        pipe.says("ask", prompt="Which?", timeout_s=60)
        pipe.says("answer", text=(await pipe.hears())["type"])

    assert told_of(program)[-1] == "unanswered"


def test_a_question_that_is_too_long_is_told_as_unanswered_with_the_reason() -> None:
    async def program(pipe: Pipe) -> None:
        pipe.says("ask", prompt="x" * 20_001)
        word = await pipe.hears()
        pipe.says("answer", text=f"{word['type']}: {word['text']}")

    assert "unanswered: turn.ask_user: 20,001 characters, the limit is 20,000" in told_of(program)[-1]


def test_what_cannot_be_reached_puts_the_work_off() -> None:
    tries: list[int] = []

    async def program(pipe: Pipe) -> None:
        tries.append(1)
        if len(tries) == 1:
            pipe.says("error", text="the model sleeps", retry_after_s=30)
        pipe.says("answer", text="awake")

    assert told_of(program)[-1].endswith("awake")
    assert len(tries) == 2


def test_what_was_spent_is_kept_with_the_work() -> None:
    async def program(pipe: Pipe) -> None:
        pipe.says("spent", calls=1, tokens=30, cost=0.5)
        pipe.says("spent", tokens=12)
        pipe.says("answer", text="done")

    with Scenario(agent_of(program)) as room:
        room.says("a")
        room.rest()
        (run,) = room.runs()
        assert (run.model_calls, run.tokens, run.cost) == (1, 42, 0.5)


@pytest.mark.parametrize(
    "lines",
    [
        [b"starting up..."],
        [b'{"type":"say"}'],
        [b'{"type":"say","text":"a","txt":"b"}'],
        [b'{"type":"did"}'],
        [b'{"type":"ask","prompt":"?"}', b'{"type":"did"}'],
        [b'{"type":"ask","prompt":"?"}', b'{"type":"ask","prompt":"?"}'],
        [b'{"type":"effect","name":"x","policy":"always"}'],
        [b'{"type":"ask","prompt":"?","timeout_s":-1}'],
        [b'{"type":"effect","name":"x","id":"%d"}' % n for n in range(OPEN_MAX + 1)],
        [b"\xff"],
        [b"[" * 10_000],
    ],
)
def test_what_is_no_line_of_the_protocol_ends_the_run_and_keeps_what_was_said(lines: list[bytes]) -> None:
    async def program(pipe: Pipe) -> None:
        pipe.says("say", text="So far.")
        for line in lines:
            pipe.writes(line)

    assert "So far." in "".join(seen := told_of(program))
    assert f"(The agent failed: {GarbageError.__name__}." in seen[-1]


def test_a_program_is_not_told_what_is_kept_for_the_model_of_another_agent() -> None:
    call = ToolCall("k", "look", "{}", ToolPolicy.PURE, "thoughts")
    (row,) = rows([Message(Seq(1), Generation(1), "r", Role.ASSISTANT, "", 0.0, tool_calls=(call,))])
    assert json.loads(msgspec.json.encode(row.tool_calls)) == [
        {"key": "k", "name": "look", "args": "{}", "policy": "pure"}
    ]
