"""Messages of the protocol over a child's standard streams, one a line, with limits on what is taken for one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from greenroom.platforms.agents.acp.narrator import HEARD
from greenroom.platforms.processes.child import ChildProgram

logger = logging.getLogger("greenroom.agent.acp")

STRAY_MAX = 100
"""Lines that are no messages which an agent may say in its life: some log to their standard output."""

STRAY_SHOWN_MAX = 200
"""Characters of such a line in the log."""

OPEN_MAX = 100
"""Requests of an agent that may wait at the same time: for a person, or for the agent to read their answers."""


class Broken(StrEnum):
    """Why nothing more is taken from a child that still speaks."""

    OVERSIZE = "it sent a message that is too long"
    GARBAGE = "what it sends is not the Agent Client Protocol"
    CROWD = f"it asks for more than {OPEN_MAX} things at once, or does not read the answers"


class ChildWire:
    """`acp`'s Transport. It ends when the child has nothing more to say, or must not."""

    def __init__(self, child: ChildProgram, at_work: Callable[[], int]) -> None:
        """Nothing was heard yet. `at_work` counts the prompts that are under way."""
        self._child, self._at_work = child, at_work
        self._stray = 0
        self._open = 0
        self._writing = asyncio.Lock()
        self.broken: Broken | None = None
        self.blames_one = False
        """Whether what broke it can only have come of one prompt."""
        self.over = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        """Tell the child. Raises ConnectionError if it cannot be told."""
        if self.over.is_set() or self._child.ended:
            raise ConnectionResetError("the agent has ended")
        self._child.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        async with self._writing:
            await self._child.stdin.drain()
        if "method" not in message:
            self._open -= 1

    async def receive(self) -> dict[str, Any] | None:
        """The next message that somebody here must read; None: there will be none."""
        while True:
            message = await self._next()
            if message is None or not (_is_idle_talk(message) or await self._is_one_too_many(message)):
                return message

    async def close(self) -> None:
        """Take nothing more."""
        self.over.set()

    async def _next(self) -> dict[str, Any] | None:
        while not self.over.is_set():
            try:
                line = await self._child.stdout.readline()
            except ValueError:
                self._break(Broken.OVERSIZE)
                break
            if not line.endswith(b"\n"):  # It has ended, in the middle of a line or not.
                break
            if (message := _read(line)) is not None:
                return message
            if line.strip() and not self._bears(line):
                self._break(Broken.GARBAGE)
        self.over.set()
        return None

    async def _is_one_too_many(self, message: dict[str, Any]) -> bool:
        if "method" not in message or "id" not in message:
            return False
        await asyncio.sleep(0)  # What can be answered at once is no longer open then, however many come in one piece.
        self._open += 1
        if self._open > OPEN_MAX:
            self._break(Broken.CROWD)
        return self._open > OPEN_MAX

    def _bears(self, line: bytes) -> bool:
        self._stray += 1
        logger.warning("the agent said what is no message: %r", line[:STRAY_SHOWN_MAX])
        return self._stray <= STRAY_MAX

    def _break(self, why: Broken) -> None:
        self.broken, self.blames_one = why, self._at_work() <= 1
        self.over.set()


def _read(line: bytes) -> dict[str, Any] | None:
    """A request, a notification, or an answer to one of ours; the library bears nothing else."""
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    match message:
        case {"method": str()}:
            return dict(message)
        case {"id": int(), "result": _} | {"id": int(), "error": {}}:
            return dict(message)
        case _:
            return None


def _is_idle_talk(message: dict[str, Any]) -> bool:
    """Whether it is an update of a kind that nothing is made of."""
    match message:
        case {"method": "session/update", "params": {"update": {"sessionUpdate": str(kind)}}}:
            return kind not in HEARD
        case _:
            return False
