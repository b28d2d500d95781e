"""The embedder's door: a supervisor as a context manager, for hosts with an asyncio loop and for hosts without.

Library manners: no signal handler, no logging set-up, no global registry, and no thread that outlives the `with`, but
for one on which the host's own agent or platform does not return: that one is named in a warning, and is a daemon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from functools import partial
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from greenroom.actors.entry import DeliveryPolicy
from greenroom.actors.model import Attachment, Change, Inbound, Receipt, SessionKey
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.session_actor import AGENTS_LOOP
from greenroom.platforms.agents.function import as_agent, closing_of
from greenroom.platforms.processes.local import LocalSpawner
from greenroom.storage.store import SqliteStore, StoreHooks
from greenroom.storage.writer import Place
from greenroom.supervisor.answers import NoAnswer, SupervisorFailedError, Waiter, text_of
from greenroom.supervisor.aside import aside
from greenroom.supervisor.closing import end_agent, end_threads, reason_of_end
from greenroom.supervisor.core import Core, CoreHooks
from greenroom.supervisor.doorkeeping import AsyncDoorkeeping, BlockingDoorkeeping, Doorkeeping
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.faces import key_of
from greenroom.supervisor.foreign import walled
from greenroom.supervisor.history import StoreHistory
from greenroom.supervisor.operating import AsyncOperating, BlockingOperating
from greenroom.supervisor.owned import OwnedSqlite, open_owned
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.reception import accepted, called_back
from greenroom.supervisor.version import VERSION

if TYPE_CHECKING:
    from types import TracebackType

    from greenroom.actors.model import Epoch, Message
    from greenroom.actors.ports import History, Platform, Summarise
    from greenroom.actors.store import GroupCommitted
    from greenroom.storage.trouble import Trouble
    from greenroom.supervisor.drain import CloseBoot
    from greenroom.supervisor.recovery import Decided

logger = logging.getLogger("greenroom.supervisor")

PULSE = SessionKey("greenroom", "pulse", "pulse")
"""A conversation that nobody has: reading about it costs next to nothing."""

DRAIN_MARGIN_S = 30.0
"""How much longer than the policy's `drain_s` an orderly end may take before it is given up."""


class Room(Doorkeeping):
    """A running supervisor, as both kinds of hosts share it."""

    def __init__(self, core: Core, failed: Future[str]) -> None:
        self._core = core
        self._failed = failed

    @property
    def history(self) -> History:
        """What is visible in each chat, for platforms that do not remember it themselves."""
        return StoreHistory(lambda: self._core.store)

    async def pulse(self) -> None:
        """Return when the actors have answered, and the store can be read. Raises what keeps them from it."""
        await self._core.pulse()
        await self.history.settled(PULSE)

    def attach(
        self,
        platform: Platform,
        *,
        promise: DeliveryPolicy | str = DeliveryPolicy.EXACTLY_ONCE,
        hung_up: Callable[[BaseException | None], bool] = lambda _: False,
    ) -> None:
        """Serve a platform from now on: any object with the `Platform` protocol.

        It runs on a loop of ours and is run again when it ends, unless `hung_up(error)` says that this is the end.
        With `promise="at_least_once"` it shows no placeholder, and what may be a repeat is marked. Raises ValueError
        for a second platform of the same name and account, and for another promise.
        """
        self._core.attach(platform, hung_up, DeliveryPolicy(promise))


class AsyncRoom(Room, AsyncOperating, AsyncDoorkeeping):
    """A running supervisor, for a host with an asyncio loop."""

    def __init__(self, core: Core, failed: Future[str]) -> None:
        super().__init__(core, failed)
        self._hearers: set[Callable[[str], None]] = set()
        failed.add_done_callback(self._tell_failure)

    async def accept(
        self,
        *,
        chat: str | SessionKey,
        id: str,
        text: str,
        author: str | None = None,
        sent_at: float | None = None,
        reply_to: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> Receipt:
        """Take one message of a chat (`platform:account:chat[:thread]`); returns when it is on disk.

        The same `id` again gives the same receipt, with `repeated` set, and nothing happens twice. Raises
        InvalidKeyError, RefusedError (never), BusyError (not now: offer it again).
        """
        return await accepted(self._core.reception, _inbound(chat, id, text, author, sent_at, reply_to, attachments))

    async def amend(
        self, *, chat: str | SessionKey, id: str, of: str, text: str | None, attachments: Sequence[Attachment] = ()
    ) -> Receipt:
        """Take an edit (`text` is what the message says now) or a deletion (None) of a message.

        `of` is the `reply_to` with which it was accepted, `id` the change's own. A message that waits is changed or
        withdrawn; of one that a run has already the agent reads in the transcript (see `Policy.late_change`). Raises
        what `accept` raises.
        """
        return await accepted(self._core.reception, _change(chat, id, of, text, attachments))

    async def answer(self, receipt: Receipt) -> str:
        """Wait for the final text that answers this message: an answer, or the honest line of a failure.

        Raises SupervisorFailedError when this process will not give one (the next may), and NeverAnsweredError when
        none will: the message was withdrawn, or the receipt is an edit's.
        """
        waiters: list[Waiter] = []

        def call(then: Callable[[Message | NoAnswer], None]) -> None:
            waiters.append(Waiter(receipt, then))
            self._core.await_answer(waiters[0])

        try:
            return text_of(await called_back(call))
        finally:
            self._core.forget_waiter(waiters[0])

    async def failure(self) -> str:
        """Wait until the supervisor cannot go on, and say why. Most never return from this."""
        with ExitStack() as leaving:

            def call(then: Callable[[str], None]) -> None:
                self._hearers.add(then)
                leaving.callback(self._hearers.discard, then)
                if self._failed.done():
                    then(self._failed.result())

            why: str = await called_back(call)
        return why

    def _tell_failure(self, failed: Future[str]) -> None:
        for then in tuple(self._hearers):
            then(failed.result())


class BlockingRoom(Room, BlockingOperating, BlockingDoorkeeping):
    """A running supervisor, for a host without a loop. Every call may come from any thread."""

    def accept(
        self,
        *,
        chat: str | SessionKey,
        id: str,
        text: str,
        author: str | None = None,
        sent_at: float | None = None,
        reply_to: str | None = None,
        attachments: Sequence[Attachment] = (),
        timeout_s: float | None = None,
    ) -> Receipt:
        """See `AsyncRoom.accept`. Raises TimeoutError when it is not on disk in time; it may still get there."""
        return self._accept(_inbound(chat, id, text, author, sent_at, reply_to, attachments), timeout_s)

    def _accept(self, inbound: Inbound, timeout_s: float | None) -> Receipt:
        future: Future[Receipt | Exception] = Future()
        self._core.reception.accept(inbound, future.set_result)
        answer = future.result(timeout_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def amend(
        self,
        *,
        chat: str | SessionKey,
        id: str,
        of: str,
        text: str | None,
        attachments: Sequence[Attachment] = (),
        timeout_s: float | None = None,
    ) -> Receipt:
        """See `AsyncRoom.amend`. Raises TimeoutError when it is not on disk in time; it may still get there."""
        return self._accept(_change(chat, id, of, text, attachments), timeout_s)

    def answer(self, receipt: Receipt, *, timeout_s: float | None = None) -> str:
        """See `AsyncRoom.answer`. Raises TimeoutError, too; the answer is not lost by that."""
        future: Future[Message | NoAnswer] = Future()
        waiter = Waiter(receipt, future.set_result)
        self._core.await_answer(waiter)
        try:
            return text_of(future.result(timeout_s))
        finally:
            self._core.forget_waiter(waiter)


class Supervisor:
    """Keeps the sessions of one database alive while its `with` block runs.

    `agent` is `async def agent(turn)`, or `def agent(messages) -> str`; its `async def close(self)`, if it has one, is
    called when the last run is over. Leaving the block drains: running work gets `policy.drain_s` seconds, the rest is
    marked and goes on at the next start.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        agent: Any,
        policy: Policy | None = None,
        summarise: Summarise | None = None,
        on_began: Callable[[tuple[Decided, ...]], None] = lambda _: None,
        on_trouble: Callable[[Trouble | None], None] = lambda _: None,
        on_committed: Callable[[GroupCommitted], None] | None = None,
    ) -> None:
        """Nothing is opened before the block is entered. Raises NotAnAgentError.

        `summarise`, an async function of messages, tells in few words what no window shows an agent any more; it is
        called on the agents' loop. `on_began` hears what was decided about interrupted work, `on_trouble` when the disk
        begins and ceases to refuse, `on_committed` what each commit made true; they are called on an inner thread and
        must return at once.
        """
        self._path = fspath(path)
        self._agent, self._close_agent = as_agent(agent), closing_of(agent)
        self._policy = policy or Policy()
        self._summarise = summarise
        self._on_began = on_began
        self._on_trouble = walled("on_trouble", on_trouble, None)
        self._on_committed = None if on_committed is None else walled("on_committed", on_committed, None)
        self._runtime: PoolRuntime | None = None
        self._core: Core | None = None
        self._failed: Future[str] = Future()
        self._drained: Future[CloseBoot] = Future()
        self._address: str | None = None
        self.store: SqliteStore | None = None
        self.intent = Intent.SHUTDOWN
        """Why the block will be left: with `Intent.RESTART` what does not finish says that it was restarted."""

    # -- the two ways in and out -----------------------------------------------------------------------------------

    async def __aenter__(self) -> AsyncRoom:
        """Open the database and go on with what was interrupted. Raises CannotOpenError, HeldError."""
        try:
            core = await aside("greenroom-opening", self._open)
        except asyncio.CancelledError:
            await aside("greenroom-closing", self._close, self.hurry)
            raise
        return AsyncRoom(core, self._failed)

    async def __aexit__(self, *_: object) -> None:
        """Drain, close the boot as clean, end every thread."""
        await aside("greenroom-closing", self._close, self.hurry)

    def __enter__(self) -> BlockingRoom:
        """Open the database and go on with what was interrupted. Raises CannotOpenError, HeldError."""
        return BlockingRoom(self._open(), self._failed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Drain, close the boot as clean, end every thread."""
        self._close()

    def hurry(self) -> None:
        """End a drain that is under way at once; what still runs is marked and goes on at the next start."""
        if self._core is not None:
            self._core.drain(self.intent)

    def serve_at(self, address: str | None) -> None:
        """Tell other processes, by the note beside the database's lock, where this one can be reached."""
        self._address = address
        self._introduce()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _open(self) -> Core:
        if self._core is not None:
            raise RuntimeError("this Supervisor is running already; make another one for another database")
        self._failed, self._drained = Future(), Future()
        runtime = self._runtime = PoolRuntime()
        hooks = CoreHooks(self._on_began, partial(_settle, self._drained), partial(_settle, self._failed))
        parts = self._open_store, self._agent, self._policy, hooks, LocalSpawner(), self._summarise
        try:
            core = self._core = Core(runtime, *parts)
            core.start()
        except BaseException:  # Invariant: what could not be opened leaves no thread behind.
            self._core = None
            end_threads(runtime)
            raise
        return core

    def _open_store(self, fell: Epoch | None) -> OwnedSqlite:
        if self._runtime is None:
            raise SupervisorFailedError("the supervisor is not open")
        owned = open_owned(
            Place(self._path),
            self._runtime,
            version=VERSION,
            fell=fell,
            backlog_max=self._policy.chat_backlog_max,
            retention=self._policy.retention(),
            hooks=StoreHooks(self._hear_trouble, self._lose_ownership, self._on_committed),
        )
        self.store = owned.store
        try:
            self._introduce()
        except BaseException:  # Invariant: what could not be opened is not held.
            owned.abandon()
            raise
        return owned

    def _introduce(self) -> None:
        """Write the note again: each opening of the store begins a new one."""
        if self._address is not None and self.store is not None and self.store.lock is not None:
            self.store.lock.serve_at(self._address)

    def _lose_ownership(self) -> None:
        if self._core is not None:
            self._core.fail("another greenroom has taken over this database; this one must end")

    def _hear_trouble(self, trouble: Trouble | None) -> None:
        if self._core is not None:
            self._core.hear_trouble(trouble)
        self._on_trouble(trouble)

    def _close(self) -> None:
        core, runtime = self._core, self._runtime
        if core is None or runtime is None:
            return
        with ExitStack() as ends:  # From below. What interrupts one of these keeps none of the others from being done.
            ends.callback(end_threads, runtime)
            if self._close_agent is not None:
                ends.callback(end_agent, runtime.loop(AGENTS_LOOP), self._close_agent)
            ends.callback(self._forget_core)
            ends.push(partial(self._let_go, core))
            if not self._failed.done():
                core.drain(self.intent)
                self._wait_for_drain()
            clean = self._drained.done() and self._drained.result().clean
            core.close(reason_of_end(self.intent, self._failed, self._drained), clean=clean)

    def _forget_core(self) -> None:
        self._core = None

    def _let_go(self, core: Core, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Where something came between (a second Ctrl-C): as a killed process does, so that another may begin."""
        if error is not None:
            try:
                core.abandon()
            finally:
                if self.store is not None:  # It may have been taken from the core, and not been closed yet.
                    self.store.abandon()

    def _wait_for_drain(self) -> None:
        """Wait, but not for ever: what runs on regardless is marked; the boot is closed and the next one decides."""
        timeout_s = self._policy.drain_s + DRAIN_MARGIN_S
        either: tuple[Future[Any], ...] = (self._drained, self._failed)
        wait(either, timeout=timeout_s, return_when=FIRST_COMPLETED)


def _inbound(
    chat: str | SessionKey,
    update_id: str,
    text: str,
    author: str | None,
    sent_at: float | None,
    reply_to: str | None,
    attachments: Sequence[Attachment],
) -> Inbound:
    return Inbound(key_of(chat), update_id, text, author, sent_at, reply_to, tuple(attachments))


def _change(
    chat: str | SessionKey, update_id: str, of: str, text: str | None, attachments: Sequence[Attachment]
) -> Inbound:
    change = Change.DELETE if text is None else Change.EDIT
    return Inbound(key_of(chat), update_id, text or "", reply_to=of, attachments=tuple(attachments), change=change)


def _settle(future: Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)
