"""What a model calls: tools, under names that its API takes; a question to the user; what does not exist."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import QuestionTimedOutError, QuestionUndeliveredError, Turn
from greenroom.platforms.agents.openai.beside import write_beside
from greenroom.platforms.agents.openai.reply import Reply, text_in
from greenroom.platforms.agents.talk import Call, Calls, Result
from greenroom.platforms.agents.tools.calling import use
from greenroom.platforms.agents.tools.tool import Tool

NAME_MAX = 64
"""Characters of a tool's name; none but letters, digits, - and _ are taken."""

CHOICES_MAX = 10
"""Answers that a question may offer."""

SHOWN_MAX = 200
"""Characters of arguments that nobody can read, as the model is shown them."""


class UnreadableArgsError(Exception):
    """A model wrote arguments that are no JSON object. Says so to the model."""


async def ask_user(turn: Turn, question: str = "", choices: Sequence[str] = ()) -> str:
    """Ask the user for a model; the answer is on disk before it is known here."""
    offered = [str(choice) for choice in choices][:CHOICES_MAX] if isinstance(choices, list | tuple) else []
    try:
        return await turn.ask_user(str(question) or "?", offered)
    except QuestionTimedOutError:
        return "The user has not answered in time."
    except QuestionUndeliveredError:
        return "The user cannot be asked: the question could not be delivered."
    except ValueError as error:
        return f"The user was not asked: {error}"


ASK = Tool(
    "ask_user",
    "Ask the user one question, and wait for the answer. Only if you cannot go on without it.",
    {
        "type": "object",
        "properties": {
            "question": {"type": "string"},
            "choices": {"type": "array", "items": {"type": "string"}, "description": "answers to pick from, if any"},
        },
        "required": ["question"],
    },
    ToolPolicy.PURE,
    ask_user,
)
"""Not called through the ledger of tools: that of questions keeps it."""


def name_tools(tools: Iterable[Tool]) -> dict[str, Tool]:
    """Give each tool a name that every API takes."""
    named: dict[str, Tool] = {}
    for tool in tools:
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", tool.name)[:NAME_MAX] or "_"
        n = 1
        while name in named:
            n += 1
            name = f"{name[: NAME_MAX - len(str(n)) - 1]}_{n}"
        named[name] = tool
    return named


def read_args(call: Call) -> dict[str, Any]:
    """Read the arguments of a call. Raises UnreadableArgsError."""
    try:
        args = json.loads(call.args)
    except ValueError as error:
        raise UnreadableArgsError(_unreadable(call, f"no JSON ({error})")) from None
    if not isinstance(args, dict):
        raise UnreadableArgsError(_unreadable(call, "no JSON object"))
    return args


def is_sound(call: Call, tools: Mapping[str, Tool]) -> bool:
    """Whether it names something, with arguments that can be read."""
    try:
        read_args(call)
    except UnreadableArgsError:
        return False
    return call.name in tools


def calls_of(reply: Reply) -> Calls:
    """Keep what was called for the rest of the conversation. Arguments that are no JSON some servers choke on."""
    calls = tuple(call if _is_object(call) else replace(call, args="{}") for call in reply.calls)
    broken = {call.id for call in reply.calls if not _is_object(call)}
    kept = tuple({**item, "arguments": "{}"} if text_in(item.get("call_id")) in broken else item for item in reply.kept)
    return Calls(calls, reply.text, reply.reasoning, kept, reply.details)


async def make_calls(turn: Turn, reply: Reply, tools: Mapping[str, Tool], server: str) -> tuple[Result, ...]:
    """Make all calls beside each other; their results have the same order. Raises BudgetExceededError."""
    besides = write_beside(reply, server, lambda call: is_sound(call, tools) and tools[call.name] is not ASK)
    tasks = [
        asyncio.ensure_future(_make(turn, call, tools, beside))
        for call, beside in zip(reply.calls, besides, strict=True)
    ]
    try:
        return tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def _make(turn: Turn, call: Call, tools: Mapping[str, Tool], beside: str) -> Result:
    tool = tools.get(call.name)
    if tool is None:
        return Result(call.id, f"There is no tool {call.name[:NAME_MAX]!r}. There are: {', '.join(tools) or 'none'}.")
    try:
        args = read_args(call)
    except UnreadableArgsError as error:
        return Result(call.id, str(error))
    if tool is ASK:
        asked = {name: value for name, value in args.items() if name in ("question", "choices")}
        return Result(call.id, await ask_user(turn, **asked))
    return Result(call.id, (await use(turn, tool, args, beside)).text)


def _is_object(call: Call) -> bool:
    try:
        read_args(call)
    except UnreadableArgsError:
        return False
    return True


def _unreadable(call: Call, what: str) -> str:
    return f"The call was not made: its arguments are {what}: {call.args[:SHOWN_MAX]}"
