"""A model behind OpenAI's API, whose server is told what the model says and how its streams break."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient, Limits
from llmock.scenarios import Behavior, Reply, StreamFault, StreamFaultKind, ToolCall
from llmock.simulation import estimate_tokens
from llmock.streaming import text_pieces
from llmock.testing import LLMockServer
from tests.platforms.agents.conformance.counterpart import (
    AskUser,
    CallTool,
    Counterpart,
    Die,
    EndWithoutFinish,
    Garbage,
    Hang,
    Lacks,
    Property,
    Say,
    Spend,
    Step,
)

from greenroom.platforms.agents.openai import OpenAIAgent, OpenAISettings
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.work import STREAMS_MAX
from greenroom.platforms.agents.tools.tool import Toolset

MODEL_LACKS: Lacks = {Property.EXIT: "nothing of a model runs in greenroom's process"}

CHARS_A_TOKEN = 4
"""As its server counts."""

STALL_S = 60.0
FAULTS: dict[type[Step], StreamFaultKind] = {
    Hang: "stall",
    Die: "disconnect",
    Garbage: "malformed",
    EndWithoutFinish: "truncate",
}


class ModelCounterpart(Counterpart):
    """See `Counterpart`. Each answer is queued, up to the next call; a new agent begins with the first."""

    def __init__(self, server: LLMockServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._steps: tuple[Step, ...] = ()

    def agent(self, tools: Toolset) -> Any:
        self._queue()
        return agent_of(self._server, self._folder, tools)

    def will(self, *steps: Step) -> str:
        self._steps = steps
        self._queue()
        return next((asking(step.tokens, steps) for step in steps if isinstance(step, Spend)), "go")

    def heard(self) -> str:
        records = self._server.state.journal.records()
        return "\n".join(json.dumps(record.body["messages"], ensure_ascii=False) for record in records)

    async def at_work(self) -> bool:
        return self._server.state.journal.in_flight > 0

    def _queue(self) -> None:
        self._server.state.scenarios.clear()
        self._server.state.scenarios.add(*answers(self._steps))


def agent_of(server: LLMockServer, folder: Path, tools: Toolset) -> OpenAIAgent:
    """Make an agent that may be killed: it keeps no connection that is idle, which nobody would close."""
    settings = OpenAISettings(model="m1", base_url=server.base_url())
    return OpenAIAgent(
        settings, folder, tools, Provider(settings, AsyncClient(limits=Limits(max_keepalive_connections=0)))
    )


def answers(steps: Sequence[Step]) -> Iterator[Behavior]:
    """What the server does at each request."""
    text = ""
    for step in steps:
        match step:
            case Say(words):
                text += words
            case CallTool(name, args):
                yield Reply(text, (ToolCall(name, dict(args)),))
                text = ""
            case AskUser(prompt, choices):
                yield Reply(text, (ToolCall("ask_user", {"question": prompt, "choices": list(choices)}),))
                text = ""
            case Hang() | Die() | Garbage() | EndWithoutFinish():
                yield Reply(text or "Never said.", times=STREAMS_MAX)
                heard = 1 + len(text_pieces(text)) if text else 0
                yield StreamFault(FAULTS[type(step)], heard, STALL_S, times=STREAMS_MAX)
                return
            case _:
                pass
    yield Reply(text)


def asking(tokens: int, steps: Sequence[Step]) -> str:
    """Words that cost so much, with their answer."""
    answer = estimate_tokens("".join(step.text for step in steps if isinstance(step, Say)))
    return "x" * (tokens - answer) * CHARS_A_TOKEN


@asynccontextmanager
async def model(folder: Path) -> AsyncIterator[Counterpart]:
    with LLMockServer() as server:
        yield ModelCounterpart(server, folder)
