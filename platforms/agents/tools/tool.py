"""A tool as a model is shown it, and a set of tools as an agent asks for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from greenroom.actors.model import ToolPolicy
from greenroom.actors.tools import takes_key

logger = logging.getLogger("greenroom.tools")

TOOL_TIMEOUT_S = 120.0
"""How long one call of a tool may take."""

RESULT_MAX = 50_000
"""Characters of a result that a model is given; of more it is given the beginning and the end."""


class Tool(Struct, frozen=True):
    """One thing that a model may call.

    `fn(turn, **args)` does it; it is given `idempotency_key` if it takes one, which it must under the policy `keyed`.
    What it raises the model is told.
    """

    name: str
    says: str  # what the model reads of it
    parameters: Mapping[str, Any]  # the JSON schema of an object
    policy: ToolPolicy
    fn: Callable[..., Awaitable[Any]]
    approve: bool = False
    timeout_s: float = TOOL_TIMEOUT_S
    result_max: int = RESULT_MAX

    def __post_init__(self) -> None:
        """Raise TypeError for a policy that the function cannot keep."""
        if self.policy is ToolPolicy.KEYED and not takes_key(self.fn, by_any_name=True):
            msg = f"tool {self.name}: policy keyed needs a function that takes idempotency_key; or choose once or pure"
            raise TypeError(msg)


class Toolset(Protocol):
    """Where tools come from. Used on the agents' loop only."""

    async def offer(self) -> Sequence[Tool]:
        """Say what can be called now. What cannot be reached offers nothing, and raises nothing."""

    async def close(self) -> None:
        """End what the tools keep open; nothing is called any more."""


class Tools:
    """Several sets as one. A name that is taken already is offered once, by the set that came first."""

    def __init__(self, *sets: Toolset) -> None:
        """Nothing is opened yet."""
        self._sets = sets

    async def offer(self) -> Sequence[Tool]:
        """See `Toolset.offer`."""
        offered: dict[str, Tool] = {}
        for tools in await asyncio.gather(*(each.offer() for each in self._sets)):
            for tool in tools:
                if offered.setdefault(tool.name, tool) is not tool:
                    logger.warning("two tools are called %s; the one of the first table is used", tool.name)
        return tuple(offered.values())

    async def close(self) -> None:
        """See `Toolset.close`; one that fails keeps no other from closing."""
        for failure in await asyncio.gather(*(each.close() for each in self._sets), return_exceptions=True):
            if failure is not None:
                logger.warning("a set of tools did not close: %r", failure)
