"""The tools that the suite gives to every agent. Their effects are counted outside of any process under test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from greenroom.actors.births import is_alive, read_birth
from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.tools.tool import Tool

NO_ARGS = {"type": "object", "properties": {}, "additionalProperties": False}
GUARDED = "guarded"
"""The tool that needs a yes."""

CHILD = "child"
"""The tool that has a process work for it, for very long."""

LOOK_S = 0.01
DONE = "the work is done"
"""What every tool says when it is through."""


class Workshop:
    """A `Toolset`: a tool for each policy, by its name, and the two above. It outlives restarts."""

    def __init__(self) -> None:
        self.effects: list[tuple[str, str]] = []
        """Name and key of each call, from when it took effect."""
        self.children: list[tuple[int, str | None]] = []
        """Number and birth of each process that was begun."""
        self.inside = 0
        """Calls that go on."""
        self._held = False
        self._lock = threading.Lock()

    def hold(self) -> None:
        """Let every call from now on stop for good right after its effect."""
        self._held = True

    def release(self) -> None:
        """Let later calls through."""
        self._held = False

    def count(self, name: str) -> int:
        """How often a tool took effect."""
        return sum(each == name for each, _ in self.effects)

    def at_work(self) -> bool:
        """Whether a call goes on, or a process that one began."""
        return self.inside > 0 or any(is_alive(*each) for each in self.children)

    async def offer(self) -> Sequence[Tool]:
        by_policy = [self._tool(policy.value, policy) for policy in ToolPolicy]
        guarded = self._tool(GUARDED, ToolPolicy.ONCE, approve=True)
        child = Tool(CHILD, "Has a process work.", NO_ARGS, ToolPolicy.PURE, self._have_child_work)
        return (*by_policy, guarded, child)

    async def close(self) -> None:
        pass

    def _tool(self, name: str, policy: ToolPolicy, *, approve: bool = False) -> Tool:
        async def work(_: Turn) -> str:
            return await self._work(name, "")

        async def work_under(_: Turn, idempotency_key: str) -> str:
            return await self._work(name, idempotency_key)

        fn = work_under if policy is ToolPolicy.KEYED else work
        return Tool(name, f"Does the work under the policy {policy.value}.", NO_ARGS, policy, fn, approve=approve)

    async def _work(self, name: str, key: str) -> str:
        with self._lock:
            self.inside += 1
        try:
            self.effects.append((name, key))
            if self._held:
                await asyncio.Event().wait()
            return DONE
        finally:
            with self._lock:
                self.inside -= 1

    async def _have_child_work(self, turn: Turn) -> str:
        process = await turn.spawn("echo $$; sleep 300 & echo $!; wait")
        while len(numbers := (await process.poll()).output.split()) < 2:  # noqa: ASYNC110 - a process rings no bell
            await asyncio.sleep(LOOK_S)
        self.children += [(int(number), read_birth(int(number))) for number in numbers]
        await process.wait()
        return DONE
