"""Moving committed pages from the WAL into the database, beside the writer, and not letting the WAL grow without end.

A PASSIVE checkpoint waits for nobody and makes nobody wait. It runs on a thread and connection of its own; but a busy
writer always stays ahead of it, and the WAL starts over only after a moment with nothing left to move. So from the cap
on the writer moves the pages itself, between two groups. The cap is soft: a reader that stays in an old snapshot, or a
checkpoint that is under way, is not waited for.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import apsw

from greenroom.storage.sqlite import open_writer
from greenroom.storage.trouble import Trouble, classify_error


class Checkpoint(StrEnum):
    NOT_NOW = "too little has grown"
    BESIDE = "by the checkpointer, while the writer goes on"
    BY_WRITER = "by the writer itself: the WAL has reached its cap"


@dataclass(frozen=True, slots=True)
class Limits:
    """In pages of 8 KiB: how often to move pages, and from which size on the writer has to help."""

    every_pages: int = 1_000
    cap_pages: int = 8_000


def decide_checkpoint(wal_pages: int, *, seen_pages: int, limits: Limits) -> Checkpoint:
    """Decide after a commit. `seen_pages` is the WAL's size when the last checkpoint was asked for.

    A WAL smaller than that has started over. Also at the cap it is asked only every so often: while a slow reader pins
    the WAL, asking at each commit would move nothing.
    """
    grown = wal_pages - seen_pages if wal_pages >= seen_pages else wal_pages
    if grown < limits.every_pages:
        return Checkpoint.NOT_NOW
    return Checkpoint.BY_WRITER if wal_pages >= limits.cap_pages else Checkpoint.BESIDE


def run_checkpoint(connection: apsw.Connection) -> tuple[int, int]:
    """Move what can be moved without waiting; returns the pages in the WAL and how many of them are moved."""
    return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


class WalWatch:
    """The writer's side: learns the WAL's size from SQLite at each commit, and acts when the group has its answers.

    Without `beside` (in simulation) the writer does every checkpoint itself: same decision, one thread.
    It takes the connection's only WAL hook, which is also SQLite's own automatic checkpoint's: leave that off.
    """

    def __init__(
        self, connection: apsw.Connection, *, beside: "Checkpointer | None" = None, limits: Limits | None = None
    ) -> None:
        self._connection = connection
        self._beside = beside
        self._limits = limits or Limits()
        self._seen_pages = 0
        self.wal_pages = 0
        connection.set_wal_hook(self._committed)

    def after_group(self) -> Checkpoint:
        """Call between two groups, outside a transaction. Raises apsw.Error; nothing committed is at risk then."""
        due = decide_checkpoint(self.wal_pages, seen_pages=self._seen_pages, limits=self._limits)
        if due is Checkpoint.NOT_NOW:
            return due
        if due is Checkpoint.BESIDE and self._beside is not None:
            self._beside.wake()
        else:
            try:
                run_checkpoint(self._connection)
            except apsw.BusyError:  # The checkpointer is at it this very moment; ask again after the next group.
                return Checkpoint.NOT_NOW
        self._seen_pages = self.wal_pages
        return due

    def _committed(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK


class Checkpointer:
    """A thread with a connection of its own, asleep until `wake()`. Real disks only.

    `report` is called on that thread with each failure; the pages stay in the WAL and the next call tries again.
    """

    def __init__(self, path: str, *, report: Callable[[Trouble], None]) -> None:
        self._path = path
        self._report = report
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="greenroom-checkpointer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, *, timeout_s: float) -> bool:
        """End after the checkpoint that is running; whether the thread has ended in time. Stop it before the writer."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        connection: apsw.Connection | None = None
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._stopping:
                break
            try:
                connection = connection or open_writer(self._path, missing="refuse")
                run_checkpoint(connection)
            except apsw.BusyError:  # The writer is at it this very moment; it asks again after the next group.
                continue
            except Exception as error:  # Invariant: one failed checkpoint ends neither this thread nor the process.
                trouble = classify_error(error, path=self._path)
                self._report(trouble)
                if trouble.reopen and connection is not None:
                    connection.close(force=True)
                    connection = None
        if connection is not None:
            connection.close(force=True)
