"""Agents made with a framework: their model follows the script, in its own process, and is asked anew at each step."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct
from tests.platforms.agents.conformance.counterpart import (
    AskUser,
    CallTool,
    Counterpart,
    Die,
    Exit,
    Hang,
    Lacks,
    Property,
    Say,
    Step,
)

from greenroom.actors.model import ToolPolicy
from greenroom.platforms.agents.framework import Policies, current_turn, idempotency_key
from greenroom.platforms.agents.tools.tool import Toolset

GO = "go"
ASK = "ask_user"
"""A tool of the framework's own, that asks the user."""

NAMES = tuple(policy.value for policy in ToolPolicy)
POLICIES: Policies = {**{name: name for name in NAMES}, "child": "pure", ASK: None}
LACKS: Lacks = {
    Property.APPROVAL: "its tools ask for themselves, with `current_turn().approve`",
    Property.USAGE: "its scripted model counts as it likes; see its own tests",
    Property.UNFINISHED: "its framework takes a stream that has ended for whole",
}


class BrokenDownError(Exception):
    """The script says so."""


class Said(Struct, frozen=True):
    """What the model is to say, and then to call, if anything."""

    text: str
    call: CallTool | AskUser | None


class FrameworkCounterpart(Counterpart):
    """See `Counterpart`. `respond` is what the scripted model of a framework asks for its next words."""

    def __init__(self, build: Callable[[FrameworkCounterpart, dict[str, Callable[..., Awaitable[str]]]], Any]) -> None:
        self._build = build
        self._steps: tuple[Step, ...] = ()
        self._heard: list[str] = []
        self.working = 0

    def agent(self, tools: Toolset) -> Any:
        return self._build(self, {name: bridge(tools, name) for name in (*NAMES, "child")} | {ASK: ask_user})

    def will(self, *steps: Step) -> str:
        self._steps = steps
        return GO

    def heard(self) -> str:
        return "\n".join(self._heard)

    async def at_work(self) -> bool:
        return self.working > 0

    async def respond(
        self, heard: str, results: int, say: Callable[[str], Awaitable[None]]
    ) -> CallTool | AskUser | None:
        """Speak from the step on that so many results lead to; returns the call to be made."""
        self._heard.append(heard)
        self.working += 1
        try:
            for step in rest_of(self._steps, results):
                match step:
                    case Say(text):
                        await say(text)
                    case CallTool() | AskUser():
                        return step
                    case Hang():
                        await asyncio.Event().wait()
                    case Die():
                        raise BrokenDownError
                    case Exit():
                        sys.exit(3)
                    case _:
                        return CallTool("once", {"garbage": "{"})
        finally:
            self.working -= 1
        return None


def count_answered(rows: Iterable[tuple[bool, str]]) -> int:
    """How many calls were answered since the user spoke: rows are of the user or of a tool, with what they say."""
    count = 0
    for of_user, text in rows:
        count = 0 if of_user else count + ("[no result" not in text)
    return count


def rest_of(steps: Sequence[Step], results: int) -> Sequence[Step]:
    """What is left of a script when so many of its calls were answered."""
    calls = [n for n, step in enumerate(steps) if isinstance(step, CallTool | AskUser)]
    return steps[calls[results - 1] + 1 :] if 0 < results <= len(calls) else steps


def bridge(tools: Toolset, name: str) -> Callable[[], Awaitable[str]]:
    """Make a function of a tool of the suite's workshop, as somebody writes one for a framework."""

    async def call() -> str:
        """Do the work."""
        tool = next(each for each in await tools.offer() if each.name == name)
        key = {"idempotency_key": idempotency_key()} if tool.policy is ToolPolicy.KEYED else {}
        return str(await tool.fn(current_turn(), **key))

    call.__name__ = name
    return call


async def ask_user(prompt: str, choices: list[str]) -> str:
    """Ask the user."""
    return await current_turn().ask_user(prompt, choices)
