"""Orders from other processes of the same owner: a socket beside the database, one line of JSON each way.

Only the process that serves the database opens it, so that what is found under its name is a leftover. The file is
readable by its owner alone; whoever may write the database may also give orders.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

logger = logging.getLogger("greenroom.daemon")

PATH_MAX = 100
"""Longest name that the kernel takes for a socket, with some room."""

LINE_MAX = 1_048_576
"""Bytes of one order: a text to be sent may be long."""

HEAR_S = 5.0
"""How long whoever connects may take to say what is wanted."""

Obey = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Carries out an order and says what became of it: with `problem`, nothing did."""


def control_path(database: Path) -> Path:
    """Where orders for the process that serves this database are taken."""
    resolved = database.resolve()
    return resolved.with_name(resolved.name + ".orders")


@contextlib.asynccontextmanager
async def taking_orders(database: Path, obey: Obey) -> AsyncIterator[None]:
    """Take orders within this block; without, where no socket can be made, which costs nothing but them."""
    path = control_path(database)
    try:
        listening = _bind(path)
    except OSError as error:
        logger.warning(
            "orders of other processes (`greenroom release S`, `send S TEXT`) are not taken: %s: %s", path, error
        )
        yield
        return
    server = await asyncio.start_unix_server(partial(_hear, obey), sock=listening, limit=LINE_MAX)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def _bind(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > PATH_MAX:
        msg = f"the name is longer than {PATH_MAX} bytes"
        raise OSError(msg)
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def read_order(line: bytes) -> dict[str, Any] | None:
    """Read an order; None for JSON that is none. Raises ValueError for what is no JSON."""
    try:
        order = json.loads(line)
    except RecursionError:
        raise ValueError("nested deeper than any order") from None
    return order if isinstance(order, dict) else None


async def _hear(obey: Obey, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ValueError, TimeoutError):  # Whoever says nothing sensible hears nothing.
        async with asyncio.timeout(HEAR_S):
            order = read_order(await reader.readline())
        answer = {"problem": "an order is a table"} if order is None else await obey(order)
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    writer.close()
