"""A real supervisor on real files, with one platform before it, that can be killed and built anew."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import apsw
from tests.platforms.conformance.counterpart import Counterpart, Visible
from tests.platforms.conformance.wire import Steps, Wire

from greenroom import Policy, Supervisor, Turn
from greenroom.actors.model import Inbound
from greenroom.actors.ports import Traits
from greenroom.supervisor.sandbox.storm_checks import is_at_rest
from greenroom.supervisor.supervisor import AsyncRoom

WAIT_S = 15.0
LOOK_S = 0.01
"""How often a server is looked at: most are processes of their own, and ring no bell."""

CLOSE_S = 10.0
POLICY = Policy(unclean_boots_max=1_000_000, attempts_max=1_000_000, drain_s=5.0)
PLACEHOLDERS = ("...", "")

Agent = Callable[[Turn], Awaitable[str | None]]


class Gate:
    """What an agent waits at until the test lets it through. Any thread may open it, any loop may wait."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    async def reached(self) -> bool:
        """Whether an agent waits here, or did."""
        return self._reached.is_set()

    def open(self) -> None:
        self._opened.set()

    async def passed(self) -> None:
        self._reached.set()
        async with asyncio.timeout(WAIT_S):
            while not self._opened.is_set():  # noqa: ASYNC110 - it is opened on another thread
                await asyncio.sleep(LOOK_S)


async def echo(turn: Turn) -> str:
    """Say it all again, one line for each message."""
    return "\n".join(f"re: {each.text}" for each in turn.new)


class Stand:
    """The house, as one process after another keeps it."""

    def __init__(self, counterpart: Counterpart, folder: Path, agent: Agent, policy: Policy = POLICY) -> None:
        self.person, self.folder, self._policy = counterpart, folder, policy
        self.wire: Wire | None = None
        self._agent = agent
        self._supervisor: Supervisor | None = None
        self._room: AsyncRoom | None = None

    def make_agent(self) -> Any:
        """What the next process runs."""
        return self._agent

    async def start(self, steps: Steps | None = None) -> AsyncRoom:
        """Begin a process."""
        self._supervisor = Supervisor(self.folder / "bot.db", agent=self.make_agent(), policy=self._policy)
        room = await self._supervisor.__aenter__()
        wire = self.wire = Wire(self.person.platform(room.history), steps or Steps())
        room.attach(wire, hung_up=lambda _: wire.cut)
        self._room = room
        return room

    async def stop(self) -> None:
        """End the process in order."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            await supervisor.__aexit__()

    async def kill(self) -> None:
        """End the process without a word to disk or platform."""
        supervisor, self._supervisor = self._supervisor, None
        assert supervisor is not None
        assert supervisor._core is not None
        assert supervisor._runtime is not None
        await asyncio.to_thread(self._wire().cut_off)
        await asyncio.to_thread(supervisor._core.abandon)
        await asyncio.to_thread(supervisor._runtime.close, CLOSE_S)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for what another process, or another thread, will make true."""
        async with asyncio.timeout(WAIT_S):
            while not await condition():  # noqa: ASYNC110 - most servers ring no bell
                await asyncio.sleep(LOOK_S)

    async def shown(self, chat: str) -> list[Visible]:
        """The bot's messages that say something."""
        return [each for each in await self.person.visible(chat) if each.text not in PLACEHOLDERS]

    async def texts(self, chat: str) -> list[str]:
        return [each.text for each in await self.shown(chat)]

    async def lines(self, chat: str) -> list[str]:
        """What the bot said, line by line: it may answer several messages in one."""
        return [line for text in await self.texts(chat) for line in text.splitlines() if line.strip()]

    @property
    def accepted(self) -> list[Inbound]:
        """What this process has on disk of its platform, and the platform heard so."""
        return self._wire().accepted

    @property
    def traits(self) -> Traits:
        return self._wire().traits

    def refuse(self, *errors: Exception) -> None:
        """Let the door raise these, one at each knock."""
        self._wire().refusals.extend(errors)

    def _wire(self) -> Wire:
        assert self.wire is not None, "nothing was started"
        return self.wire

    async def until_accepted(self, count: int) -> None:
        async def accepted() -> bool:
            return len(self.accepted) >= count

        await self.until(accepted)

    async def until_passed_on(self) -> None:
        """Wait until all that was accepted so far is with the sessions that it is for."""
        assert self._room is not None
        async with asyncio.timeout(WAIT_S):
            await self._room.pulse()

    async def until_turned_away(self, count: int) -> None:
        async def turned_away() -> bool:
            return self.wire is not None and len(self.wire.turned_away) >= count

        await self.until(turned_away)

    async def until_handled(self, count: int) -> None:
        """Wait until so many inbound need nothing more: a run has them, or they were withdrawn."""

        async def handled() -> bool:
            return self.count("SELECT count(*) FROM inbox WHERE generation IS NOT NULL") >= count

        await self.until(handled)

    async def until_visible(self, chat: str, text: str) -> None:
        """Wait until something that the bot shows has these words in it."""

        async def visible() -> bool:
            return any(text in each.text for each in await self.person.visible(chat))

        await self.until(visible)

    async def until_dead(self, count: int) -> None:
        async def dead() -> bool:
            return self.dead_letters() >= count

        await self.until(dead)

    async def until_stopped(self, steps: Steps) -> None:
        """Wait until the wire was stopped, or all went through before it came to that."""

        async def stopped() -> bool:
            return steps.stopped.is_set() or (len(self.accepted) > 0 and self.at_rest())

        await self.until(stopped)

    async def rests(self) -> bool:
        return self.at_rest()

    async def until_said(self, chat: str, *lines: str) -> None:
        """Wait until the bot has said this, and is at rest. Fails if it says anything else."""

        async def at_rest() -> bool:
            return self.at_rest() and len(await self.lines(chat)) >= len(lines)

        try:
            await self.until(at_rest)
        finally:
            said = await self.lines(chat)
            assert said == list(lines), f"it said {said}, and should have said {list(lines)}"

    def at_rest(self) -> bool:
        """Whether all that was stored is worked off, and all that is owed is delivered or given up."""
        return is_at_rest(self.folder / "bot.db")

    def dead_letters(self) -> int:
        """How many deliveries were given up."""
        return self.count("SELECT count(*) FROM dead_letters")

    def count(self, question: str) -> int:
        """Ask the database for a number."""
        with closing(apsw.Connection(str(self.folder / "bot.db"), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            return int(db.execute(question).get)


@asynccontextmanager
async def standing(
    counterpart: Counterpart, folder: Path, agent: Agent = echo, policy: Policy = POLICY
) -> AsyncIterator[Stand]:
    """Keep a house while the block runs; whatever stands at its end is stopped in order."""
    stand = Stand(counterpart, folder, agent, policy)
    try:
        await stand.start()
        yield stand
    finally:
        await stand.stop()
