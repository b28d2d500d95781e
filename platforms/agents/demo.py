"""The built-in demo agent: no network, simple rules, and one way to try each promise of the supervisor."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import assert_never

from greenroom.actors.keeper import CannotSpawnError
from greenroom.actors.model import Message, ToolPolicy
from greenroom.actors.ports import Agent, ToolFailedError, ToolInDoubtError, Turn
from greenroom.platforms.agents.demo_rules import (
    COUNT_MAX,
    GUESS_FIRST,
    GUESSES_MAX,
    STRIDE,
    AskName,
    Count,
    Deploy,
    Fail,
    Failing,
    LookUp,
    Note,
    PlayGuessing,
    RunSleep,
    Say,
    TellTime,
    Wish,
    WorkSlowly,
    judge_guess,
    read_wishes,
    secret_number,
    shorten,
)
from greenroom.platforms.agents.ledger_file import append_line, count_line

TICK_S = 0.5
"""How long the demo takes for one number, or for one step of its slow tool."""

SLOW_STEPS = 10


class DemoCrashError(Exception):
    """The demo was asked to crash."""


def demo_agent(ledger: Path, *, tick_s: float = TICK_S, now: Callable[[], float] = time.time) -> Agent:
    """Make the demo agent. `ledger` is the file for its notes, in a folder that exists; `now` is what it calls time."""
    return _Demo(ledger, tick_s, now).answer


class _Demo:
    """Keeps nothing between turns: what an interrupted attempt left is in the turn's tool ledger and questions."""

    def __init__(self, ledger: Path, tick_s: float, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._tick_s = tick_s
        self._now = now

    async def answer(self, turn: Turn) -> None:
        """Answer all messages that wait, a paragraph each, in their order; or pass on what processes told."""
        for place, row in enumerate(turn.news):
            await turn.say(("\n\n" if place else "") + row.text.partition("] ")[2])  # Not that this is a note.
        for place, (message, wish) in enumerate(read_wishes(turn.new), len(turn.news)):
            if place and not isinstance(
                wish, AskName | PlayGuessing | Deploy | Fail
            ):  # A question is a paragraph by itself.
                await turn.say("\n\n")
            await self._grant(turn, wish, message)

    async def _grant(self, turn: Turn, wish: Wish, message: Message) -> None:
        match wish:
            case Say(text):
                await turn.say(text)
            case Count():
                await self._count(turn, wish)
            case TellTime():
                await self._tell_time(turn)
            case Note(line):
                await self._note(turn, line)
            case LookUp(line):
                await self._look_up(turn, line)
            case AskName():
                name = await turn.ask_user("What shall I call you?")
                await turn.say(f"Nice to meet you, {shorten(name)}.")
            case PlayGuessing():
                await self._play(turn, secret_number(f"{turn.session} {message.key}"))
            case Deploy(what):
                allowed = await turn.approve(f"Deploy {what}?")
                await turn.say(f"Deployed {what}." if allowed else f"{what} stays as it is.")
            case WorkSlowly():
                await self._work_slowly(turn)
            case RunSleep(seconds):
                await self._run_sleep(turn, seconds)
            case Fail(how):
                await _fail(how)
            case _:
                assert_never(wish)

    async def _count(self, turn: Turn, wish: Count) -> None:
        """Count in strides, each a `pure` tool: a stride that is on disk is said at once, and never counted again."""
        if wish.cut:
            await turn.say(f"I count to {COUNT_MAX} at most: ")
        interrupted = turn.recovery_note is not None
        for first in range(1, wish.upto + 1, STRIDE):
            numbers = range(first, min(first + STRIDE, wish.upto + 1))
            aloud = _Aloud(turn, self._tick_s, interrupted=interrupted)
            args = {"first": numbers[0], "last": numbers[-1]}
            await turn.tool("count", args, policy=ToolPolicy.PURE, fn=aloud.count)
            if aloud.counted:
                interrupted = False
            else:
                await turn.say("".join(f"{n} " for n in numbers))

    async def _tell_time(self, turn: Turn) -> None:
        said = await turn.tool("clock", {}, policy=ToolPolicy.PURE, fn=self._read_clock)
        await turn.say(f"It is {said}.")

    def _read_clock(self) -> str:
        return f"{datetime.fromtimestamp(self._now(), UTC):%H:%M:%S} UTC"

    async def _note(self, turn: Turn, line: str) -> None:
        shown = shorten(line)
        try:
            await turn.tool("note", {"line": line}, policy=ToolPolicy.ONCE, fn=partial(append_line, self._ledger))
        except ToolInDoubtError:
            await turn.say(
                f"In doubt: I was interrupted while I noted {shown!r}. It may be in the ledger or not, and I did not "
                f"note it again. `ledger {shown}` looks it up."
            )
        except (OSError, ToolFailedError) as error:
            await turn.say(f"Not noted: {shown} ({_reason(error)})")
        else:
            await turn.say(f"Noted: {shown}")

    async def _look_up(self, turn: Turn, line: str) -> None:
        try:
            count = await turn.tool(
                "ledger", {"line": line}, policy=ToolPolicy.PURE, fn=partial(count_line, self._ledger)
            )
        except (OSError, ToolFailedError) as error:
            await turn.say(f"The ledger cannot be read ({_reason(error)}).")
        else:
            times = "once" if count == 1 else f"{count} times"
            await turn.say(f"The ledger has {shorten(line)!r} {times}.")

    async def _play(self, turn: Turn, secret: int) -> None:
        question = GUESS_FIRST
        for left in reversed(range(GUESSES_MAX)):
            wrong = judge_guess(await turn.ask_user(question), secret)
            if wrong is None:
                await turn.say(f"Yes, it was {secret}!")
                return
            question = f"{wrong} You have {left} more."
        await turn.say(f"No. It was {secret}.")

    async def _run_sleep(self, turn: Turn, seconds: int) -> None:
        try:
            process = await turn.spawn(["sleep", str(seconds)], notify_on_complete=True)
        except CannotSpawnError as error:
            await turn.say(f"Not started: {error}")
        else:
            await turn.say(f"Started: process {process.id} sleeps {seconds} s in the background.")

    async def _work_slowly(self, turn: Turn) -> None:
        async def work() -> str:
            for step in range(1, SLOW_STEPS + 1):
                await turn.progress(f"step {step} of {SLOW_STEPS}")
                await asyncio.sleep(self._tick_s)
            return "done"

        result = await turn.tool("slow", {}, policy=ToolPolicy.PURE, fn=work)
        await turn.say(f"The slow tool is {result}.")


class _Aloud:
    """Counts a stride; if it is never called, its numbers were counted by an attempt before this one."""

    def __init__(self, turn: Turn, tick_s: float, *, interrupted: bool) -> None:
        self._turn = turn
        self._tick_s = tick_s
        self._interrupted = interrupted
        self.counted = False

    async def count(self, first: int, last: int) -> int:
        self.counted = True
        if self._interrupted:
            await self._turn.say(f"(I was interrupted and go on from {first}) ")
        for number in range(first, last + 1):
            await asyncio.sleep(self._tick_s)
            await self._turn.say(f"{number} ")
        return last


async def _fail(how: Failing) -> None:
    match how:
        case Failing.CRASH:
            raise DemoCrashError("you asked me to crash")
        case Failing.EXIT:
            sys.exit(3)
        case Failing.HANG:
            await asyncio.Event().wait()
        case Failing.EMPTY:
            return
        case _:
            assert_never(how)


def _reason(error: OSError | ToolFailedError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)
