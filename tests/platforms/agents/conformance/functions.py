"""Functions as agents: what they do is written in their own process, so that they are their own counterparts."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, assert_never

from tests.platforms.agents.conformance.counterpart import (
    AskUser,
    CallTool,
    Counterpart,
    Die,
    EndWithoutFinish,
    Exit,
    Garbage,
    Hang,
    Lacks,
    Property,
    Say,
    Spend,
    Step,
)

from greenroom import Turn
from greenroom.actors.model import Message
from greenroom.actors.ports import Conclusion
from greenroom.platforms.agents.tools.calling import use
from greenroom.platforms.agents.tools.tool import Toolset

GO = "go"


class BrokenDownError(Exception):
    """The script says so."""


class AsyncCounterpart(Counterpart):
    """`async def agent(turn)`."""

    def __init__(self) -> None:
        self._steps: tuple[Step, ...] = ()
        self._heard: list[str] = []
        self._working = 0

    def agent(self, tools: Toolset) -> Any:
        async def agent(turn: Turn) -> Any:
            self._heard += [turn.text, turn.recovery_note or ""]
            self._working += 1
            try:
                for step in self._steps:
                    if (returned := await self._take(turn, tools, step)) is not None:
                        return returned
                return None
            finally:
                self._working -= 1

        return agent

    def will(self, *steps: Step) -> str:
        self._steps = steps
        return GO

    def heard(self) -> str:
        return "\n".join(self._heard)

    async def at_work(self) -> bool:
        return self._working > 0

    async def _take(self, turn: Turn, tools: Toolset, step: Step) -> Any:
        match step:
            case Say(text):
                await turn.say(text)
            case CallTool(name, args):
                tool = next(each for each in await tools.offer() if each.name == name)
                self._heard.append((await use(turn, tool, args)).text)
            case AskUser(prompt, choices):
                self._heard.append(await turn.ask_user(prompt, choices))
            case Spend(tokens):
                await turn.spent(calls=1, tokens=tokens)
            case Hang():
                await asyncio.Event().wait()
            case Die():
                raise BrokenDownError
            case Exit():
                sys.exit(3)
            case Garbage():
                return object()
            case EndWithoutFinish():
                return Conclusion("", None)
            case never:
                assert_never(never)
        return None


class PlainCounterpart(Counterpart):
    """`def agent(messages) -> str`, in a thread of its own."""

    def __init__(self) -> None:
        self._steps: tuple[Step, ...] = ()
        self._heard: list[str] = []
        self._working = 0
        self._set_anew = threading.Event()

    def agent(self, tools: Toolset) -> Any:
        def agent(messages: Sequence[Message], recovery_note: str | None) -> Any:
            self._heard += [messages[-1].text, recovery_note or ""]
            self._working += 1
            try:
                return self._run()
            finally:
                self._working -= 1

        return agent

    def will(self, *steps: Step) -> str:
        self._steps = steps
        self._set_anew.set()  # A thread that hangs is let go: nothing else ends it.
        self._set_anew = threading.Event()
        return GO

    def heard(self) -> str:
        return "\n".join(self._heard)

    async def at_work(self) -> bool:
        return self._working > 0

    def _run(self) -> Any:
        said = ""
        for step in self._steps:
            match step:
                case Say(text):
                    said += text
                case Hang():
                    self._set_anew.wait()
                case Die():
                    raise BrokenDownError
                case Exit():
                    sys.exit(3)
                case Garbage():
                    return object()
                case EndWithoutFinish():
                    return Conclusion(said, None)
                case _:
                    msg = f"a plain function cannot {step}"
                    raise NotImplementedError(msg)
        return said


ASYNC_LACKS: Lacks = {}
_NO_TURN = "it is given messages, and no turn"
_THREAD = "a thread goes on until its function returns; what that returns is not heard"
PLAIN_LACKS: Lacks = {
    **dict.fromkeys(
        (
            Property.STREAM,
            Property.TOOLS,
            Property.POLICIES,
            Property.APPROVAL,
            Property.QUESTION,
            Property.USAGE,
        ),
        _NO_TURN,
    ),
    **dict.fromkeys((Property.RESUME, Property.STOP_STREAM, Property.STOP_TOOL, Property.STOP_CHILD), _THREAD),
}


@asynccontextmanager
async def async_function(_: Path) -> AsyncIterator[Counterpart]:
    yield AsyncCounterpart()


@asynccontextmanager
async def plain_function(_: Path) -> AsyncIterator[Counterpart]:
    yield PlainCounterpart()
