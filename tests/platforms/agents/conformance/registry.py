"""Which agents the suite runs against. To join: write a counterpart, and add a line to `ENTRIES`."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.platforms.agents.conformance.acp import ACP_LACKS, acp
from tests.platforms.agents.conformance.counterpart import Counterpart, Lacks, Property
from tests.platforms.agents.conformance.demo import DEMO_LACKS, demo
from tests.platforms.agents.conformance.framework import LACKS as FRAMEWORK_LACKS
from tests.platforms.agents.conformance.functions import ASYNC_LACKS, PLAIN_LACKS, async_function, plain_function
from tests.platforms.agents.conformance.model import MODEL_LACKS, model
from tests.platforms.agents.conformance.program import program


@dataclass(frozen=True, slots=True)
class Entry:
    """A counterpart. `opens` is given a folder of its own; what it yields has its other side running.

    At its end nothing of it is left: a process that was killed can end no child of its own.
    """

    opens: Callable[[Path], AbstractAsyncContextManager[Counterpart]]
    lacks: Lacks = field(default_factory=dict)

    def has(self, prop: Property) -> bool:
        """Whether the suite proves it."""
        return prop not in self.lacks


def framework(module: str) -> Entry:
    """One whose framework takes long to import: that is done by the first test that needs it."""

    @asynccontextmanager
    async def opens(folder: Path) -> AsyncIterator[Counterpart]:
        found = importlib.import_module(f"tests.platforms.agents.conformance.{module}")
        async with found.opens(folder) as counterpart:
            yield counterpart

    return Entry(opens, FRAMEWORK_LACKS)


ENTRIES: Mapping[str, Entry] = {
    "async function": Entry(async_function, ASYNC_LACKS),
    "plain function": Entry(plain_function, PLAIN_LACKS),
    "demo": Entry(demo, DEMO_LACKS),
    "openai": Entry(model, MODEL_LACKS),
    "program": Entry(program),
    "acp": Entry(acp, ACP_LACKS),
    "LangGraph": framework("langgraph"),
    "OpenAI Agents": framework("openai_agents"),
    "Pydantic AI": framework("pydantic_ai"),
}
"""By the name that the table shows."""
