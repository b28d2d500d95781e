"""A model in a simulated house: virtual time and a simulated disk on this side, a real server at the other end.

The wire blocks: while it is used no virtual time passes, so that a story has one end, wherever its process dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from llmock.scenarios import Reply, ToolCall
from llmock.testing import LLMockServer

from greenroom import Policy
from greenroom.actors.model import Role, ToolPolicy
from greenroom.actors.ports import Conclusion, Turn
from greenroom.platforms.agents.openai import OpenAIAgent, OpenAISettings
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.tools.tool import Tool
from greenroom.supervisor.sandbox.scenario import Scenario
from greenroom.supervisor.sandbox.scripts import Script

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.world import World

NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
WORK_S = 0.2
"""Virtual seconds before and after the effect of a tool."""


EVENT_S = 0.01
"""Virtual seconds between two events of a stream."""


class BlockingWire(httpx2.AsyncBaseTransport):
    """Speaks HTTP for real, and blocks."""

    def __init__(self) -> None:
        self._inner = httpx2.HTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = httpx2.Request(request.method, request.url, headers=request.headers, content=await request.aread())
        answer = self._inner.handle_request(sent)
        answer.read()
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=Whole(answer.content))

    def close(self) -> None:
        self._inner.close()


class Whole(httpx2.AsyncByteStream):
    """What was read already, given event by event."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        *events, end, _ = self._content.split(b"\n\n")
        for event in events:
            await asyncio.sleep(EVENT_S)
            yield event + b"\n\n"
        yield end + b"\n\n"  # At once: the library reads to the end beside us, and nobody kills it there.


class WorldTools:
    """A tool for each of three policies, whose effects the simulated world counts."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def offer(self) -> Sequence[Tool]:
        return [
            Tool(policy.value, f"Does it under {policy.value}.", NAME, policy, self._make(policy))
            for policy in (ToolPolicy.PURE, ToolPolicy.KEYED, ToolPolicy.ONCE)
        ]

    async def close(self) -> None:
        pass

    def _make(self, policy: ToolPolicy) -> Any:
        async def work(turn: Turn, name: str) -> str:
            return await self._work(turn, policy, name, None)

        async def work_under(turn: Turn, name: str, idempotency_key: str) -> str:
            return await self._work(turn, policy, name, idempotency_key)

        return work_under if policy is ToolPolicy.KEYED else work

    async def _work(self, turn: Turn, policy: ToolPolicy, name: str, key: str | None) -> str:
        await asyncio.sleep(WORK_S)
        effect = (str(turn.session), policy.value, name)
        keys = self._world.keys.setdefault(effect, set())
        if key is None or key not in keys:
            self._world.effects[effect] += 1
            keys.add(key or "")
        await asyncio.sleep(WORK_S)
        return f"{policy.value} of {name} done"


class ScriptedModel:
    """What the model says in each run: calls first, then the answer.

    One that `looks` goes on from the calls that it is shown; one that does not makes all its calls again.
    """

    def __init__(
        self, server: LLMockServer, steps_of: Callable[[str], Iterable[Reply]] | None = None, *, looks: bool
    ) -> None:
        self._scenarios, self._looks = server.state.scenarios, looks
        self._steps_of = steps_of or said_of

    async def prepare(self, turn: Turn) -> None:
        """Have the server say what belongs to this run."""
        names = [message.text.split()[0] for message in turn.new]
        rows = [row for row in await turn.messages() if row.seq >= turn.new[0].seq]
        results = sum(row.role is Role.TOOL and not row.text.startswith("[") for row in rows) if self._looks else 0
        steps = [reply for name in names for reply in self._steps_of(name)]
        done = 0
        while done < len(steps) and results >= len(steps[done].tool_calls):
            results -= len(steps[done].tool_calls)
            done += 1
        self._scenarios.clear()
        self._scenarios.add(*steps[done:], Reply(" ".join(f"All of it <{name}>." for name in names)))


class ModelInTheWorld:
    """The agent of a simulated house."""

    def __init__(self, world: World, server: LLMockServer, wire: BlockingWire, *, looks: bool) -> None:
        self._model = ScriptedModel(server, looks=looks)
        settings = OpenAISettings(model="m1", base_url=server.base_url(), ask_user=False)
        provider = Provider(settings, httpx2.AsyncClient(transport=wire))
        self._agent = OpenAIAgent(settings, Path("/nowhere"), WorldTools(world), provider)

    async def __call__(self, turn: Turn) -> Conclusion:
        await self._model.prepare(turn)
        return await self._agent(turn)


def said_of(name: str) -> Iterator[Reply]:
    """Two calls at once, one that must not be made twice, and the answer."""
    both = tuple(ToolCall(policy.value, {"name": name}) for policy in (ToolPolicy.PURE, ToolPolicy.KEYED))
    yield Reply("Looking.", both)
    yield Reply("Paying.", (ToolCall(ToolPolicy.ONCE.value, {"name": name}),))


@dataclass(frozen=True, slots=True)
class ModelScript(Script):
    """A story of a model."""

    server: Any = None
    wire: Any = None
    looks: bool = False

    def make(self, seed: int = 1) -> Scenario:
        policy = Policy(attempts_max=100, unclean_boots_max=100, drain_s=2.0, transcript_window=1000)
        room = Scenario(policy=policy, platforms=[self.delivery], seed=seed)
        room.agent = ModelInTheWorld(room.world, self.server, self.wire, looks=self.looks)
        return room
