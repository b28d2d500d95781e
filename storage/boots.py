"""Owning a store: each opening is a boot with an epoch of its own, and every older writer is refused from then on."""

from dataclasses import dataclass
from enum import StrEnum

import apsw

from greenroom.actors.model import Epoch
from greenroom.storage.rows import one_row

READ_MAX = 1_000

_NEVER = 2**62  # No boot has so high an epoch.


class BootEnding(StrEnum):
    """How a boot ended, as it said itself or as the next one found it."""

    CLEAN = "clean"
    UNCLEAN = "unclean"  # killed, forced, or it could not go on
    FELL = "fell"  # storage or tree died, and the same process built them anew


@dataclass(frozen=True, slots=True)
class Boot:
    """One life of the process. `ending` is None for the one that lives. Times in UTC epoch seconds."""

    epoch: Epoch  # its number
    started_at: float  # when it began
    ended_at: float | None  # when it ended; null while it lives, and if it was killed
    ending: BootEnding | None  # how it ended; null for the one that lives
    reason: str | None  # why it ended, in its own words
    pid: int | None  # number of its process
    version: str  # of greenroom


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a writer knows of its store: which one it is, under which epoch it is ours, how many groups it holds."""

    uid: str
    epoch: Epoch
    groups: int


def take_ownership(
    db: apsw.Connection, *, uid_if_new: str, at: float, pid: int, version: str, fell: Epoch | None = None
) -> Ownership:
    """Begin a boot, in one transaction. A boot that never ended is unclean from now on.

    Unless it is of this very process, which knows that its house fell: boots from the epoch `fell` on.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("INSERT INTO meta (key, value) VALUES ('uid', ?) ON CONFLICT DO NOTHING", (uid_if_new,))
        ending = "UPDATE boots SET ending = iif(epoch >= ?, ?, ?) WHERE ending IS NULL"
        db.execute(ending, (fell if fell is not None else _NEVER, BootEnding.FELL, BootEnding.UNCLEAN))
        db.execute(
            "INSERT INTO ownership (shard, epoch) VALUES (0, 1) ON CONFLICT (shard) DO UPDATE SET epoch = epoch + 1"
        )
        owned = read_ownership(db)
        assert owned is not None  # noqa: S101 - written above
        db.execute(
            "INSERT INTO boots (epoch, started_at, pid, version) VALUES (?, ?, ?, ?)", (owned.epoch, at, pid, version)
        )
        db.execute("COMMIT")
    except BaseException:  # Invariant: no transaction stays open, whatever happened.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return owned


def read_ownership(db: apsw.Connection) -> Ownership | None:
    """Whose the store is now; None if the file is no store of ours."""
    try:
        row = one_row(
            db,
            "SELECT meta.value, ownership.epoch, ownership.groups FROM meta, ownership"
            " WHERE meta.key = 'uid' AND ownership.shard = 0",
            (),
        )
    except apsw.SQLError:  # An empty file, or another program's.
        return None
    return None if row is None else Ownership(row[0], Epoch(row[1]), row[2])


def read_epoch(db: apsw.Connection) -> Epoch | None:
    """Under which epoch the store is owned now."""
    row = one_row(db, "SELECT epoch FROM ownership WHERE shard = 0", ())
    return None if row is None else Epoch(row[0])


def end_boot(
    db: apsw.Connection, epoch: Epoch, *, at: float, reason: str, ending: BootEnding = BootEnding.CLEAN
) -> None:
    """Let the boot end, and say how and why. Says nothing about a boot that is not the owner any more."""
    db.execute(
        "UPDATE boots SET ended_at = ?, ending = ?, reason = ? WHERE epoch = ? AND ending IS NULL",
        (at, ending, reason, epoch),
    )


def read_boots(db: apsw.Connection, last: int = READ_MAX) -> tuple[Boot, ...]:
    """The last boots, newest first."""
    rows = db.execute(
        "SELECT epoch, started_at, ended_at, ending, reason, pid, version FROM boots ORDER BY epoch DESC LIMIT ?",
        (last,),
    )
    return tuple(
        Boot(Epoch(epoch), started_at, ended_at, None if ending is None else BootEnding(ending), reason, pid, version)
        for epoch, started_at, ended_at, ending, reason, pid, version in rows
    )


def read_fell(db: apsw.Connection, epoch: int) -> bool:
    """Whether all boots from this one on fell, so that their process lives. One that lives itself did not fall."""
    found = "SELECT count(*) > 1 AND sum(ending <> ?) IS 0 FROM boots WHERE epoch >= ?"
    return bool(db.execute(found, (BootEnding.FELL, epoch)).get)
