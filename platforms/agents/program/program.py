"""An agent that is a program of its own, in any language: one process for each turn, that speaks lines of JSON.

A process a turn, and none that lives between turns: what a conversation is made of is in the turn, what was done is in
the ledger, so that a program need remember nothing; one that leaks, hangs or dies does so to one turn; and stopping a
turn is ending its process. A program whose start takes long leaves the slow part to a server that it asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from greenroom.actors.ports import Conclusion, Turn
from greenroom.platforms.agents.program.codec import (
    LINE_MAX,
    GarbageError,
    Offered,
    TurnLine,
    rows,
    write_line,
)
from greenroom.platforms.agents.program.conversation import Conversation
from greenroom.platforms.agents.program.settings import ProgramSettings
from greenroom.platforms.agents.tools.tool import Tool, Toolset
from greenroom.platforms.processes.child import ChildProgram, Program, start_child

logger = logging.getLogger("greenroom.program")

STOP_S = 0.5
"""How long a program that is stopped may take to end by itself, before its group is ended."""

LEAVE_S = 1.0
"""How long a program that has concluded may take to leave, before it is stopped."""


class ProgramEndedError(Exception):
    """The program ended, and had not concluded."""


class ProgramAgent:
    """Keeps nothing between turns."""

    def __init__(self, settings: ProgramSettings, tools: Toolset) -> None:
        """Nothing is started yet."""
        self._settings = settings
        self._tools = tools

    async def __call__(self, turn: Turn) -> Conclusion:
        """Let one process answer. Raises ProgramEndedError, CannotStartError, and what `listen` raises."""
        tools = await self._tools.offer()
        line = write_line(await self._describe(turn, tools))
        child = await start_child(self._program())
        talk = Conversation(turn, tools, lambda said: _tell(child, write_line(said)))
        telling = asyncio.ensure_future(_tell(child, line))  # A program may answer without having heard all of it.
        try:
            conclusion = await talk.listen(lambda: _hear(child))
            if conclusion is None:
                return await _judge_end(child)
            await _await_leave(child)
            return conclusion
        finally:
            telling.cancel()
            await child.end()

    def _program(self) -> Program:
        settings = self._settings
        return Program(
            name=settings.command[0],
            command=settings.command,
            cwd=settings.cwd,
            env={name: secret.get_secret_value() for name, secret in settings.env.items()},
            line_max=LINE_MAX,
            end_s=STOP_S,
        )

    async def _describe(self, turn: Turn, tools: Sequence[Tool]) -> TurnLine:
        return TurnLine(
            text=turn.text,
            session=str(turn.session),
            attempt=turn.attempt,
            recovery_note=turn.recovery_note,
            new=rows(turn.new),
            news=rows(turn.news),
            transcript=rows(await turn.messages(self._settings.transcript)),
            tools=[Offered(tool.name, tool.says, tool.parameters) for tool in tools],
        )


async def _hear(child: ChildProgram) -> bytes | None:
    """The next line, also one that the end cut short; None when there will be no more. Raises GarbageError."""
    try:
        return await child.stdout.readline() or None
    except ValueError as error:
        msg = f"a line of more than {LINE_MAX:,} bytes"
        raise GarbageError(msg) from error


async def _tell(child: ChildProgram, line: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # It listens no more; what it says, or how it ends, tells the rest.
        child.stdin.write(line)
        await child.stdin.drain()


async def _judge_end(child: ChildProgram) -> Conclusion:
    """Say what it means that a program says no more and has not concluded: what it said is cut short, at best."""
    code = await child.wait()
    if code != 0:
        msg = f"exit code {code}; the end of its standard error: {child.last_words!r}"
        raise ProgramEndedError(msg)
    logger.warning("%d ended without an answer", child.pid)
    return Conclusion("", finish=None)


async def _await_leave(child: ChildProgram) -> None:
    child.stdin.close()
    leaving = asyncio.ensure_future(child.wait())
    await asyncio.wait((leaving,), timeout=LEAVE_S)
    leaving.cancel()
