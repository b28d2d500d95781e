"""Keeps the background processes of one opening of the store: starts, reads, watches and ends them.

It lives on an asyncio loop of its own, so that no agent's code keeps it from listening. What becomes of a process is on
disk before anybody is told; what it means to its session is decided there (`processes.py`).
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from greenroom.actors.events import Matched, ProcessOver, WatchDropped
from greenroom.actors.output import Output, last_of
from greenroom.actors.process import Leftover, Order, ProcessEnding, ProcessId, ProcessRecord, ProcessState
from greenroom.actors.process_facts import ProcessBegan, ProcessEnded
from greenroom.actors.runtime import RuntimeClosed
from greenroom.actors.store import LeftoversOf, ReadAnswer, ReadFailed, Refused, UnwantedOf
from greenroom.actors.watch import Lines, Watch, close_window, hear
from greenroom.actors.wording import LAST_WORDS_MAX

if TYPE_CHECKING:
    from greenroom.actors.events import Event, ProcessEvent
    from greenroom.actors.facts import Fact
    from greenroom.actors.model import Generation, SessionId, SessionKey
    from greenroom.actors.rules import Rules
    from greenroom.actors.runtime import Loop, Runtime
    from greenroom.actors.spawner import Child, Spawner
    from greenroom.actors.store import Committed, Store

logger = logging.getLogger("greenroom.processes")

LOOP = "processes"
"""The asyncio loop on which all background processes are listened to."""

READ_AGAIN_S = 1.0
"""How long the question waits what was left behind, when the store could not answer it."""


class CannotSpawnError(RuntimeError):
    """A background process was not started; the message says why."""


class Owner(Struct, frozen=True):
    """Whose a process is: its session, and how the run that started it is told."""

    session_id: SessionId
    session: SessionKey
    generation: Generation
    tell: Callable[[Event], None]


class _Kept:
    """A process that is being started, or lives."""

    def __init__(self, owner: Owner, order: Order, output_max: int) -> None:
        loop = asyncio.get_running_loop()
        self.owner = owner
        self.order = order
        self.output = Output(output_max)
        self.lines = Lines()
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.watch = Watch(order.patterns)
        self.child: Child | None = None
        self.lost = False  # we end it, since the service ends
        self.unwanted = False  # we end it, since its user says so: nobody is told of it
        self.started: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[ProcessEnding | None] = loop.create_future()  # None: nobody will ever know


class Keeper:
    """Made with each opening of the store. Coroutines run on its `loop`; all else may be called from any thread."""

    def __init__(
        self,
        runtime: Runtime,
        spawner: Spawner,
        store: Store,
        rules: Rules,
        report: Callable[[SessionId, SessionKey, ProcessEvent], None],
    ) -> None:
        """Begin with nothing. `report` wakes a session with what became of its process."""
        self._runtime = runtime
        self._spawner = spawner
        self._store = store
        self._rules = rules
        self._report = report
        self._kept: dict[tuple[SessionId, ProcessId], _Kept] = {}
        self._ending = False

    @property
    def loop(self) -> Loop:
        """Where it lives. Its thread is made with the first process."""
        return self._runtime.loop(LOOP)

    # -- for a run -------------------------------------------------------------------------------------------------

    async def start(self, owner: Owner, order: Order, cwd: str | None, env: Mapping[str, str]) -> None:
        """Start a process whose row is on disk; return when it is on disk who it is. Raises CannotSpawnError."""
        kept = _Kept(owner, order, self._rules.process_output_max)
        self._kept[owner.session_id, order.id] = kept
        done = partial(self._forget, kept)
        self.loop.spawn(self._keep(kept, cwd, env), name=f"process {owner.session_id}/{order.id}", done=done)
        await asyncio.shield(kept.started)

    def end_unwanted(self, session_id: SessionId) -> None:
        """End what the user of this session wants ended, as its rows say; also what is just about to be started."""
        self._store.read(UnwantedOf(session_id), partial(self._hear_unwanted, session_id))

    def _hear_unwanted(self, session_id: SessionId, answer: ReadAnswer) -> None:
        with contextlib.suppress(RuntimeClosed):
            if isinstance(answer, ReadFailed):
                again = partial(self.end_unwanted, session_id)
                self._runtime.timers.arm((self, "unwanted", session_id), READ_AGAIN_S, again)
            elif isinstance(answer, tuple) and answer:
                left: tuple[Leftover, ...] = answer  # type: ignore[assignment]  # UnwantedOf answers these
                self.loop.spawn(self._end_unwanted(left), name=f"the end of {session_id}'s processes", done=_ignore)

    def forgo(self, owner: Owner, order: Order) -> None:
        """The run was ended while it waited for a start: what was not started by now never will be."""
        with contextlib.suppress(RuntimeClosed):
            self.loop.spawn(self._forgo(owner, order), name=f"process {owner.session_id}/{order.id}", done=_ignore)

    async def look(self, session_id: SessionId, process_id: ProcessId) -> ProcessRecord | None:
        """Say how a process stands; None: it does not live, and the store knows how it ended."""
        kept = self._kept.get((session_id, process_id))
        if kept is None:
            return None
        if kept.child is not None and kept.child.exited:
            await asyncio.shield(kept.over)
            return None
        state = ProcessState.STARTING if kept.child is None else ProcessState.RUNNING
        return ProcessRecord(process_id, kept.order.command, state, output=kept.output.text())

    async def wait(self, session_id: SessionId, process_id: ProcessId, timeout_s: float | None) -> bool:
        """Wait until the end of a process is on disk; False if that takes longer."""
        kept = self._kept.get((session_id, process_id))
        if kept is None:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(kept.over), timeout_s)
            return True
        return False

    async def kill(self, session_id: SessionId, process_id: ProcessId) -> None:
        """Ask a process to end, end it if it does not, and return when that is on disk."""
        kept = self._kept.get((session_id, process_id))
        if kept is not None and kept.child is not None:
            kept.child.end()
            if not await self.wait(session_id, process_id, self._rules.process_end_s):
                kept.child.kill()
                await asyncio.shield(kept.over)

    # -- for the house ---------------------------------------------------------------------------------------------

    def end_all(self, then: Callable[[], None], *, at_once: bool = False) -> None:
        """End all processes, and start no more; `then` is called when that is done. Asked again: end them at once."""
        at_once, self._ending = at_once or self._ending, True
        if not self._kept:
            then()
            return
        self.loop.spawn(self._end_all(at_once=at_once), name="the end of all processes", done=lambda *_: then())

    def sweep(self, then: Callable[[], None]) -> None:
        """End what owners of the store before this one left behind, and mark it as lost; `then` is called after it."""
        self._store.read(LeftoversOf(self._store.epoch), partial(self._hear_leftovers, then))

    def _hear_leftovers(self, then: Callable[[], None], answer: ReadAnswer) -> None:
        if self._ending:
            return  # Another one does it, on the store that is opened next.
        if isinstance(answer, ReadFailed):
            logger.warning("what was left behind could not be read and is asked again: %s", answer.detail)
            with contextlib.suppress(RuntimeClosed):
                self._runtime.timers.arm((self, "sweep"), READ_AGAIN_S, partial(self.sweep, then))
        elif isinstance(answer, tuple) and answer:
            left: tuple[Leftover, ...] = answer  # type: ignore[assignment]  # LeftoversOf answers these
            self.loop.spawn(self._sweep(left), name="the sweep", done=lambda *_: then())
        else:
            then()

    # -- on the loop -----------------------------------------------------------------------------------------------

    async def _sweep(self, left: tuple[Leftover, ...]) -> None:
        marked = [(self._mark(each.session_id, each.id), each) for each in left]
        try:
            await self._spawner.end_leftovers(marked, self._rules.process_end_s)
        except Exception:  # Invariant: whatever the system refuses, the sessions hear that these are lost.
            logger.exception("not all background processes of the service's last life could be ended")
        lost, now = ProcessEnding(ProcessState.LOST, None), self._runtime.clock.now()
        await self._write(*(ProcessEnded(each.session_id, each.id, lost, now) for each in left))
        logger.warning("%d background processes were lost with the service's last life", len(left))

    async def _end_all(self, *, at_once: bool) -> None:
        kept = tuple(self._kept.values())
        for each in kept:
            each.lost = True
            if each.child is not None:
                each.child.kill() if at_once else each.child.end()
        if kept and not at_once:
            await asyncio.wait([each.over for each in kept], timeout=self._rules.process_end_s)
            await self._end_all(at_once=True)
        elif kept:
            await asyncio.wait([each.over for each in kept], timeout=self._rules.process_end_s)

    async def _end_unwanted(self, left: tuple[Leftover, ...]) -> None:
        kept = [each for it in left if (each := self._kept.get((it.session_id, it.id))) is not None]
        for each in kept:
            each.unwanted = True
        await asyncio.gather(*(self.kill(each.owner.session_id, each.order.id) for each in kept))

    async def _forgo(self, owner: Owner, order: Order) -> None:
        if (owner.session_id, order.id) in self._kept:
            self.end_unwanted(owner.session_id)  # It was started after its user had ended everything, perhaps.
            return
        ending = ProcessEnding(ProcessState.FAILED, None, "its run was ended before it was started")
        await self._write(ProcessEnded(owner.session_id, order.id, ending, self._runtime.clock.now()))
        self._report(owner.session_id, owner.session, ProcessOver(order.id, ending))

    async def _keep(self, kept: _Kept, cwd: str | None, env: Mapping[str, str]) -> None:
        """See one process from its start to its end."""
        owner, order = kept.owner, kept.order
        try:
            self._refuse_more(owner.session_id)
            mark = self._mark(owner.session_id, order.id)
            child = await self._spawner.start(order.command, cwd=cwd, env=env, mark=mark)
        except (OSError, ValueError) as error:
            await self._write_end(kept, ProcessEnding(ProcessState.FAILED, None, str(error)))
            raise CannotSpawnError(f"turn.spawn: {error}") from error
        try:
            await self._accompany(kept, child)
        except GeneratorExit:  # The loop is torn down around us, as by a kill: nobody is there to end anything.
            raise
        except BaseException:  # Invariant: what nobody listens to any more does not live on.
            child.kill()
            raise

    def _refuse_more(self, session_id: SessionId) -> None:
        if self._ending:
            raise ValueError("no background process is started while the service ends")
        live = sum(each == session_id for each, _ in self._kept)
        if live > self._rules.processes_max:  # This one is counted already.
            raise ValueError(f"{live - 1} background processes of this session live, that is the limit (processes_max)")

    async def _accompany(self, kept: _Kept, child: Child) -> None:
        kept.child = child
        await self._write(ProcessBegan(kept.owner.session_id, kept.order.id, child.leader))
        if kept.lost or kept.unwanted:
            child.kill()
        if not kept.started.done():
            kept.started.set_result(None)
        while chunk := await child.read():
            self._listen(kept, kept.decoder.decode(chunk))
        self._listen(kept, kept.decoder.decode(b"", final=True), last=True)
        code = await child.wait()
        state = ProcessState.LOST if kept.lost else ProcessState.ENDED
        await self._write_end(kept, ProcessEnding(state, None if kept.lost else code, kept.output.text()))

    def _listen(self, kept: _Kept, text: str, *, last: bool = False) -> None:
        kept.output.feed(text)
        lines = [*kept.lines.feed(text), *(kept.lines.end() if last else ())]
        before, kept.watch = kept.watch, hear(kept.watch, lines)
        if before.heard is None and kept.watch.heard is not None:
            window_s = self._rules.watch_window_s
            asyncio.get_running_loop().call_later(window_s, self._close_window, kept)

    def _close_window(self, kept: _Kept) -> None:
        owner = kept.owner
        kept.watch, match = close_window(kept.watch, self._rules.watch_strikes_max)
        if match is not None:
            owner.tell(Matched(owner.generation, self._store.epoch, kept.order.id, match))
        if kept.watch.off:
            self._report(owner.session_id, owner.session, WatchDropped(kept.order.id))
        if kept.over.done():
            self._report_end(kept)

    async def _write_end(self, kept: _Kept, ending: ProcessEnding) -> None:
        owner = kept.owner
        now = self._runtime.clock.now()
        await self._write(ProcessEnded(owner.session_id, kept.order.id, ending, now))
        self._kept.pop((owner.session_id, kept.order.id), None)
        kept.over.set_result(ending)
        if kept.watch.heard is None:
            self._report_end(kept)  # Else when the window is over: its match comes first.

    def _report_end(self, kept: _Kept) -> None:
        ending = kept.over.result()
        if ending is not None and not kept.unwanted:
            told = ProcessEnding(ending.state, ending.exit_code, last_of(ending.output, LAST_WORDS_MAX))
            self._report(kept.owner.session_id, kept.owner.session, ProcessOver(kept.order.id, told))

    def _forget(self, kept: _Kept, error: BaseException | None, _: None) -> None:
        """Nobody keeps it any more; it may have been given up before its end."""
        self._kept.pop((kept.owner.session_id, kept.order.id), None)
        if not kept.over.done():
            kept.over.set_result(None)
        if not kept.started.done():
            kept.started.set_exception(CannotSpawnError(f"turn.spawn: {error}"))
            kept.started.exception()  # Whoever waits for it hears it all the same; if nobody does, that is no fault.

    async def _write(self, *facts: Fact) -> None:
        """Return when these facts are on disk. Raises CannotSpawnError when they never will be."""
        future: asyncio.Future[Committed | Refused] = asyncio.get_running_loop().create_future()

        def settle(answer: Committed | Refused) -> None:
            if not future.done():
                future.set_result(answer)

        def hear_answer(answer: Committed | Refused) -> None:
            with contextlib.suppress(RuntimeClosed):  # Nobody waits any more.
                self.loop.post(settle, answer)

        self._store.write(facts, hear_answer)
        answer = await future
        if isinstance(answer, Refused):
            raise CannotSpawnError(f"{answer.kind.value} ({answer.detail})")

    def _mark(self, session_id: SessionId, process_id: ProcessId) -> str:
        return f"{self._store.uid}-{session_id}-{process_id}"


def _ignore(_error: BaseException | None, _result: object) -> None:
    """Nobody waits for it."""
