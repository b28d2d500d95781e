"""Durable rows through the storage actor beside raw apsw, acknowledgement times, and what a boot costs."""

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
from benchmarks.figures import Figure

from greenroom.actors.facts import Fact, MessageAppended
from greenroom.actors.model import Epoch, Generation, Message, Role, Seq, SessionId
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.store import Unfinished, UnfinishedOf
from greenroom.storage.reading import read_answer
from greenroom.storage.sqlite import open_reader
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place

TEXT = "The quick brown fox jumps over the lazy dog, and then it writes home about it. " * 3
ROUNDS = 3
WAIT_S = 120.0


def run(quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - the signature of every benchmark here
    """Yield the figures of this file; `quick` makes everything smaller."""
    seconds = 0.7 if quick else 2.0
    with tempfile.TemporaryDirectory() as folder:
        yield from _throughput(Path(folder), seconds)
        yield from _flat(Path(folder), seconds, stored=100_000 if quick else 1_000_000)
        yield from _boot(Path(folder), quick)


def _throughput(folder: Path, seconds: float) -> Iterator[Figure]:
    pairs = [
        (raw_rows(folder / f"raw{n}.db", 512, seconds), _rows(folder / f"s{n}.db", 512, seconds)) for n in range(ROUNDS)
    ]
    share, raw, ours, p99 = max((ours[0] / raw, raw, *ours) for raw, ours in pairs)
    yield Figure(
        "durable rows/s, 512 waiting sessions, FULL", ours, "/s", ">= 60 % of raw", share >= 0.6, f"raw {raw:,.0f}/s"
    )
    yield Figure("the same as a share of raw apsw", share * 100, "%", ">= 60 %", share >= 0.6)
    flush_s = _flush_s(folder / "flush.db")
    yield Figure("one raw commit of one row, median", flush_s * 1e3, "ms", "", None)
    yield Figure("p99 of an acknowledgement, 512 waiting", p99 * 1e3, "ms", "< 10 ms", p99 < 0.010)
    for writers, least, limit_ms in ((8, 4 * 4_900, 3.0), (1, 5_700, None)):
        rate, p99 = max(_rows(folder / f"w{writers}.{n}.db", writers, seconds) for n in range(ROUNDS))
        raw = raw_rows(folder / f"rw{writers}.db", writers, seconds)
        yield Figure(f"the same, {writers} waiting", rate, "/s", f">= {least:,}", rate >= least, f"raw {raw:,.0f}/s")
        met = None if limit_ms is None else p99 * 1e3 < limit_ms
        target = "" if limit_ms is None else f"< {limit_ms:g} ms"
        yield Figure(f"p99 of an acknowledgement, {writers} waiting", p99 * 1e3, "ms", target, met)


def _flat(folder: Path, seconds: float, stored: int) -> Iterator[Figure]:
    rates = []
    for sessions in (1_000, stored):
        path = folder / f"flat{sessions}.db"
        fill(path, sessions=sessions, rows_each=1, open_runs=0)
        rates.append(max(_rows(path, 64, seconds, made=sessions)[0] for _ in range(ROUNDS)))
    met = rates[0] <= 2 * rates[1]
    yield Figure(
        f"rows/s with {stored:,} stored sessions", rates[1], "/s", "flat within 2x", met, f"1,000: {rates[0]:,.0f}/s"
    )


def _boot(folder: Path, quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - passed on
    sessions, rows_each, open_runs = (50_000, 4, 2_000) if quick else (1_000_000, 10, 10_000)
    path = folder / "boot.db"
    fill(path, sessions=sessions, rows_each=rows_each, open_runs=open_runs)
    what = f"boot: {open_runs:,} open runs of {sessions:,} sessions, {sessions * rows_each:,} messages"
    cold = _boot_s(path, open_runs, cold=True)
    yield Figure(f"{what}, cold", cold * 1e3, "ms", "< 1,000 ms", cold < 1.0)
    warm = min(_boot_s(path, open_runs, cold=False) for _ in range(ROUNDS))
    yield Figure(f"{what}, warm", warm * 1e3, "ms", "< 150 ms", warm < 0.150)


def _boot_s(path: Path, open_runs: int, *, cold: bool) -> float:
    """Read all that is open on a new connection, objects included."""
    if cold:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    db = open_reader(str(path))
    if not cold:
        read_answer(db, UnfinishedOf())
    began = time.perf_counter()
    found = read_answer(db, UnfinishedOf())
    took = time.perf_counter() - began
    assert isinstance(found, tuple)
    assert len(found) == open_runs
    assert isinstance(found[0], Unfinished)
    db.close()
    return took


def _message(seq: int) -> Message:
    return Message(Seq(seq), Generation(1), f"k{seq}", Role.USER, TEXT, 1.0)


def _rows(path: Path, writers: int, seconds: float, *, made: int = 0) -> tuple[float, float]:
    """Sessions that each offer a row, wait for its acknowledgement, and offer the next: rows/s and p99 in seconds."""
    if not made:
        fill(path, sessions=writers, rows_each=0, open_runs=0)
    runtime = PoolRuntime(threads=1)
    store = SqliteStore.open(Place(str(path)), runtime, version="bench")
    db = open_reader(str(path))
    first = {
        s: int(str(db.execute("SELECT coalesce(max(seq), 0) + 1 FROM messages WHERE session_id = ?", (s,)).get))
        for s in range(1, writers + 1)
    }
    db.close()
    waits: list[float] = []
    counter = _Counter(writers)
    ends_at = time.perf_counter() + seconds

    def offer(session: int, seq: int) -> None:
        began = time.perf_counter()

        def then(_answer: object) -> None:
            now = time.perf_counter()
            waits.append(now - began)
            if now < ends_at:
                offer(session, seq + 1)
            else:
                counter.leave()

        facts: tuple[Fact, ...] = (MessageAppended(SessionId(session), store.epoch, _message(seq)),)
        store.write(facts, then)

    began = time.perf_counter()
    for session in range(1, writers + 1):
        offer(session, first[session])
    assert counter.empty.wait(WAIT_S)
    took = time.perf_counter() - began
    store.close("measured")
    runtime.close(WAIT_S)
    return len(waits) / took, statistics.quantiles(waits, n=100)[98]


class _Counter:
    def __init__(self, inside: int) -> None:
        self._inside = inside
        self.empty = threading.Event()

    def leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            self.empty.set()


INSERT = (
    "INSERT INTO messages (session_id, seq, epoch, generation, key, role, kind, text, at)"
    " VALUES (?, ?, 1, 1, ?, 'user', 'text', ?, 1.0)"
)


RUN = (
    "INSERT INTO runs (session_id, generation, epoch, work, cause, attempt, opened_at, last_progress_at, tail_kind,"
    " tail_at, tail_seq, user_seq, answered_upto) VALUES (?, 1, ?, 1, 'inbound', 1, 1.0, ?, 'USER', 1.0, 1, 1, 0)"
)


def raw_rows(path: Path, batch: int, seconds: float) -> float:
    """What apsw alone does with the same rows, the same tables, the same batches."""
    fill(path, sessions=batch, rows_each=0, open_runs=0)
    db = Place(str(path)).open("refuse")
    db.execute("PRAGMA wal_autocheckpoint = 1000")
    rows, seq = 0, 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        seq += 1
        with _transaction(db):
            db.executemany(INSERT, [(session, seq, f"k{seq}", TEXT) for session in range(1, batch + 1)])
        rows += batch
    took = time.perf_counter() - began
    db.close()
    return rows / took


def _flush_s(path: Path) -> float:
    fill(path, sessions=1, rows_each=0, open_runs=0)
    db = Place(str(path)).open("refuse")

    def commit(seq: int) -> float:
        began = time.perf_counter()
        with _transaction(db):
            db.execute(INSERT, (1, seq, f"k{seq}", TEXT))
        return time.perf_counter() - began

    took = statistics.median(commit(seq) for seq in range(1, 500))
    db.close()
    return took


@contextlib.contextmanager
def _transaction(db: apsw.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    yield
    db.execute("COMMIT")


def fill(path: Path, *, sessions: int, rows_each: int, open_runs: int) -> None:
    """Make a store with so much in it, as quickly as SQLite can. The open runs are spread over all sessions."""
    runtime = PoolRuntime(threads=1)
    store = SqliteStore.open(Place(str(path)), runtime, version="bench")
    store.close("made")
    runtime.close(WAIT_S)
    db = Place(str(path), synchronous="OFF").open("refuse")
    epoch = Epoch(1)
    steps: tuple[tuple[str, Callable[[], Iterator[tuple[object, ...]]]], ...] = (
        (
            "INSERT INTO sessions (id, key, created_at, epoch, generation) VALUES (?, ?, 1.0, 1, 1)",
            lambda: ((n, f"web:bot:{n}") for n in range(1, sessions + 1)),
        ),
        ("INSERT INTO routes VALUES (?, ?)", lambda: ((f"web:bot:{n}", n) for n in range(1, sessions + 1))),
        (
            INSERT,
            lambda: ((n, seq, f"k{seq}", TEXT[:80]) for n in range(1, sessions + 1) for seq in range(1, rows_each + 1)),
        ),
        (
            RUN,
            lambda: ((1 + n * (sessions // max(open_runs, 1)), epoch, float(n)) for n in range(open_runs)),
        ),
    )
    with _transaction(db):
        for sql, rows in steps:
            db.executemany(sql, rows())
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
