"""Tools with typed arguments: the schema that a model is shown, and what is checked of a call, are one declaration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.tools.tool import TOOL_TIMEOUT_S, Tool


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of a tool; a field's `Meta(description=...)` is what a model reads of it."""


A = TypeVar("A", bound=Args)


def typed_tool(
    fn: Callable[[Turn, A], Awaitable[Any]],
    args: type[A],
    policy: ToolPolicy,
    *,
    approve: bool,
    timeout_s: float = TOOL_TIMEOUT_S,
) -> Tool:
    """Make a tool of a function: it is named as the function is, and says the first lines of its docstring.

    Arguments that do not fit are told to the model, and the function is not called.
    """

    async def call(turn: Turn, **given: Any) -> Any:
        return await fn(turn, msgspec.convert(given, args))

    says = " ".join((fn.__doc__ or "").split())
    return Tool(fn.__name__, says, schema_of(args), policy, call, approve=approve, timeout_s=timeout_s)


@cache
def schema_of(args: type[Args]) -> Mapping[str, Any]:
    """The JSON schema of an object with these fields."""
    schema: dict[str, Any] = msgspec.json.schema(args)["$defs"][args.__name__]
    return {name: value for name, value in schema.items() if name not in {"title", "description"}}


class Kit:
    """A `Toolset` that never changes, and keeps nothing open."""

    def __init__(self, *tools: Tool) -> None:
        """In the order in which they are offered."""
        self._tools = tools

    async def offer(self) -> Sequence[Tool]:
        """See `Toolset.offer`."""
        return self._tools

    async def close(self) -> None:
        """There is nothing to close."""
