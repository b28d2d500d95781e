"""The owner's connection: opens, commits groups, notices what SQLite does not, and never guesses about a COMMIT.

The law of this file: a group is answered only when it is known to be on disk, or known not to be. After a COMMIT that
raised nobody knows; the connection is closed, and on a new one the group's stamp tells.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import apsw

from greenroom.storage.boots import BootEnding, Ownership, end_boot, read_ownership
from greenroom.storage.checkpointer import Checkpointer, Limits, WalWatch
from greenroom.storage.erasing import SCRUB_BYTES_MAX, scrub
from greenroom.storage.group import Answer, Facts, Fenced, Written, write_group
from greenroom.storage.requests import Scrubbed
from greenroom.storage.sqlite import CannotOpen, Malformed, Synchronous, open_writer
from greenroom.storage.trouble import Trouble, TroubleKind, classify_error, trouble
from greenroom.storage.whereabouts import Whereabouts, has_vanished, is_replaced, read_whereabouts

T = TypeVar("T")

BUSY_TIMEOUT_MS = 50
"""How long one attempt waits for another process's lock. Short: the actor waits between attempts, and hears `stop`."""


READERS_TIMEOUT_MS = 3_000
"""How long the journal waits to be emptied until nobody reads in it."""


class Troubled(Exception):
    """It did not work, and what is to be thought of it."""

    def __init__(self, judged: Trouble) -> None:
        """Carry the judgement."""
        super().__init__(judged.text)
        self.trouble = judged


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store lies and how its writer opens it. `vfs` names a simulated disk."""

    path: str
    vfs: str | None = None
    synchronous: Synchronous = "FULL"
    checkpoints: Limits = field(default_factory=Limits)

    def open(self, missing: Literal["create", "refuse"]) -> apsw.Connection:
        """A new writing connection. Raises CannotOpen, apsw.Error."""
        return open_writer(
            self.path,
            vfs=self.vfs,
            synchronous=self.synchronous,
            missing=missing,
            busy_timeout_ms=BUSY_TIMEOUT_MS,
        )

    def is_gone(self) -> bool:
        """Whether nothing has the store's name any more. Unknown on a simulated disk."""
        return self.vfs is None and not Path(self.path).exists()


@dataclass(slots=True)
class _Opened:
    db: apsw.Connection
    whereabouts: Whereabouts
    watch: WalWatch


class Writer:
    """Commits groups under one ownership. Used by one thread at a time."""

    def __init__(
        self, place: Place, owned: Ownership, db: apsw.Connection, *, beside: Checkpointer | None = None
    ) -> None:
        """Take over `db`, on which the ownership was taken."""
        self._place = place
        self._uid, self.epoch, self._stamp = owned.uid, owned.epoch, owned.groups
        self._beside = beside
        self._doubtful: Written | None = None
        self._opened: _Opened | None = _watched(db, beside, place.checkpoints)
        self._files = self._opened.whereabouts

    def commit(self, requests: Sequence[Facts]) -> list[Answer]:
        """Write the requests as one transaction; when it returns, they are on disk or refused, in order.

        After Troubled it is to be called again with the same requests first. Raises Troubled, Fenced.
        """
        with self._guarded() as opened:
            if self._doubtful is not None and self._stamp == self._doubtful.stamp:
                written = self._doubtful
            else:
                written = self._doubtful = write_group(opened.db, requests, self.epoch)
                opened.db.execute("COMMIT")
                if has_vanished(opened.db, opened.whereabouts):
                    raise Troubled(trouble(TroubleKind.VANISHED, path=self._place.path))
            self._doubtful, self._stamp = None, written.stamp
            return written.answers

    def read(self, fn: Callable[[apsw.Connection], T]) -> T:
        """Let `fn` read on the writing connection. Raises Troubled, Fenced."""
        with self._guarded() as opened:
            return fn(opened.db)

    def after_group(self) -> None:
        """Checkpoint if it is time, when everyone has been answered. Raises Troubled, Fenced."""
        if self._opened is not None:
            with self._guarded() as opened:
                opened.watch.after_group()

    def scrub(self) -> Scrubbed:
        """Leave no byte of deleted rows behind, as far as that is quick. Raises Troubled, Fenced."""
        with self._guarded() as opened:
            opened.db.set_busy_timeout(READERS_TIMEOUT_MS)
            try:
                return scrub(opened.db, bytes_max=SCRUB_BYTES_MAX)
            finally:
                opened.db.set_busy_timeout(BUSY_TIMEOUT_MS)

    def end(self, *, at: float, reason: str, ending: BootEnding) -> None:
        """End the boot in order and close. If that raises (Troubled, Fenced), the boot is found unclean."""
        try:
            with self._guarded() as opened:
                end_boot(opened.db, self.epoch, at=at, reason=reason, ending=ending)
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection; what is not committed never was."""
        opened, self._opened = self._opened, None
        if opened is not None:
            let_go(opened.db)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[_Opened]:
        """Lend the connection, reopened if need be; leave none behind that is not to be trusted."""
        try:
            if self._opened is None:
                self._opened = self._reopen()
            yield self._opened
        except Fenced:
            self.close()
            raise
        except Exception as error:  # Invariant: after any failure no transaction is open and no doubt is forgotten.
            judged = self._judge(error)
            if judged.reopen or self._doubtful is not None or not self._roll_back():
                self.close()
            raise Troubled(judged) from error

    def _roll_back(self) -> bool:
        """Whether the connection is clean now."""
        if self._opened is not None and self._opened.db.in_transaction:
            try:
                self._opened.db.execute("ROLLBACK")
            except apsw.Error:
                return False
        return True

    def _judge(self, error: Exception) -> Trouble:
        path = self._place.path
        if isinstance(error, Troubled):
            return error.trouble
        if isinstance(error, Malformed):
            return trouble(TroubleKind.CORRUPT, path=path, detail=str(error))
        if isinstance(error, CannotOpen):
            return trouble(TroubleKind.CANNOT_OPEN, path=path, detail=str(error))
        judged = classify_error(error, path=path)
        if judged.kind is TroubleKind.CANNOT_OPEN and self._place.is_gone():
            return trouble(TroubleKind.VANISHED, path=path)
        return judged

    def _reopen(self) -> _Opened:
        """Open again, and believe the file only if it is ours and holds all that we said it holds."""
        if is_replaced(self._files):  # Opening it would mix our journal into another database.
            raise Troubled(trouble(TroubleKind.VANISHED, path=self._place.path, detail="another file lies there"))
        db = self._place.open("refuse")
        try:
            self._identify(db)
            return _watched(db, self._beside, self._place.checkpoints)
        except BaseException:  # Invariant: whatever happened, no connection is left behind.
            let_go(db)
            raise

    def _identify(self, db: apsw.Connection) -> None:
        found = read_ownership(db)
        if found is None or found.uid != self._uid:
            raise Troubled(trouble(TroubleKind.VANISHED, path=self._place.path, detail="another file lies there"))
        if found.epoch != self.epoch:
            raise Fenced(f"epoch {self.epoch} is over: another process owns the store as epoch {found.epoch}")
        doubtful = self._doubtful
        if found.groups == self._stamp:
            self._doubtful = None
        elif doubtful is not None and found.groups == doubtful.stamp:
            # It can be read, which is not yet durable: its sync may be what failed. A checkpoint syncs it again.
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
            self._stamp = doubtful.stamp
        else:
            detail = f"it holds {found.groups} groups, not the {self._stamp} that were written"
            raise Troubled(trouble(TroubleKind.VANISHED, path=self._place.path, detail=detail))


def let_go(db: apsw.Connection) -> None:
    """Close, whatever the disk says to that: the journal is settled by whoever opens next."""
    with contextlib.suppress(apsw.Error):
        db.close(force=True)


def _watched(db: apsw.Connection, beside: Checkpointer | None, limits: Limits) -> _Opened:
    return _Opened(db, read_whereabouts(db), WalWatch(db, beside=beside, limits=limits))
