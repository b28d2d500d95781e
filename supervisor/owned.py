"""The SQLite store as the supervisor owns it: opened for one boot, with what it must know of the boots before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from greenroom.actors.pairing import Pairing
from greenroom.actors.retention import KEEP_ALL, Retention
from greenroom.storage.boots import BootEnding
from greenroom.storage.store import UNHEARD, SqliteStore, StoreHooks
from greenroom.supervisor.resume import FormerBoot

if TYPE_CHECKING:
    from greenroom.actors.model import Epoch
    from greenroom.actors.runtime import Runtime
    from greenroom.actors.store import Store
    from greenroom.storage.requests import Scrubbed
    from greenroom.storage.writer import Place


class OwnedStore(Protocol):
    """A store as the supervisor owns it: the port that actors use, its past, and its two ends."""

    @property
    def port(self) -> Store: ...

    @property
    def former_boots(self) -> Sequence[FormerBoot]: ...

    @property
    def pairings(self) -> Sequence[Pairing]: ...

    def scrub(self, then: Callable[[Scrubbed], None]) -> None: ...

    def close(self, reason: str, *, clean: bool) -> bool: ...

    def abandon(self) -> None: ...


class OwnedSqlite:
    """See `OwnedStore`."""

    def __init__(self, store: SqliteStore) -> None:
        """Own an opened store."""
        self.store = store

    @property
    def port(self) -> Store:
        """What actors use."""
        return self.store

    @property
    def former_boots(self) -> Sequence[FormerBoot]:
        """The boots before this one, oldest first."""
        former = [boot for boot in self.store.boots if boot.epoch < self.store.epoch]
        return tuple(
            FormerBoot(boot.started_at, clean=boot.ending is not BootEnding.UNCLEAN) for boot in reversed(former)
        )

    @property
    def pairings(self) -> Sequence[Pairing]:
        """The chats that were let in by a code, or have one."""
        return self.store.pairings

    def scrub(self, then: Callable[[Scrubbed], None]) -> None:
        """Leave no byte of forgotten rows in the files; `then` hears how far that came."""
        self.store.scrub(then)

    def close(self, reason: str, *, clean: bool) -> bool:
        """End the boot; says whether it ended clean."""
        return self.store.close(reason, ending=BootEnding.CLEAN if clean else BootEnding.UNCLEAN)

    def abandon(self) -> None:
        """Let go without a word to the disk."""
        self.store.abandon()


def open_owned(
    place: Place,
    runtime: Runtime,
    *,
    version: str,
    fell: Epoch | None = None,
    backlog_max: int | None = None,
    retention: Retention = KEEP_ALL,
    hooks: StoreHooks = UNHEARD,
) -> OwnedSqlite:
    """Open a store and own it. Raises what `SqliteStore.open` raises."""
    store = SqliteStore.open(
        place,
        runtime,
        version=version,
        fell=fell,
        backlog_max=backlog_max,
        retention=retention,
        hooks=hooks,
    )
    return OwnedSqlite(store)
