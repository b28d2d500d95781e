"""The demo agent: what a person says decides what it does, so that its counterpart is a person who knows its rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.platforms.agents.conformance.counterpart import Counterpart, Die, Exit, Hang, Lacks, Property, Say, Step

from greenroom.platforms.agents.demo import demo_agent
from greenroom.platforms.agents.tools.tool import Toolset

_RULES = "its words, tools and questions are its own, and tried with it in tests/platforms/test_demo.py"
_INSIDE = "it has no other side that could fail so"
DEMO_LACKS: Lacks = {
    **dict.fromkeys(
        (
            Property.STREAM,
            Property.TOOLS,
            Property.POLICIES,
            Property.APPROVAL,
            Property.QUESTION,
            Property.RESUME,
            Property.STOP_STREAM,
            Property.STOP_TOOL,
            Property.STOP_CHILD,
        ),
        _RULES,
    ),
    **dict.fromkeys((Property.UNFINISHED, Property.GARBAGE, Property.OVERSIZE, Property.USAGE), _INSIDE),
}


class DemoCounterpart(Counterpart):
    """See `Counterpart`."""

    def __init__(self, folder: Path) -> None:
        self._ledger = folder / "ledger.txt"

    def agent(self, tools: Toolset) -> Any:
        return demo_agent(self._ledger, tick_s=0.01)

    def will(self, *steps: Step) -> str:
        match steps[-1]:
            case Say(text):
                return text
            case Die():
                return "crash"
            case Exit():
                return "exit"
            case Hang():
                return "hang"
            case step:
                msg = f"the demo cannot {step}"
                raise NotImplementedError(msg)

    def heard(self) -> str:
        return ""

    async def at_work(self) -> bool:
        return False


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[Counterpart]:
    yield DemoCounterpart(folder)
