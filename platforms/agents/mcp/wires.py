"""The two ways to a server: a child's standard input and output, and HTTP. Each is opened anew for each connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCMessage, jsonrpc_message_adapter

from greenroom.platforms.agents.bounded import UNPACKED, bounding
from greenroom.platforms.agents.mcp.settings import McpSettings
from greenroom.platforms.processes.child import ChildProgram, Program, start_child

logger = logging.getLogger("greenroom.mcp")

CONNECT_S = 10.0
UNREAD_MAX = 100
"""Lines of one connection that are no messages, such as a greeting."""

Lost = Callable[[], None]
"""Is called when a connection has ended from the other side."""


@asynccontextmanager
async def connected(name: str, settings: McpSettings, lost: Lost) -> AsyncIterator[Client]:
    """Connect to a server, starting it if it is a child. Entered and left by one and the same task.

    Raises CannotStartError, OSError, httpx2.HTTPError, mcp's errors.
    """
    wire = _over_http(settings) if settings.url else _over_pipes(name, settings, lost)
    async with Client(wire, cache=None) as client:
        yield client


@asynccontextmanager
async def _over_http(settings: McpSettings) -> AsyncIterator[Any]:
    headers = UNPACKED | {header: secret.get_secret_value() for header, secret in settings.headers.items()}
    timeout = httpx2.Timeout(CONNECT_S, read=settings.timeout_s)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks={"response": [bounding()]}) as http,
        streamable_http_client(settings.url, http_client=http) as streams,
    ):
        yield streams


@asynccontextmanager
async def _over_pipes(name: str, settings: McpSettings, lost: Lost) -> AsyncIterator[Any]:
    env = {variable: secret.get_secret_value() for variable, secret in settings.env.items()}
    child = await start_child(Program(f"mcp.{name}", settings.command, cwd=settings.cwd, env=env))
    heard_in, heard = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    told, told_out = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = (
        asyncio.create_task(_hear(f"mcp.{name}", child, heard_in, lost), name=f"hearing mcp.{name}"),
        asyncio.create_task(_tell(child, told_out), name=f"telling mcp.{name}"),
    )
    try:
        yield heard, told
    finally:
        heard.close()
        told.close()
        try:
            await child.end()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _hear(
    name: str, child: ChildProgram, heard: MemoryObjectSendStream[SessionMessage | Exception], lost: Lost
) -> None:
    """Pass on what the server says, until it has ended. Of lines that nobody can read a few are passed over."""
    try:
        async with heard:
            unread = 0
            while (line := await child.stdout.readline()) and unread < UNREAD_MAX:
                if (message := _read(line)) is not None:
                    await heard.send(SessionMessage(message))
                else:
                    unread += 1
            if line:
                logger.warning("%s says too much that is no message", name)
    except ValueError:
        logger.warning("%s said a line that is too long", name)
    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
        pass  # Nobody listens any more: we are closing.
    finally:
        lost()


async def _tell(child: ChildProgram, told: MemoryObjectReceiveStream[SessionMessage]) -> None:
    async with told:
        async for message in told:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                child.stdin.write(line.encode() + b"\n")
                await child.stdin.drain()
            except OSError:  # It has ended: whoever hears it says so.
                return


def _read(line: bytes) -> JSONRPCMessage | None:
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        logger.debug("no message: %.200r", line)
        return None
