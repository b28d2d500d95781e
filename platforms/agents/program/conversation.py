"""One turn's talk with a program: what it says is carried out, and what it asks for answered, each in its own time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, assert_never

from greenroom.actors.ports import (
    BudgetExceededError,
    Conclusion,
    ProviderError,
    QuestionTimedOutError,
    QuestionUndeliveredError,
    ToolFailedError,
    ToolInDoubtError,
    Turn,
)
from greenroom.platforms.agents.program.codec import (
    Answer,
    Ask,
    CallTool,
    Did,
    DoLine,
    DoneLine,
    Effect,
    Error,
    Failed,
    GarbageError,
    InDoubtLine,
    Progress,
    ReplyLine,
    ResultLine,
    Say,
    Spent,
    ToProgram,
    UnansweredLine,
    UndoneLine,
    read_line,
    write_json,
)
from greenroom.platforms.agents.tools.calling import use
from greenroom.platforms.agents.tools.tool import Tool

logger = logging.getLogger("greenroom.program")

OPEN_MAX = 100
"""How much a program may have asked for at once, and not been answered."""


class _UndoneError(Exception):
    """The program says that its effect surely did not take place."""


class Conversation:
    """One run's. A program that ends with an effect begun and not reported leaves it in doubt, as a crash would."""

    def __init__(self, turn: Turn, tools: Sequence[Tool], tell: Callable[[ToProgram], Awaitable[None]]) -> None:
        """`tell` says a line to the program; one that listens no more is no error of ours."""
        self._turn = turn
        self._tools = {tool.name: tool for tool in tools}
        self._tell = tell
        self._open: dict[str, asyncio.Task[None]] = {}  # what it asked for, by its ids
        self._doing: dict[str, asyncio.Future[Did | Failed]] = {}  # effects that it was told to do
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def listen(self, hear: Callable[[], Awaitable[bytes | None]]) -> Conclusion | None:
        """Carry out line after line, until the program concludes (its answer) or says no more (None).

        Raises GarbageError, ProviderError, BudgetExceededError.
        """
        reading = asyncio.ensure_future(self._read(hear))
        try:
            await asyncio.wait((reading, self._broken), return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else self._broken.result()
        finally:
            await self._leave(reading)

    async def _read(self, hear: Callable[[], Awaitable[bytes | None]]) -> Conclusion | None:
        while (line := await hear()) is not None:
            if line.strip() and (conclusion := await self._carry_out(line)):
                return conclusion
        return None

    async def _carry_out(self, line: bytes) -> Conclusion | None:
        match read_line(line):
            case Say(text):
                await self._turn.say(text)
            case Progress(text):
                await self._turn.progress(text)
            case Spent(calls, tokens, cost):
                await self._turn.spent(calls=calls, tokens=tokens, cost=cost)
            case Answer(text, finish):
                return Conclusion(text, finish)
            case Error(text, retry_after_s):
                raise ProviderError(text, retry_after_s)
            case CallTool() as call:
                self._begin(call.id, self._call(call))
            case Effect() as effect:
                self._begin(effect.id, self._allow(effect))
            case Ask() as ask:
                self._begin(ask.id, self._ask(ask))
            case Did() | Failed() as word:
                await self._take(word)
            case never:
                assert_never(never)
        return None

    # -- what takes its time -----------------------------------------------------------------------------------------

    def _begin(self, asked: str, work: Coroutine[Any, Any, None]) -> None:
        if asked in self._open or len(self._open) >= OPEN_MAX:
            work.close()
            msg = (
                f"{asked!r} cannot be asked for: give each request an id of its own, and wait before it are {OPEN_MAX}"
            )
            raise GarbageError(msg)
        task = self._open[asked] = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._end(asked, task))

    def _end(self, asked: str, task: asyncio.Task[None]) -> None:
        del self._open[asked]
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _call(self, call: CallTool) -> None:
        tool = self._tools.get(call.name)
        if tool is None:
            await self._tell(ResultLine(call.id, f"there is no tool called {call.name}", failed=True))
            return
        used = await use(self._turn, tool, call.args)
        await self._tell(ResultLine(call.id, used.text, used.failed))

    async def _ask(self, ask: Ask) -> None:
        try:
            reply = await self._turn.ask_user(ask.prompt, ask.choices, ask.timeout_s)
        except (QuestionTimedOutError, QuestionUndeliveredError, ValueError) as error:
            await self._tell(UnansweredLine(ask.id, str(error)))
        else:
            await self._tell(ReplyLine(ask.id, reply))

    async def _allow(self, effect: Effect) -> None:
        told = False

        async def do(*, idempotency_key: str, **_: Any) -> Any:
            nonlocal told
            told = True
            return await self._do(effect.id, idempotency_key)

        try:
            result = await self._turn.tool(effect.name, effect.args, policy=effect.policy, fn=do)
        except BudgetExceededError:
            raise
        except ToolInDoubtError as doubt:
            await self._tell(InDoubtLine(effect.id, str(doubt)))
        except _UndoneError:
            return  # It is the program's own word.
        except (ToolFailedError, TypeError, ValueError) as error:
            if told:
                logger.warning("%s: what came of an effect could not be kept: %s", self._turn.session, error)
            else:
                await self._tell(UndoneLine(effect.id, str(error)))
        else:
            if not told:
                await self._tell(DoneLine(effect.id, write_json(result)))

    async def _do(self, asked: str, key: str) -> Any:
        report = self._doing[asked] = asyncio.get_running_loop().create_future()
        await self._tell(DoLine(asked, key))
        match await report:
            case Did(result):
                return result
            case Failed(text):
                raise _UndoneError(text)
            case never:
                assert_never(never)

    async def _take(self, word: Did | Failed) -> None:
        """Take what came of an effect, and hear nothing more before it is on disk."""
        report = self._doing.pop(word.id, None)
        if report is None:
            msg = f"a report on {word.id!r}: report once, on what you were told to do"
            raise GarbageError(msg)
        report.set_result(word)
        await asyncio.wait((self._open[word.id],))

    async def _leave(self, reading: asyncio.Task[Conclusion | None]) -> None:
        left = (reading, *self._open.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._broken.done():
            self._broken.exception()  # It was heard, or the conclusion came first.
