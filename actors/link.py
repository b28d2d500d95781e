"""What joins a run to its session and to the store: what it reports, what it waits for, what it reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.acts import StartRun, Word
from greenroom.actors.budgets import Excess
from greenroom.actors.events import Event, Listened, SpendingReported
from greenroom.actors.model import Generation, Message, SessionId, SessionKey, Spent, ToolRecord
from greenroom.actors.ports import BudgetExceededError
from greenroom.actors.store import Ledger, LedgerOf, Query, ReadAnswer, ReadFailed

if TYPE_CHECKING:
    from greenroom.actors.house import House
    from greenroom.actors.runtime import Loop, Runtime

READ_AGAIN_S = 1.0
"""How long a question to the store waits that it could not answer: a disk in trouble heals, mostly."""

READ_TRIES_MAX = 60
"""So often it is asked; then the agent hears that the store cannot be read."""


def heed(word: Word) -> None:
    """Raise BudgetExceededError if the word is that a budget is used up."""
    if isinstance(word, Excess):
        raise BudgetExceededError(word.budget, word.most)


class Place(Struct, frozen=True):
    """Where a run happens: its session, and the ways out of the loop."""

    session_id: SessionId
    session: SessionKey
    house: House
    runtime: Runtime
    loop: Loop
    tell: Callable[[Event], None]  # to the session's actor; does nothing once that has gone


class Link:
    """One run's. Used on the agents' loop only."""

    __slots__ = (
        "_awaited",
        "_ledger",
        "_listened",
        "_reading",
        "_reported",
        "generation",
        "over",
        "pen",
        "place",
        "tell",
        "work",
    )

    def __init__(self, place: Place, start: StartRun) -> None:
        """Begin with nothing awaited and nothing read."""
        self.place = place
        self.tell = place.tell
        self.generation: Generation = start.run.generation
        self.work: Generation = start.run.work
        self._awaited: dict[str, asyncio.Future[Word]] = {}
        self._ledger: Ledger | None = None
        self._listened = 0
        self._reported = 0
        self._reading = asyncio.Lock()
        self.pen = asyncio.Lock()  # held while a question is open, and while the agent writes rows of its own
        self.over = False  # the agent has concluded: what it still reports is late

    @property
    def is_again(self) -> bool:
        """Whether this is a further attempt at work that was begun before."""
        return self.work != self.generation

    # -- what is reported, and confirmed by the session's actor --------------------------------------------------------

    def expect(self, key: str) -> asyncio.Future[Word]:
        """Wait for the word that what is reported under `key` is on disk; ask for it before it is reported.

        Raises RuntimeError when the agent has concluded: nobody would hear it.
        """
        if self.over:
            raise RuntimeError("the row that concludes this run is written: it cannot write, call or ask any more")
        future: asyncio.Future[Word] = asyncio.get_running_loop().create_future()
        self._awaited[key] = future
        return future

    def confirm(self, key: str, answer: Word) -> None:
        """What the agent reported under `key` is on disk."""
        future = self._awaited.pop(key, None)
        if future is not None and not future.done():
            future.set_result(answer)

    async def take_steering(self) -> tuple[Message, ...]:
        """Ask for what the user said meanwhile to steer this run; it is on disk when it comes."""
        self._listened += 1
        key = f"steering.{self._listened}"
        word = self.expect(key)
        self.tell(Listened(self.generation, key))
        messages = await word
        return messages if isinstance(messages, tuple) else ()

    async def report_spending(self, spent: Spent) -> None:
        """Say what was spent, and wait until it is on disk. Raises BudgetExceededError."""
        self._reported += 1
        key = f"spending.{self._reported}"
        word = self.expect(key)
        self.tell(SpendingReported(self.generation, key, spent))
        heed(await word)

    # -- what is read --------------------------------------------------------------------------------------------------

    async def load_ledger(self) -> Ledger:
        """Read what was left, once, before the first call of this attempt: its own calls are not of the past.

        Without it no tool is called: not knowing is not 'never called'.
        """
        async with self._reading:
            if self._ledger is None:
                answer = await self.read(LedgerOf(self.place.session_id, self.work))
                if not isinstance(answer, Ledger):
                    msg = f"the tool ledger could not be read: {answer}"
                    raise RuntimeError(msg)
                self._ledger = answer
            return self._ledger

    def note_failure(self, record: ToolRecord) -> None:
        """Add a call that failed to the ledger, if that was read before it: it must not miss one that took effect."""
        if self._ledger is not None:
            self._ledger = replace(self._ledger, tools=(*self._ledger.tools, record))

    async def read(self, query: Query) -> ReadAnswer:
        """Ask the store, as patiently as it keeps what is to be written. Raises RuntimeError in the end."""
        for _ in range(READ_TRIES_MAX - 1):
            answer = await self._read_once(query)
            if not isinstance(answer, ReadFailed):
                return answer
            await asyncio.sleep(READ_AGAIN_S)
        answer = await self._read_once(query)
        if isinstance(answer, ReadFailed):
            msg = f"the store could not be read: {answer.detail}"
            raise RuntimeError(msg)  # noqa: TRY004 - not a wrong type: the store's own word
        return answer

    async def _read_once(self, query: Query) -> ReadAnswer:
        future: asyncio.Future[ReadAnswer] = asyncio.get_running_loop().create_future()

        def settle(answer: ReadAnswer) -> None:
            if not future.done():
                future.set_result(answer)

        self.place.house.store.read(query, lambda answer: self.place.loop.post(settle, answer))
        return await future
