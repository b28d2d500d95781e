"""A server's tools as a set of ours: listed for each run, called under their policies, whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp_types
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.mcp.reading import (
    is_too_long,
    name_of,
    parameters_of,
    policy_of,
    says_of,
    text_of,
    warning_of,
)
from greenroom.platforms.agents.mcp.server import DownError, Server, describe
from greenroom.platforms.agents.mcp.settings import McpSettings
from greenroom.platforms.agents.mcp.wires import connected
from greenroom.platforms.agents.tools.calling import IN_DOUBT
from greenroom.platforms.agents.tools.tool import Tool
from greenroom.platforms.chats.backoff import Backoff

logger = logging.getLogger("greenroom.mcp")

TOOLS_MAX = 500
"""Tools of one server that are offered."""

PAGES_MAX = 50
LIST_S = 10.0
"""How long a server may take to list its tools, before those it listed last are offered."""

MARGIN_S = 5.0
"""How much longer a call may take than its server: it is told what happened, not only that it took too long."""

BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 60.0
ENDED = frozenset({mcp_types.CONNECTION_CLOSED})
FORGOTTEN = "Session terminated"
"""What is said of a session that the server does not know (any more): nothing was called."""

HARMLESS = "It may be called again."


class CallError(Exception):
    """A call that did not work. The message is for a model."""


def make(settings: McpSettings, _folder: Path, name: str) -> McpTools:
    """Offer the tools of the server that is called `name`. Nothing is started before the first run."""
    backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_MAX_S)
    connect = partial(connected, name, settings)
    return McpTools(name, settings, Server(name, connect, start_s=settings.start_s, backoff=backoff))


class McpTools:
    """See `Toolset`."""

    def __init__(self, name: str, settings: McpSettings, server: Server) -> None:
        """Nothing is known of the server yet."""
        self._name, self._settings, self._server = name, settings, server
        self._offered: tuple[Tool, ...] = ()
        self._warnings: frozenset[str] = frozenset()

    async def offer(self) -> Sequence[Tool]:
        """See `Toolset.offer`. While the server is down it is what it offered last: a call says that it is down."""
        try:
            client = await self._server.client()
            async with asyncio.timeout(LIST_S):
                found = await _list(client)
        except DownError:
            return self._offered
        except Exception as error:  # Invariant: a server that cannot list its tools ends no run.
            logger.warning("mcp.%s does not list its tools: %s", self._name, describe(error))
            return self._offered
        self._server.worked()
        wanted = [each for each in found if not self._settings.only or each.name in self._settings.only]
        self._warn(wanted)
        self._offered = tuple(self._tool(each) for each in wanted if not is_too_long(each))
        return self._offered

    async def close(self) -> None:
        """See `Toolset.close`."""
        await self._server.close()

    def _warn(self, wanted: Sequence[mcp_types.Tool]) -> None:
        """Once, and not with each run that is offered them."""
        warnings = frozenset(line for each in wanted if (line := warning_of(each, self._settings)) is not None)
        for line in sorted(warnings - self._warnings):
            logger.warning("mcp.%s: %s", self._name, line)
        self._warnings = warnings

    def _tool(self, found: mcp_types.Tool) -> Tool:
        settings, policy = self._settings, policy_of(found, self._settings)

        async def call(turn: Turn, /, **args: Any) -> str:
            return await self._call(turn, found.name, args, policy)

        return Tool(
            name_of(self._name, found.name, prefix=settings.prefix),
            says_of(found),
            parameters_of(found, policy),
            policy,
            call,
            approve=settings.asks_before(found.name),
            timeout_s=settings.timeout_s + settings.start_s + MARGIN_S,
            result_max=settings.result_max,
        )

    async def _call(self, turn: Turn, tool: str, args: dict[str, Any], policy: ToolPolicy) -> str:
        try:
            result = await self._send(turn, tool, args)
        except MCPError as error:
            raise CallError(self._tell(error, policy)) from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise CallError(self._tell_lost(policy)) from error
        self._server.worked()
        text = text_of(result)
        if result.is_error:
            raise CallError(text)
        return text

    async def _send(self, turn: Turn, tool: str, args: dict[str, Any]) -> mcp_types.CallToolResult:
        """Call it, once more if the server knows nothing of us: it was started anew and has called nothing."""

        async def tell(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - as it is called
            if message:
                await turn.progress(message)

        send = partial(Client.call_tool, name=tool, arguments=args, progress_callback=tell)
        client = await self._server.client()
        try:
            return await send(client, read_timeout_seconds=self._settings.timeout_s)
        except MCPError as error:
            if error.message != FORGOTTEN:
                if error.code in ENDED:
                    self._server.give_up(client)
                raise
        self._server.give_up(client)
        return await send(await self._server.client(), read_timeout_seconds=self._settings.timeout_s)

    def _tell(self, error: MCPError, policy: ToolPolicy) -> str:
        if error.code in ENDED:
            return self._tell_lost(policy)
        if error.code == mcp_types.REQUEST_TIMEOUT:
            return f"{self._name} did not answer within {self._settings.timeout_s:g} s. {_then(policy)}"
        return f"{self._name} refused it: {error.message}"

    def _tell_lost(self, policy: ToolPolicy) -> str:
        return f"{self._name} was lost in the middle of the call, and is started again. {_then(policy)}"


def _then(policy: ToolPolicy) -> str:
    return HARMLESS if policy is ToolPolicy.PURE else IN_DOUBT


async def _list(client: Client) -> list[mcp_types.Tool]:
    found: list[mcp_types.Tool] = []
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None or len(found) >= TOOLS_MAX:
            break
    return found[:TOOLS_MAX]
