"""Background processes as the agent of one run sees them: to start, to look at, to wait for, to end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from greenroom.actors.acts import Word
from greenroom.actors.crossing import across
from greenroom.actors.events import ProcessHeard, SpawnPlanned
from greenroom.actors.keeper import CannotSpawnError, Owner
from greenroom.actors.keys import process_key
from greenroom.actors.mending import refuse_halves
from greenroom.actors.output import last_of
from greenroom.actors.process import Order, ProcessId, ProcessRecord, read_command
from greenroom.actors.store import ProcessesOf

if TYPE_CHECKING:
    from greenroom.actors.keeper import Keeper
    from greenroom.actors.link import Link

T = TypeVar("T")

RECORDS_MAX = 100
"""Processes of a session that an agent can still ask for."""

POLL_SHOWN_MAX = 2_000
"""Characters of its output that a poll shows."""


class Background:
    """One run's door to the processes of its session. Used on the agents' loop only."""

    def __init__(self, link: Link, reply_to: str | None) -> None:
        """Begin with nothing started. `reply_to` anchors what will be told of the processes."""
        self._link = link
        self._reply_to = reply_to
        self._count = 0
        self._consumed: dict[ProcessId, asyncio.Future[Word]] = {}

    async def spawn(
        self,
        command: str | Sequence[str],
        *,
        notify_on_complete: bool,
        watch_patterns: Sequence[str],
        cwd: str | None,
        env: Mapping[str, str] | None,
    ) -> LiveProcess:
        """See `ports.Turn.spawn`."""
        words, patterns = read_command(command), tuple(watch_patterns)
        if isinstance(watch_patterns, str) or not all(patterns):
            msg = f"turn.spawn: watch_patterns must be a list of words to look for, got {watch_patterns!r:.80}"
            raise ValueError(msg)
        refuse_halves("turn.spawn: watch_patterns", *patterns)
        keeper, link = self._keeper(), self._link
        self._count += 1
        process_id = ProcessId(f"{link.generation}.{self._count}")
        order = Order(process_id, words, notify_on_complete, patterns, self._reply_to)
        planned = link.expect(process_key(process_id))
        link.tell(SpawnPlanned(link.generation, order))
        place = link.place
        owner = Owner(place.session_id, place.session, link.generation, place.tell)
        try:
            await planned
            await self._there(keeper.start(owner, order, cwd, dict(env or {})))
        except asyncio.CancelledError:
            keeper.forgo(owner, order)
            raise
        return LiveProcess(self, process_id, words)

    async def records(self) -> tuple[ProcessRecord, ...]:
        """The processes of this session as the store knows them, oldest first."""
        answer = await self._link.read(ProcessesOf(self._link.place.session_id, RECORDS_MAX))
        return answer if isinstance(answer, tuple) else ()  # type: ignore[return-value]  # ProcessesOf answers these

    async def processes(self) -> tuple[LiveProcess, ...]:
        """See `ports.Turn.processes`."""
        return tuple(LiveProcess(self, record.id, record.command) for record in await self.records())

    async def process(self, process_id: str) -> LiveProcess:
        """See `ports.Turn.process`."""
        for process in await self.processes():
            if process.id == process_id:
                return process
        msg = f"turn.process: this session has no process {process_id!r:.40}; turn.processes() lists them"
        raise LookupError(msg)

    # -- for a process -------------------------------------------------------------------------------------------------

    async def look(self, process_id: ProcessId) -> ProcessRecord:
        """Say how a process stands now: the keeper knows of those that live, the store of all others."""
        live = await self._there(self._keeper().look(self._link.place.session_id, process_id))
        if live is not None:
            return live
        return next(record for record in await self.records() if record.id == process_id)

    async def wait(self, process_id: ProcessId, timeout_s: float | None) -> bool:
        """Whether its end came in time."""
        return await self._there(self._keeper().wait(self._link.place.session_id, process_id, timeout_s))

    async def kill(self, process_id: ProcessId) -> None:
        """End it."""
        await self._there(self._keeper().kill(self._link.place.session_id, process_id))

    async def consume(self, process_id: ProcessId) -> None:
        """Let it be on disk that nothing more is to be told of it."""
        if process_id not in self._consumed:
            self._consumed[process_id] = self._link.expect(process_key(process_id))
            self._link.tell(ProcessHeard(self._link.generation, process_id))
        await asyncio.shield(self._consumed[process_id])

    def _keeper(self) -> Keeper:
        keeper = self._link.place.house.keeper
        if keeper is None:
            msg = "turn.spawn: this house has nobody who keeps background processes"
            raise CannotSpawnError(msg)
        return keeper

    async def _there(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await across(self._keeper().loop, self._link.place.loop, coroutine, name="a word about a process")


class LiveProcess:
    """See `ports.Process`."""

    def __init__(self, background: Background, process_id: ProcessId, command: tuple[str, ...]) -> None:
        """Name a process of this session."""
        self._background = background
        self.id = process_id
        self.command = command

    async def wait(self, timeout_s: float | None = None) -> ProcessRecord:
        """Wait for its end. One that came just after the time-out is seen as well, and consumed by that."""
        await self._background.wait(self.id, timeout_s)
        return await self._seen()

    async def poll(self) -> ProcessRecord:
        """Look how it stands."""
        record = await self._seen()
        return replace(record, output=last_of(record.output, POLL_SHOWN_MAX))

    async def _seen(self) -> ProcessRecord:
        record = await self._background.look(self.id)
        if record.is_over:
            await self._background.consume(self.id)
        return record

    async def log(self, last: int | None = None) -> str:
        """Read what is kept of its output."""
        await self._background.consume(self.id)
        return last_of((await self._background.look(self.id)).output, last)

    async def kill(self) -> ProcessRecord:
        """End it."""
        await self._background.consume(self.id)
        await self._background.kill(self.id)
        return await self._background.look(self.id)
