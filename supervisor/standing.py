"""How things stand, as gauges: values that are read whenever somebody asks, and cost what is open."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import apsw
from msgspec import Struct

from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import StoreStatus, open_views, read_store_status

if TYPE_CHECKING:
    from greenroom.actors.runtime import Depth
    from greenroom.supervisor.connections import Connection

logger = logging.getLogger("greenroom.supervisor")


class GaugeOf(NamedTuple):
    """A gauge, by its name without `greenroom_`."""

    name: str
    says: str
    labels: tuple[str, ...] = ()


GAUGES = (
    GaugeOf("ready", "1 when messages could be stored and answered at the last look, else 0"),
    GaugeOf(
        "store_readable", "1 when the database could be read for this page, else 0 (what follows of it is missing)"
    ),
    GaugeOf("epoch", "How often the database was opened as its owner: grows with each start, and when storage falls"),
    GaugeOf("sessions_made", "Sessions that were ever made"),
    GaugeOf("runs_open", "Runs that are open: working, asking or interrupted"),
    GaugeOf("questions_open", "Open runs that wait for their user's answer"),
    GaugeOf("tool_calls_open", "Calls of tools without a result: they work, or nobody knows what became of them"),
    GaugeOf("inbound_waiting", "Messages that are stored, and that no run has taken"),
    GaugeOf("deliveries_owed", "Deliveries that have a text and are neither delivered nor given up"),
    GaugeOf("dead_letters", "Deliveries that their platform will never take"),
    GaugeOf("sessions_set_aside", "Sessions that are quarantined or suspended"),
    GaugeOf("database_bytes", "Size of the database without its write-ahead log, in bytes"),
    GaugeOf("wal_bytes", "Size of the write-ahead log, in bytes"),
    GaugeOf("platform_connected", "1 when the platform account is connected, else 0", ("platform", "account")),
    GaugeOf(
        "platform_changed_timestamp_seconds",
        "When it was last connected or lost, in seconds of the epoch",
        ("platform", "account"),
    ),
    GaugeOf("actors", "Actors that live, by their class", ("class",)),
    GaugeOf("mailbox_messages", "Messages that wait for actors of a class, all together", ("class",)),
    GaugeOf("mailbox_deepest", "Messages that wait for the busiest actor of a class", ("class",)),
)

INFO = GaugeOf("build", "The release that runs")
"""Always 1; its label `version` says which."""

Values = Mapping[tuple[str, ...], float]


class Standing(Struct, frozen=True):
    """How things stand at one moment."""

    ready: bool | None  # None: nobody looked
    store: StoreStatus | None  # None: it cannot be read now
    wal_bytes: int | None
    connections: Sequence[Connection]
    depths: Mapping[str, Depth]


class Watched(Protocol):
    """What a room tells of itself."""

    def connections(self) -> Sequence[Connection]: ...

    def depths(self) -> Mapping[str, Depth]: ...


def look_at(room: Watched, database: Path, *, ready: bool | None) -> Standing:
    """Look now. Blocks for as long as it takes to read what is open."""
    store, wal_bytes = look_at_store(database)
    return Standing(ready, store, wal_bytes, room.connections(), room.depths())


def look_at_store(path: Path) -> tuple[StoreStatus | None, int | None]:
    """Read what the database holds, beside its writer, and the size of its log; None for what cannot be read."""
    try:
        db = open_views(path)
        try:
            status = read_store_status(db)
        finally:
            db.close()
    except (apsw.Error, CannotOpen, OSError) as error:
        logger.warning("the metrics say nothing of the database: %s", error)
        status = None
    try:
        wal_bytes = path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return status, None
    return status, wal_bytes


def read_gauges(standing: Standing) -> dict[str, Values]:
    """Say the value of each gauge that has one, by its labels' values."""
    accounts = {(each.platform, each.account): each for each in standing.connections}
    read: dict[str, Values] = {
        "store_readable": {(): float(standing.store is not None)},
        "platform_connected": {account: float(each.connected) for account, each in accounts.items()},
        "platform_changed_timestamp_seconds": {account: each.since for account, each in accounts.items()},
        "actors": {(name,): float(each.actors) for name, each in standing.depths.items()},
        "mailbox_messages": {(name,): float(each.messages) for name, each in standing.depths.items()},
        "mailbox_deepest": {(name,): float(each.deepest) for name, each in standing.depths.items()},
    }
    if standing.ready is not None:
        read["ready"] = {(): float(standing.ready)}
    if standing.wal_bytes is not None:
        read["wal_bytes"] = {(): float(standing.wal_bytes)}
    if standing.store is not None:
        read |= {name: {(): float(number)} for name, number in _of_store(standing.store).items()}
    return read


def _of_store(store: StoreStatus) -> dict[str, int]:
    return {
        "epoch": store.epoch,
        "sessions_made": store.sessions,
        "runs_open": store.runs_open,
        "questions_open": store.asking,
        "tool_calls_open": store.tool_calls_open,
        "inbound_waiting": store.inbound_waiting,
        "deliveries_owed": store.deliveries_owed,
        "dead_letters": store.dead_letters,
        "sessions_set_aside": store.set_aside,
        "database_bytes": store.bytes,
    }
