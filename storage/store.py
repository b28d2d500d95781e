"""The `Store` port on SQLite: opens a database as its one owner, and closes it in order."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw
from msgspec.structs import replace
from pykka import ActorDeadError, Timeout

from greenroom.actors.answer import Answer
from greenroom.actors.facts import Fact, InboundStored, RowsForgotten
from greenroom.actors.model import Epoch, Inbound
from greenroom.actors.pairing import Pairing
from greenroom.actors.ref import Ref
from greenroom.actors.retention import KEEP_ALL, Retention
from greenroom.actors.runtime import MailboxFull, Runtime
from greenroom.actors.store import Committed, GroupCommitted, OwnerNow, Query, ReadAnswer, ReadFailed, Refused
from greenroom.storage.boots import Boot, BootEnding, Ownership, read_boots, take_ownership
from greenroom.storage.checkpointer import Checkpointer
from greenroom.storage.erasing import is_scrub_owed
from greenroom.storage.forgetting import Forgetting
from greenroom.storage.lock import WriterLock
from greenroom.storage.migrate import migrate
from greenroom.storage.pairings import read_pairings
from greenroom.storage.reading_actor import ReadingActor
from greenroom.storage.requests import CLOSED, Finish, Read, Scrub, Scrubbed, Write
from greenroom.storage.search import Found, Indexer, search
from greenroom.storage.sqlite import CannotOpen, quick_check
from greenroom.storage.storage_actor import Callbacks, StorageActor
from greenroom.storage.trouble import Trouble, classify_error
from greenroom.storage.writer import Place, Writer, let_go

logger = logging.getLogger("greenroom.storage")

ACCEPTS_MAX = 4_096
"""How many inbound wait to be stored; more are refused, and their platforms send them again."""

T = TypeVar("T")

UID_BYTES = 4
STOP_S = 5.0
"""How long one thread of the store may take to end."""


@dataclass(slots=True)
class _Room:
    """Counts who waits at the door, on any thread."""

    limit: int
    inside: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        with self.lock:
            if self.inside >= self.limit:
                raise MailboxFull(f"{self.inside} inbound wait to be stored, the limit is {self.limit} (accepts_max)")
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1


@dataclass(frozen=True, slots=True)
class StoreHooks:
    """Who hears what of a store, each on a storage thread: tell somebody, and return.

    `trouble`: the disk begins to refuse, refuses for another reason, or, with None, takes writes again. `fenced`: once,
    another process has become the owner: end. `committed`: what a commit made true, after all in it were answered.
    """

    trouble: Callable[[Trouble | None], None] = lambda _: None
    fenced: Callable[[], None] = lambda: None
    committed: Callable[[GroupCommitted], None] | None = None


UNHEARD = StoreHooks()
"""Nobody is told anything."""


@dataclass(slots=True)
class _Listeners:
    """Who is told, for as long as this store is not let go of."""

    hooks: StoreHooks
    deaf: bool = False
    told: bool = False  # that another process is the owner

    def trouble(self, trouble: Trouble | None) -> None:
        if not self.deaf:
            self.hooks.trouble(trouble)

    def committed(self, group: GroupCommitted) -> None:
        if not self.deaf and self.hooks.committed is not None:
            self.hooks.committed(group)

    def fenced(self) -> None:
        if not self.deaf and not self.told:
            self.told = True
            self.hooks.fenced()


@dataclass(slots=True)
class _Aides:
    """What works beside the storage actor."""

    checkpointer: Checkpointer | None = None
    reader: Ref[ReadingActor] | None = None
    indexer: Indexer | None = None
    simulated: Writer | None = None  # Its actor may vanish without a word, as real ones do not.

    def hear_forgotten(self, forgotten: RowsForgotten) -> None:
        """Let the search forget them too."""
        if self.indexer is not None and forgotten.table == "messages":
            self.indexer.drop(forgotten.ids)

    def stop(self) -> None:
        """Stop them; idempotent. What interrupts the wait for one keeps none of the others from being told."""
        with ExitStack() as ends:  # From below.
            if self.checkpointer is not None:
                ends.callback(self.checkpointer.stop, timeout_s=STOP_S)
            if self.reader is not None:
                ends.callback(self.reader.stop, timeout=STOP_S)
            if self.indexer is not None:
                ends.callback(self.indexer.stop, timeout_s=STOP_S)

    def let_go(self) -> None:
        """Close what nobody else will. Raises PowerCut where that is what killed the process."""
        if self.simulated is not None:
            self.simulated.close()


@dataclass(frozen=True, slots=True)
class Past:
    """What the disk held when a boot began."""

    boots: tuple[Boot, ...]
    pairings: tuple[Pairing, ...]
    scrub_owed: bool  # what was forgotten before may still be in the files


class SqliteStore:
    """`actors.store.Store` on one SQLite file. Made by `open`; close it once, with `close` or `abandon`."""

    def __init__(
        self,
        path: str,
        owned: Ownership,
        actor: Ref[StorageActor],
        aides: _Aides,
        listeners: _Listeners,
        lock: WriterLock | None,
        past: Past,
        backlog_max: int | None,
    ) -> None:
        """Not to be called from outside: see `open`."""
        self._path = path
        self._owned = owned
        self._actor = actor
        self._aides = aides
        self._listeners = listeners
        self._lock = lock
        self._past = past
        self._backlog_max = backlog_max
        self._room = _Room(ACCEPTS_MAX)

    @classmethod
    def open(
        cls,
        place: Place,
        runtime: Runtime,
        *,
        version: str,
        fell: Epoch | None = None,
        backlog_max: int | None = None,
        retention: Retention = KEEP_ALL,
        hooks: StoreHooks = UNHEARD,
    ) -> "SqliteStore":
        """Lock, check, migrate and own the database; it is made if there is none. Blocks while it does.

        `fell` is the epoch of the store that this process had open before, and lost without dying itself.
        `retention` says how long bookkeeping is kept.
        `backlog_max` limits what waits of one session; beyond it `accept` is refused as CROWDED.
        None of the `hooks` is called after `abandon`.
        Raises CannotOpen (also Malformed, NewerSchema), Held.
        """
        lock = WriterLock(Path(place.path)) if place.vfs is None else None
        aides, listeners = _Aides(), _Listeners(hooks)
        try:
            owned, db, past = _own(place, runtime, version, fell)
            if place.vfs is None:
                aides.checkpointer = Checkpointer(place.path, report=lambda _trouble: None)
                aides.checkpointer.start()
                aides.indexer = Indexer(place.path)
                aides.indexer.start()
                aides.reader = runtime.start(ReadingActor, place.path)
            writer = Writer(place, owned, db, beside=aides.checkpointer)
            aides.simulated = writer if place.vfs is not None else None
            wake = aides.indexer.wake if aides.indexer is not None else _nobody
            committed = None if hooks.committed is None else listeners.committed
            callbacks = Callbacks(listeners.trouble, listeners.fenced, wake, committed, aides.hear_forgotten)
            actor = runtime.start(StorageActor, writer, callbacks, Forgetting(retention))
            if past.scrub_owed:
                actor.tell(Scrub(_hear_scrubbed))
        except BaseException:  # Invariant: what could not be opened is not held.
            aides.stop()
            if lock is not None:
                lock.release()
            raise
        return cls(place.path, owned, actor, aides, listeners, lock, past, backlog_max)

    @property
    def epoch(self) -> Epoch:
        """See `Store.epoch`."""
        return self._owned.epoch

    @property
    def uid(self) -> str:
        """See `Store.uid`."""
        return self._owned.uid

    @property
    def boots(self) -> tuple[Boot, ...]:
        """The boots as they were when this one began, itself included, newest first."""
        return self._past.boots

    @property
    def pairings(self) -> tuple[Pairing, ...]:
        """The chats that were let in by a code, or have one, as it was when this boot began."""
        return self._past.pairings

    @property
    def lock(self) -> WriterLock | None:
        """The lock that this process holds; its note may be told an address. None in simulation."""
        return self._lock

    def accept(self, inbound: Inbound, at: float, then: Callable[[Committed | Refused], None]) -> None:
        """See `Store.accept`. Raises MailboxFull."""
        self._room.enter()

        def leave(answer: Committed | Refused) -> None:
            self._room.leave()
            then(answer)

        self.write((InboundStored(inbound, at, self._backlog_max, self.epoch),), leave)

    def write(self, facts: Sequence[Fact], then: Callable[[Committed | Refused], None]) -> None:
        """See `Store.write`. After the end, `then` is called at once, by the caller's own thread."""
        try:
            self._actor.tell(Write(tuple(facts), then))
        except ActorDeadError:
            then(CLOSED)

    def read(self, query: Query, then: Callable[[ReadAnswer], None]) -> None:
        """See `Store.read`. After the end, `then` is called at once, by the caller's own thread."""
        if isinstance(query, OwnerNow):
            then = partial(self._hear_owner, then)
        try:
            (self._aides.reader or self._actor).tell(Read(query, then))
        except ActorDeadError:
            then(ReadFailed(CLOSED.detail))

    def _hear_owner(self, then: Callable[[ReadAnswer], None], answer: ReadAnswer) -> None:
        if not isinstance(answer, ReadFailed) and answer != self.epoch:
            self._listeners.fenced()
        then(answer)

    def scrub(self, then: Callable[[Scrubbed], None]) -> None:
        """Leave no byte of forgotten rows in the files; `then` hears, on a storage thread, how far that came.

        Writes wait meanwhile: seconds for hundreds of megabytes, so that larger files are not written anew.
        """
        try:
            self._actor.tell(Scrub(partial(self._renew_index, then)))
        except ActorDeadError:
            then(Scrubbed())

    def _renew_index(self, then: Callable[[Scrubbed], None], scrubbed: Scrubbed) -> None:
        done = replace(scrubbed, index=True)
        if self._aides.indexer is None:
            then(done)
        else:
            self._aides.indexer.renew(partial(then, done))

    def search(self, text: str, limit: int = 20) -> tuple[Found, ...]:
        """Messages that hold all these words, best first. Blocks for a moment; on a real disk only."""
        return search(self._path, text, limit)

    def look(self, fn: Callable[[apsw.Connection], T]) -> T:
        """Read on the writer's own connection, from outside of it: only on a simulated disk, which has no other."""
        if self._aides.simulated is None:
            msg = "only a store on a simulated disk is looked at like this; on a real one use `open_reader`"
            raise RuntimeError(msg)
        return self._aides.simulated.read(fn)

    def close(self, reason: str, *, ending: BootEnding = BootEnding.CLEAN, timeout_s: float = 10.0) -> bool:
        """Write what waits, end the boot so, release the lock; True if the boot ended clean.

        Offers that come later, or that the disk would not take in `timeout_s`, are refused as CLOSED.
        """
        try:
            self._aides.stop()  # The writer is the last to close, so that it is SQLite's turn to tidy the WAL away.
            clean: bool = self._actor.ask(Finish(reason, ending), timeout=timeout_s)
            self._actor.stop(timeout=timeout_s)
        except Exception:  # Invariant: whatever the actor dies of, the store is let go, and the boot is not clean.
            logger.warning("the store of %s could not be closed in order", self._path, exc_info=True)
            clean = False
        finally:
            self.abandon()
        return clean

    def abandon(self) -> None:
        """Let go of everything without a word to the disk: as a killed process does, or one that was fenced off.

        Nobody is told anything by this store from here on. On a real disk its writer has ended before the lock is
        released, or STOP_S have passed and the fence must hold. A simulator calls it after `runtime.crash()`; on a
        dead disk it raises PowerCut, which means nothing any more.
        """
        self._listeners.deaf = True
        ending = self._actor.kill()
        with ExitStack() as ends:  # From below. What interrupts one of these (Ctrl-C) keeps the lock no longer.
            ends.callback(self._aides.let_go)
            if self._lock is not None:
                ends.callback(self._lock.release)
                ends.callback(self._await, ending)
            ends.callback(self._aides.stop)

    def _await(self, ending: Answer[None]) -> None:
        try:
            ending.get(timeout=STOP_S)
        except Timeout:
            logger.warning("the writer of %s is stuck in the disk; its epoch ends with the next opening", self._path)


def _own(place: Place, runtime: Runtime, version: str, fell: Epoch | None) -> tuple[Ownership, apsw.Connection, Past]:
    """Open the file as its owner from now on."""
    try:
        db = place.open("create")
    except apsw.Error as error:
        raise CannotOpen(classify_error(error, path=place.path).refusal) from error
    try:
        quick_check(db, clock=runtime.clock.monotonic)
        migrate(db, vfs=place.vfs)
        uid = runtime.random.randbytes(UID_BYTES).hex()
        now, pid = runtime.clock.now(), os.getpid()
        owned = take_ownership(db, uid_if_new=uid, at=now, pid=pid, version=version, fell=fell)
        return owned, db, Past(read_boots(db), read_pairings(db), is_scrub_owed(db))
    except apsw.Error as error:
        let_go(db)
        raise CannotOpen(classify_error(error, path=place.path).refusal) from error
    except BaseException:  # Invariant: what could not be opened is not held.
        let_go(db)
        raise


def _hear_scrubbed(scrubbed: Scrubbed) -> None:
    """The process that forgot something was killed before it had scrubbed the files; the index knows it by itself."""
    if scrubbed.file and scrubbed.journal:
        logger.info("what was forgotten before this start is gone from the files too")


def _nobody() -> None:
    """Nobody is to be woken."""
