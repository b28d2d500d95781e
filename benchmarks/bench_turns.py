"""Complete durable turns a second: inbound stored, run, answer and delivery in one transaction, sent, recorded."""

import asyncio
import gc
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
from benchmarks.bench_storage import fill, raw_rows
from benchmarks.figures import Figure

from greenroom.actors.model import DeliveryClass, Inbound, SessionKey
from greenroom.actors.ports import Choices, Door, Outgoing, Traits
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.supervisor import Supervisor

CHATS = 512
"""Persons who each write, wait for their answer to be sent, and write again."""

ROUNDS = 2
PATIENCE_S = 120.0

FLUSH_S = 0.001
"""What one flush takes on the emulated disk, at least."""

RAW_OF_DESIGN = 113_000
"""Rows a second that raw apsw wrote in groups of 512 on the machine for which 4,000 turns a second were asked."""

POLICY = Policy(chat_burst=1_000_000, chat_rate_per_s=1_000_000.0, burst=1_000_000, rate_per_s=1_000_000.0)


def run(quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - the signature of every benchmark here
    """Yield the figures of this file; `quick` makes everything smaller."""
    seconds = 2.0 if quick else 6.0
    with tempfile.TemporaryDirectory() as folder:
        yield from _throughput(Path(folder), seconds)
        yield from _flat(Path(folder), seconds, stored=100_000 if quick else 1_000_000)
        yield from _slow_disk(Path(folder), seconds)


def _throughput(folder: Path, seconds: float) -> Iterator[Figure]:
    pairs = [
        (raw_rows(folder / f"raw{n}.db", CHATS, seconds / 4), turns(folder / f"turns{n}.db", seconds))
        for n in range(ROUNDS)
    ]
    raw, (rate, cpu_s) = max(pairs, key=lambda pair: pair[1][0])
    yield Figure(f"complete durable turns/s, {CHATS} chats", rate, "/s", ">= 4,000", rate >= 4_000, f"raw {raw:,.0f}/s")
    share, least = rate / raw * 1000, 4_000 / RAW_OF_DESIGN * 1000
    yield Figure("turns while raw apsw writes 1,000 rows", share, "", f">= {least:.0f}", share >= least)
    yield Figure("processor time of one turn, all threads", cpu_s * 1e6, "us", "", None)


def _flat(folder: Path, seconds: float, stored: int) -> Iterator[Figure]:
    rates = []
    for sessions in (1_000, stored):
        path = folder / f"flat{sessions}.db"
        fill(path, sessions=sessions, rows_each=2, open_runs=0)
        rates.append(max(turns(path, seconds / 2)[0] for _ in range(ROUNDS)))
    what = f"turns/s with {stored:,} stored sessions"
    yield Figure(what, rates[1], "/s", "flat within 2x", rates[0] <= 2 * rates[1], f"1,000: {rates[0]:,.0f}/s")


def _slow_disk(folder: Path, seconds: float) -> Iterator[Figure]:
    disk = SlowFlushes("slow-flushes")
    try:
        rate, _ = turns(folder / "slow.db", seconds)
    finally:
        disk.unregister()
    yield Figure(f"turns/s, each flush {FLUSH_S * 1e3:g} ms or more", rate, "/s", "", None)


def turns(path: Path, seconds: float) -> tuple[float, float]:
    """Let all chats talk for so long; turns a second, and processor seconds a turn."""
    chats = Chats(seconds)
    with Supervisor(path, agent=_answer, policy=POLICY) as room:
        gc.collect()
        gc.freeze()  # As the daemon does.
        spent = time.process_time()
        room.attach(chats)
        assert chats.done.wait(PATIENCE_S)
        spent = time.process_time() - spent
        gc.unfreeze()
    return chats.turns / chats.took_s, spent / chats.turns


async def _answer(_turn: object) -> str:
    return "It is done."


class Chats:
    """A platform whose persons write as soon as they are answered."""

    name = "bench"
    account = "me"
    traits = Traits(DeliveryClass.NATIVE_KEY)

    def __init__(self, seconds: float) -> None:
        """Talk for so long."""
        self.done = threading.Event()
        self.turns = 0
        self.took_s = 0.0
        self._seconds = seconds
        self._answered: dict[str, asyncio.Future[None]] = {}

    async def run(self, door: Door) -> None:
        """Receive from all at once."""
        door.connected()
        began = time.perf_counter()
        await asyncio.gather(*(self._talk(door, str(chat), began + self._seconds) for chat in range(CHATS)))
        self.took_s = time.perf_counter() - began
        self.done.set()
        await asyncio.Event().wait()

    async def _talk(self, door: Door, chat: str, ends_at: float) -> None:
        key, number = SessionKey(self.name, self.account, chat), time.time_ns()
        while time.perf_counter() < ends_at:
            number += 1
            answered = self._answered[chat] = asyncio.get_running_loop().create_future()
            await door.accept(Inbound(key, f"{chat}.{number}", "How far is it, and is it done?"))
            await answered
            self.turns += 1

    async def send(self, message: Outgoing) -> str:
        """Show an answer."""
        self._answered[message.session.chat].set_result(None)
        return message.key

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Never called: nothing here has an anchor."""

    async def find(self, message: Outgoing) -> str | None:
        """Never called: a key repeated is enough."""


class SlowFlushes(apsw.VFS):
    """The machine's own disk for every connection opened meanwhile, except that a flush takes its time."""

    def __init__(self, name: str) -> None:
        super().__init__(name, base="", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Open a file whose flushes are slow."""
        return _SlowFile("unix", name, flags)


class _SlowFile(apsw.VFSFile):
    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        time.sleep(FLUSH_S)
