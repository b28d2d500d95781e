"""Taking conversations that were held elsewhere: readable, concluded, and of no chat, so that nothing of them goes on.

A session is known by its key and the moment in which it began: what is here already is never taken twice. Each is one
transaction. No boot begins and no ownership is taken where the store has an owner: nothing is decided here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import apsw
from msgspec.structs import replace

from greenroom.actors.facts import MessageAppended
from greenroom.actors.model import (
    Epoch,
    Generation,
    Message,
    MessageKind,
    Role,
    Seq,
    SessionId,
    SessionKey,
    Tail,
    TailKind,
)
from greenroom.actors.tail import extend_tail, is_final
from greenroom.storage.boots import end_boot, read_epoch, take_ownership
from greenroom.storage.lock import WriterLock
from greenroom.storage.migrate import migrate
from greenroom.storage.restoring import Heir
from greenroom.storage.rows import one_row
from greenroom.storage.sqlite import CannotOpen, open_writer
from greenroom.storage.statements import append_messages
from greenroom.storage.writer import let_go

BATCH_ROWS = 500

CLOSING = "This conversation was imported; what was open in it is not taken up."

HERE_ALREADY = "sessions that are here already"
NOTHING_SAID = "sessions in which nothing was said"

_CONCLUDED = frozenset({TailKind.FINAL, TailKind.STOPPED, TailKind.FAILED})

Left = Counter[str]
"""What was not taken: how many, by what they are."""

Told = Callable[[int, int], None]
"""Hears how much is read, and of how much."""


class CannotImport(CannotOpen):
    """The file cannot be read to its end; the message says where, why, and what became of what stands before."""


@dataclass(frozen=True, slots=True)
class Past:
    """A conversation from elsewhere. Its rows are read when they are asked for, once, and are numbered from 1."""

    key: SessionKey
    created_at: float
    rows: Iterator[Message]


@dataclass(slots=True)
class Imported:
    """What was taken, and what was left."""

    sessions: int = 0
    messages: int = 0
    left: Left = field(default_factory=Counter)


def take_in(database: Path, pasts: Iterable[Past], done: Imported, heir: Heir) -> None:
    """Store each of them that is not here yet, and count it in `done`. The database is made if there is none.

    Raises Held where a process serves it, and CannotOpen (also CannotImport).
    """
    with WriterLock(database):
        db = open_writer(str(database), wal_autocheckpoint_pages=1_000)
        try:
            migrate(db)
            epoch = read_epoch(db) or _begin(db, heir)
            for past in pasts:
                _take(db, epoch, past, done)
        except CannotImport as error:
            if not done.sessions:
                raise
            raise CannotImport(
                f"{error}. What stands before it was taken ({done.sessions} sessions) and stays; "
                "mend the file and import it again: nothing is taken twice"
            ) from error
        finally:
            let_go(db)


def _begin(db: apsw.Connection, heir: Heir) -> Epoch:
    """Give a new store its first owner, who ends at once."""
    owned = take_ownership(db, uid_if_new=heir.uid, at=heir.now, pid=heir.pid, version=heir.version)
    end_boot(db, owned.epoch, at=heir.now, reason="made by an import")
    return owned.epoch


def _take(db: apsw.Connection, epoch: Epoch, past: Past, done: Imported) -> None:
    bindings = (str(past.key), past.created_at)
    if one_row(db, "SELECT 1 FROM sessions WHERE key = ? AND created_at = ?", bindings) is not None:
        done.left[HERE_ALREADY] += 1
        return
    first = next(past.rows, None)
    if first is None:
        done.left[NOTHING_SAID] += 1
        return
    with db:
        db.execute(
            "INSERT INTO sessions (key, created_at, epoch, because) VALUES (?, ?, ?, 'imported')", (*bindings, epoch)
        )
        session_id = SessionId(db.last_insert_rowid())
        rows, messages = _concluded(chain([first], past.rows)), 0
        while batch := [MessageAppended(session_id, epoch, row) for row in islice(rows, BATCH_ROWS)]:
            append_messages(db, batch)
            messages += len(batch)
    done.sessions += 1
    done.messages += messages


def _concluded(rows: Iterator[Message]) -> Iterator[Message]:
    """Name the rows, and conclude them if they are not: nobody waits for an answer to what was said elsewhere."""
    tail = Tail()
    for row in rows:
        upto = row.answers_upto
        if upto is None and is_final(row):
            upto = tail.user_seq
        message = replace(row, key=f"imported.{row.seq}", generation=Generation(0), answers_upto=upto)
        tail = extend_tail(tail, message)
        yield message
    if tail.kind not in _CONCLUDED:
        seq = Seq(tail.seq + 1)
        yield Message(
            seq,
            Generation(0),
            f"imported.{seq}",
            Role.SYSTEM,
            CLOSING,
            tail.at,
            MessageKind.STOPPED,
            answers_upto=tail.user_seq,
        )
