"""Full-text search over transcripts: an index in a file of its own, which can be thrown away and is made again.

A thread feeds it from a watermark, so it is never in the way of a write. It holds words and row numbers, no texts.
"""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import apsw

from greenroom.actors.model import Message, Role, Seq, SessionId, SessionKey
from greenroom.storage.rows import MESSAGE_COLUMNS, Row, read_key, read_message
from greenroom.storage.sqlite import CannotOpen, open_reader, open_writer
from greenroom.storage.trouble import TroubleKind, classify_error

BATCH_ROWS = 2_048
PAUSE_S = 0.05
"""Between two batches: the writer comes first."""
SETTLE_S = 0.2
"""After it was woken: what is said within this time is indexed together."""
WORDS_MAX = 32

LOOKED_AT_MAX = 50_000

COUNT_FORGETTING = """
INSERT INTO meta (key, value) VALUES ('forgettings', '1')
ON CONFLICT (key) DO UPDATE SET value = cast(cast(value AS INTEGER) + 1 AS TEXT)
"""
"""Written with what forgets messages, whose numbers may come again: no index from before is the store's any more."""

_STORE = """
SELECT (SELECT value FROM meta WHERE key = 'uid')
    || coalesce('.' || (SELECT value FROM meta WHERE key = 'forgettings'), ''),
    coalesce((SELECT max(id) FROM messages), 0)
"""

_MENTION = (
    f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE id = ? AND role IN ('user', 'assistant')"  # noqa: S608 - constant
    " AND session_id IN (SELECT id FROM sessions WHERE key = ?)"
)

_SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, content = '', contentless_delete = 1);
CREATE TABLE IF NOT EXISTS indexed (uid TEXT NOT NULL, upto INTEGER NOT NULL) STRICT;
"""

logger = logging.getLogger("greenroom.storage")


@dataclass(frozen=True, slots=True)
class Found:
    """One message that holds the words."""

    session_id: SessionId
    session: SessionKey
    seq: Seq
    role: Role
    text: str
    at: float


class Indexable(NamedTuple):
    """Of what an index is made: a store, as often as something was forgotten in it, and its newest message."""

    name: str
    newest: int


class Outdated(CannotOpen):
    """The index is from before something was forgotten; whoever serves the database makes it again."""


def index_path(path: str) -> str:
    """Where the index of a database lies."""
    return f"{path}.search"


def search(path: str, text: str, limit: int) -> tuple[Found, ...]:
    """Messages that hold all words of `text`, best first; nothing for a text without words. Raises CannotOpen.

    What was said in the last moment may be missing.
    """
    query = write_query(text)
    if not query or not Path(index_path(path)).exists():
        return ()
    with contextlib.closing(open_reader(index_path(path))) as index, contextlib.closing(open_reader(path)) as db:
        try:
            _refuse_outdated(db, read_indexed(index).name)
            # Not all that it names need be there: the index hears later of what was forgotten by its age.
            ids = index.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank", (query,))
            found = (each for row in ids for each in _read_found(db, row[0]))
            return tuple(islice(found, max(0, limit)))
        except (apsw.CorruptError, apsw.SQLError, ValueError) as error:
            raise CannotOpen(
                f"{index_path(path)}: the search index is damaged and will be made again ({error})"
            ) from error


def read_mentions(db: apsw.Connection, session: SessionKey, text: str, last: int) -> tuple[Message, ...]:
    """What user or agent said in a chat with all words of `text`, newest first; nothing where there is no index.

    A word that every chat is full of is looked for in the last `LOOKED_AT_MAX` messages that have it.
    """
    query, path = write_query(text), index_path(db.filename)
    if not query or not Path(path).exists():
        return ()
    try:
        with contextlib.closing(open_reader(path)) as index:
            _refuse_outdated(db, read_indexed(index).name)
            rows = index.execute(
                "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?", (query, LOOKED_AT_MAX)
            )
            mentions = (found for row in rows for found in db.execute(_MENTION, (row[0], str(session))))
            return tuple(map(read_message, islice(mentions, max(0, last))))
    except (CannotOpen, apsw.CorruptError, apsw.SQLError, ValueError) as error:
        logger.warning("search index: %s; it is made again", error)
        return ()


def write_query(text: str) -> str:
    """What a person types as an FTS5 query: every word must occur, the last one may go on. Never a syntax error.

    >>> write_query('say "hello wor')
    '"say" "hello" "wor"*'
    """
    separated = "".join(letter if letter.isalnum() else " " for letter in text)
    words = [f'"{word}"' for word in separated.split()[:WORDS_MAX]]
    return " ".join(words) + "*" if words else ""


def read_indexable(db: apsw.Connection) -> Indexable:
    """What the index of this database is to be of."""
    rows: list[Row] = db.execute(_STORE).fetchall()
    return Indexable(str(rows[0][0]), rows[0][1])


def read_indexed(index: apsw.Connection) -> Indexable:
    """Of what an index is, and how far. Raises apsw.Error, ValueError where that does not stand in it."""
    rows: list[Row] = index.execute("SELECT uid, upto FROM indexed").fetchall()
    ((name, upto),) = rows
    return Indexable(str(name), int(upto))


def _refuse_outdated(db: apsw.Connection, name: str) -> None:
    if name != read_indexable(db).name:
        raise Outdated(
            f"{index_path(db.filename)}: the search index is from before something was forgotten or restored; "
            "it is made again by the next start, or in a moment if greenroom runs"
        )


def _read_found(db: apsw.Connection, number: int) -> list[Found]:
    rows = db.execute(
        "SELECT messages.session_id, sessions.key, seq, role, text, at FROM messages"
        " JOIN sessions ON sessions.id = messages.session_id WHERE messages.id = ?",
        (number,),
    )
    return [
        Found(SessionId(session_id), read_key(key), Seq(seq), Role(role), words, at)
        for session_id, key, seq, role, words, at in rows
    ]


class Indexer:
    """The thread that keeps the index of one database. Real disks only."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._upto = 0
        self._renewals: deque[Callable[[], None]] = deque()
        self._gone: deque[int] = deque()
        self._thread = threading.Thread(target=self._work, name="greenroom-indexer", daemon=True)

    def start(self) -> None:
        """Begin with what was said while nobody looked."""
        self._woken.set()
        self._thread.start()

    def wake(self) -> None:
        """Something was said. Cheap; called after each group."""
        self._woken.set()

    def renew(self, then: Callable[[], None]) -> None:
        """Throw the index away and make it again; `then` is called when the old one is gone, or at the end."""
        self._renewals.append(then)
        self._woken.set()
        if self._stopping.is_set():
            self._told_renewed()

    def drop(self, ids: Iterable[int]) -> None:
        """Take these rows out of the index: they were forgotten by their age."""
        self._gone.extend(ids)
        self._woken.set()

    def wait_for(self, upto: int, *, timeout_s: float) -> bool:
        """Wait until the message row `upto` is indexed."""
        with self._changed:
            return self._changed.wait_for(lambda: self._upto >= upto, timeout_s)

    def stop(self, *, timeout_s: float) -> bool:
        """End after the batch that is running; whether the thread has ended in time."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._told_renewed()
        return not self._thread.is_alive()

    def _told_renewed(self) -> None:
        while self._renewals:
            try:
                then = self._renewals.popleft()
            except IndexError:  # Another thread tells the same.
                return
            then()

    def _work(self) -> None:
        told: TroubleKind | None = None  # A trouble that lasts is told once.
        while not self._stopping.is_set():
            self._woken.wait()
            self._woken.clear()
            try:
                if self._renewals:
                    throw_away(self._path)
                    with self._changed:
                        self._upto = 0
                    self._told_renewed()
                self._catch_up()
                told = None
            except Exception as error:  # Invariant: no trouble with the index reaches the store or ends the thread.
                judged = classify_error(error, path=index_path(self._path))
                if judged.kind is not told:
                    logger.warning("search index: %s", judged.text)
                told = judged.kind
                if judged.kind in (TroubleKind.CORRUPT, TroubleKind.MISTAKE):
                    with contextlib.suppress(OSError):  # Told above, and tried again.
                        throw_away(self._path)
                if not self._stopping.wait(1.0):
                    self._woken.set()

    def _catch_up(self) -> None:
        """Index all there is, then whatever comes while the thread is awake."""
        with contextlib.ExitStack() as stack:
            db = open_reader(self._path)
            stack.callback(db.close, force=True)
            index = open_index(self._path, read_indexable(db))
            stack.callback(index.close, force=True)
            if count_strays(db, index):  # Somebody was killed before it had dropped what was forgotten.
                self._drop_strays(db, index)
            while not self._stopping.is_set():
                if self._renewals:
                    self._woken.set()
                    return
                drop_rows(index, [self._gone.popleft() for _ in range(len(self._gone))])
                upto = index_batch(db, index)
                with self._changed:
                    done, self._upto = upto == self._upto, upto
                    self._changed.notify_all()
                if done and not self._sleep_until_woken():
                    return
                self._stopping.wait(PAUSE_S)

    def _drop_strays(self, db: apsw.Connection, index: apsw.Connection) -> None:
        after = 0
        sql = "SELECT id FROM words_docsize WHERE id > ? ORDER BY id LIMIT ?"
        while not self._stopping.is_set() and (rows := index.execute(sql, (after, BATCH_ROWS)).fetchall()):
            indexed = [int(str(row[0])) for row in rows]
            there = db.execute("SELECT id FROM messages WHERE id BETWEEN ? AND ?", (indexed[0], indexed[-1])).fetchall()
            drop_rows(index, set(indexed) - {int(str(row[0])) for row in there})
            after = indexed[-1]

    def _sleep_until_woken(self) -> bool:
        self._woken.wait()
        self._woken.clear()
        return not self._stopping.wait(SETTLE_S)


def open_index(path: str, store: Indexable) -> apsw.Connection:
    """Open the index of this very store; one that is damaged, of another store or of another form is made anew.

    So is one from before something was forgotten, and one that knows messages that are not there yet.
    """
    for _ in range(2):
        try:
            index = open_writer(index_path(path), synchronous="NORMAL", wal_autocheckpoint_pages=1_000)
        except (CannotOpen, apsw.Error):
            throw_away(path)
            continue
        if _is_index_of(index, store):
            return index
        index.close(force=True)
        throw_away(path)
    index = open_writer(index_path(path), synchronous="NORMAL", wal_autocheckpoint_pages=1_000)
    _is_index_of(index, store)
    return index


def _is_index_of(index: apsw.Connection, store: Indexable) -> bool:
    try:
        with index:
            index.execute(_SCHEMA)
            index.execute("INSERT INTO indexed SELECT ?, 0 WHERE NOT EXISTS (SELECT 1 FROM indexed)", (store.name,))
            index.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 0)")
        found = read_indexed(index)
        return found.name == store.name and found.newest <= store.newest
    except (apsw.Error, ValueError):
        return False


def index_batch(db: apsw.Connection, index: apsw.Connection) -> int:
    """Index the next rows, each exactly once; returns the watermark, which is the last row indexed."""
    upto: int = index.execute("SELECT upto FROM indexed").get
    sql = "SELECT id, text FROM messages WHERE id > ? ORDER BY id LIMIT ?"
    rows: list[Row] = db.execute(sql, (upto, BATCH_ROWS)).fetchall()
    if not rows:
        return upto
    with index:
        index.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", rows)
        index.execute("UPDATE indexed SET upto = ?", (rows[-1][0],))
    return int(rows[-1][0])


def drop_rows(index: apsw.Connection, ids: Collection[int]) -> None:
    """Take rows out of the index; those that are not in it are no matter."""
    if ids:
        with index:
            index.executemany("DELETE FROM words WHERE rowid = ?", [(id_,) for id_ in ids])


def count_strays(db: apsw.Connection, index: apsw.Connection) -> int:
    """How many messages the index holds that are not there any more."""
    held: list[Row] = index.execute("SELECT upto, (SELECT count(*) FROM words_docsize) FROM indexed").fetchall()
    ((upto, indexed),) = held
    later = "SELECT (SELECT count(*) FROM messages) - (SELECT count(*) FROM messages WHERE id > ?)"
    rows: list[Row] = db.execute(later, (upto,)).fetchall()
    return int(indexed - rows[0][0])


def throw_away(path: str) -> None:
    """Remove the index of the database at `path`; whoever serves it next makes a new one. Any OSError is raised."""
    for name in (index_path(path), index_path(path) + "-wal", index_path(path) + "-shm"):
        Path(name).unlink(missing_ok=True)
