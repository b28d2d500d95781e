"""A storm on the real daemon: people write, the process is killed, frozen and stopped, and the promises are checked.

Nothing in here is simulated but the people: it is `greenroom up`, a process of its own, on a real file and a real port.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path

import httpx

from greenroom.supervisor.sandbox.storm_blows import Blows, end_in_order
from greenroom.supervisor.sandbox.storm_chat import Chat
from greenroom.supervisor.sandbox.storm_checks import (
    check_chat,
    check_explained,
    check_ledger,
    check_store,
    count_resumes,
)
from greenroom.supervisor.sandbox.storm_daemon import Daemon, NotReadyError, free_port, living
from greenroom.supervisor.sandbox.storm_people import Person, Visitor, watched
from greenroom.supervisor.sandbox.storm_server import Guest
from greenroom.supervisor.sandbox.storm_servers import Server, make_server
from greenroom.supervisor.sandbox.storm_talk import SIMPLE, STARTED, Line, Ways, draw_lines
from greenroom.supervisor.sandbox.storm_tally import Plan, Tally

# Safe mode and the attempt limit are for real crash loops; this is one, and meant.
CONFIG = """[policy]
allow = ['*']
unclean_boots_max = 1000000
attempts_max = 1000000
drain_s = 3
"""
LEDGER = "ledger.txt"
ANSWER_S = 120.0
"""How long all answers may take when nothing happens to the daemon any more."""

LIFE_S = 8.0
"""How long a daemon lives at most between two blows; most live much shorter."""

QUIET_S = 2.0
"""How long at most is listened whether a chat stays silent."""

VISITORS = Ways(orders=True, buttons=True)
GUESTS = Ways(orders=True, anew=True)
"""Who looks only now and then would miss what an old conversation said last: nobody begins anew on the page."""

REDELIVERED = 1 / 7
PATIENT = 1 / 10
"""How often a person waits for all answers before the next message."""

PAUSE_S = 1.5
TOLD_EVERY_S = 0.5


class Storm:
    """One storm in one folder, which holds its evidence afterwards."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        tell: Callable[[Tally], None] = lambda _: None,
        server: Server | None = None,
    ) -> None:
        """Prepare. `tell` hears the tally again and again. On a `server` that is given are all chats."""
        self.tally = Tally()
        self._plan, self._folder, self._tell = plan, folder, tell
        self._rng = random.Random(plan.seed)
        self._daemon = Daemon(folder, free_port(), extra=CONFIG)
        self._all_there = server is not None
        self._server = server or (None if plan.server is None else make_server(plan.server, folder))
        if self._server is not None:
            self._daemon.extra += self._server.toml
            self._daemon.env = self._server.offer_platform()
        self._numbers = count(1)
        self._calm = False

    async def run(self) -> Tally:
        """Let it rage, let it calm down, and check. Raises NotReadyError if not even the first daemon comes up."""
        chats: list[Chat] = []
        async with AsyncExitStack() as stack:
            if self._server is not None:
                stack.push_async_callback(self._server.kill)
                await self._server.start()
            await stack.enter_async_context(living(self._daemon))
            rooms = [self._open_chat(number) for number in range(self._plan.chats)]
            chats.extend([await stack.enter_async_context(room) for room in rooms])
            telling = asyncio.create_task(self._keep_telling())
            try:
                await self._rage(chats)
                await self._calm_down(chats)
            except NotReadyError as error:
                self.tally.violations.append(f"after {self.tally.kills} kills: {error}")
            finally:
                telling.cancel()
        self._check(chats)
        self._keep(chats)
        return self.tally

    @asynccontextmanager
    async def _open_chat(self, number: int) -> AsyncIterator[Chat]:
        if self._server is not None and (self._all_there or number % 2):
            key, guest = self._server.guest(number)
            yield Chat(key, guest, GUESTS if isinstance(guest, Guest) else SIMPLE)
            return
        person = Person(self._daemon.address, f"chat{number}")
        async with watched(person), httpx.AsyncClient(timeout=5.0) as client:
            yield Chat(f"web:local:{person.chat}", Visitor(person, client), VISITORS)

    async def _keep_telling(self) -> None:
        while True:
            self._tell(self.tally)
            await asyncio.sleep(TOLD_EVERY_S)

    # -- while it lasts --------------------------------------------------------------------------------------------

    async def _rage(self, chats: list[Chat]) -> None:
        """Strike until all that was planned has happened, or something is wrong."""
        plan, tally, loop = self._plan, self.tally, asyncio.get_running_loop()
        blows, ends_at = Blows(self._daemon, self._server, tally, self._rng), loop.time() + plan.seconds
        talking = [asyncio.create_task(self._talk(chat, random.Random(self._rng.random()))) for chat in chats]
        try:
            while not tally.violations and (
                loop.time() < ends_at or tally.kills < plan.kills_min or tally.messages < plan.messages_min
            ):
                await asyncio.sleep(self._rng.random() ** 3 * LIFE_S)
                await blows.strike()
            self._calm = True
            await asyncio.gather(*talking)
        finally:
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking, return_exceptions=True)

    async def _talk(self, chat: Chat, rng: random.Random) -> None:
        """One person's messages, one after the other; some twice, most before the last one is answered."""
        while not self._calm:
            lines = draw_lines(rng, next(self._numbers), chat.ways)
            if any(line.may_be_cut for line in lines):
                await self._settle(chat)  # So that nothing else is cut.
            for line in lines:
                if self.tally.violations:
                    return  # What comes now would be waited for in vain, perhaps.
                await self._say(chat, line, again=rng.random() < REDELIVERED)
                if line.hushes:
                    await self._hush(chat, rng.random() * QUIET_S)
                elif line.asks:
                    await self._answered(chat)  # Who is asked replies, also when the storm is over.
            if rng.random() < PATIENT:
                await self._wait(chat)
            await asyncio.sleep(rng.random() * PAUSE_S)

    async def _say(self, chat: Chat, line: Line, *, again: bool) -> None:
        chat.said.append(line)
        await chat.say(line)
        self._count(line)
        if again:
            self.tally.redelivered += 1
            if not await chat.say(line):
                self.tally.violations.append(f"{chat.key}: {line.id} came again and was taken for new")

    def _count(self, line: Line) -> None:
        self.tally.messages += 1
        self.tally.questions += line.asks
        self.tally.presses += bool(line.presses)
        self.tally.orders += line.is_order
        self.tally.processes += line.label == STARTED

    async def _wait(self, chat: Chat) -> None:
        """Wait until all is answered, or the storm is over: while it rages, no answer is late."""
        with suppress(TimeoutError):
            await chat.hold(chat.is_answered, self._rages, 0.0)

    async def _hush(self, chat: Chat, seconds: float) -> None:
        """All that is to come has come, and until somebody speaks there is nothing more."""
        await self._settle(chat)
        if (said := await chat.listen(seconds)) is not None:
            self.tally.violations.append(said)
        self.tally.silences += 1

    async def _settle(self, chat: Chat) -> None:
        """Wait until nothing is owed; the growing words of a last answer are not taken for the answer."""
        try:
            await chat.hold(
                lambda: self._daemon.is_serving and chat.is_told(self._daemon.database), self._rages, ANSWER_S
            )
        except TimeoutError:
            self.tally.violations.append(f"{chat.key}: not all is done and visible after {ANSWER_S:.0f} s")
        chat.settle()

    def _rages(self) -> bool:
        return not self._calm

    # -- afterwards ------------------------------------------------------------------------------------------------

    async def _calm_down(self, chats: list[Chat]) -> None:
        """Nothing happens to it any more: all is answered, each resume can be explained, and it ends in order."""
        await asyncio.gather(*map(self._answered, chats))
        if not self.tally.violations:
            await asyncio.gather(*map(self._settle, chats))
        resumes = count_resumes(self._daemon.database)
        self.tally.resumes = sum(resumes.values())
        self.tally.violations += await check_explained(self._daemon, resumes)
        self.tally.violations += await end_in_order(self._daemon)

    async def _answered(self, chat: Chat) -> None:
        """Wait as long as it rages, and then for a while."""
        try:
            await chat.hold(chat.is_answered, self._rages, ANSWER_S)
        except TimeoutError:
            self.tally.violations.append(f"{chat.key}: not all of {len(chat.said)} is answered in {ANSWER_S:.0f} s")

    def _check(self, chats: list[Chat]) -> None:
        violations, ledger = self.tally.violations, self._folder / LEDGER
        for chat in chats:
            violations += check_chat(chat.key, chat.said, chat.writer.answers)
            violations += check_ledger(ledger, chat.said, chat.writer.answers)
        violations += check_store(
            self._daemon.database, {chat.key: (chat.said, chat.writer.answers) for chat in chats if chat.said}
        )

    def _keep(self, chats: list[Chat]) -> None:
        """Leave beside the database and the logs what was said and seen."""
        seen = [
            {
                "key": chat.key,
                "said": [asdict(line) for line in chat.said],
                "answers": chat.writer.answers,
                "visible": chat.writer.visible,
            }
            for chat in chats
        ]
        kept = {"plan": asdict(self._plan), "tally": asdict(self.tally), "chats": seen}
        (self._folder / "storm.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")
