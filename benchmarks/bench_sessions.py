"""Live session actors with the state that the store remembers of them, under their tree; and passivated ones."""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench_storage import fill
from benchmarks.figures import Figure

from greenroom.actors.acts import Showing
from greenroom.actors.events import IdleRang
from greenroom.actors.house import House
from greenroom.actors.model import Generation, InboxId, Receipt, SessionId, SessionKey, StoredInbound
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.ref import Ref
from greenroom.actors.session_actor import SessionActor
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.tree_actor import TreeActor
from greenroom.supervisor.tree_words import Due, InboundCommitted, RestOffered, TreeHooks

PATIENCE_S = 1_200.0
LOADING_MAX = 256
"""Sessions that are being loaded at a time."""

POLICY = Policy(idle_s=100_000.0)


def run(quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - the signature of every benchmark here
    """Yield the figures of this file; `quick` leaves the million out."""
    for count, limit in ((100_000, 250e6), *(() if quick else ((1_000_000, 2e9),))):
        yield from _live(count, limit)


def _live(count: int, limit: float) -> Iterator[Figure]:
    """In a child process, so that nothing else is in its memory."""
    done = subprocess.run(
        [sys.executable, __file__, str(count)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    measured = json.loads(done.stdout)
    total, left = measured["bytes"], measured["left"]
    what = f"{count:,} live sessions, state and tree"
    yield Figure(what, total / 1e6, "MB", f"< {limit / 1e6:,.0f} MB", total < limit)
    yield Figure("memory of a live session", total / count, "B", "", None)
    yield Figure("sessions loaded from the store", count / measured["took_s"], "/s", "", None)
    yield Figure("Python objects left by a passivated one", left / count, "", "0", left < count / 2)
    yield Figure(f"threads, with {count:,} live and with none", measured["threads"], "", "", None)


class Outside:
    """What sessions tell beyond their tree: nothing happens here."""

    tree: Ref[TreeActor]

    def deliver(self, session: SessionKey, act: Showing) -> None:
        """Nothing is delivered."""

    def shows_typing(self, session: SessionKey) -> bool:  # noqa: ARG002 - nobody types anywhere
        """Nothing is shown."""
        return False

    def report_run(self, session_id: SessionId, *, live: bool, for_good: bool) -> None:
        """Nothing runs."""

    def report_concluded(self, session: SessionKey) -> None:
        """Nothing is concluded."""

    def report_released(self, session_id: SessionId, interrupted: Generation | None) -> None:
        """Nothing was set aside."""

    def report_succeeded(self, session: SessionKey, successor: SessionId) -> None:
        """No conversation begins anew."""

    def offer_rest(self, actor: Ref[Any], told: int) -> None:
        """Pass on what the tree wants to know."""
        self.tree.tell(RestOffered(actor, told))


async def _answer(_turn: object) -> str:
    return ""


def child(count: int) -> None:
    """What the child process does: load, say what it cost, let them rest, say what is left."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sessions.db"
        fill(path, sessions=count, rows_each=2, open_runs=0)
        runtime = PoolRuntime()
        store = SqliteStore.open(Place(str(path)), runtime, version="bench")
        outside = Outside()
        began: list[object] = []
        hooks = TreeHooks(
            take_up=_nothing,
            concluded=_nothing,
            set_aside=_nothing,
            released=_nothing,
            owed=lambda: 0,
            drained=_nothing,
            began=began.append,
            fatal=_nothing,
        )
        house = House(store, _answer, POLICY.rules(), outside)
        tree = outside.tree = runtime.start(TreeActor, house, POLICY, hooks, unclean_boots=0, mailbox_max=count)
        tree.tell(Due(None))
        settle(lambda: bool(began))
        _load(tree, runtime, 1, 1)  # One session pays for what all share.
        before, blocks = resident(), sys.getallocatedblocks()
        started = time.perf_counter()
        _load(tree, runtime, 2, count)
        took_s = time.perf_counter() - started
        total, threads = resident() - before, len(list(Path("/proc/self/task").iterdir()))
        gc.collect()
        gc.disable()  # What rests must go by itself.
        _rest(runtime)
        left = sys.getallocatedblocks() - blocks
        print(json.dumps({"bytes": total, "took_s": took_s, "left": left, "threads": threads}), flush=True)
        store.close("measured")
        runtime.close(PATIENCE_S)


def _nothing(*_: object) -> None:
    """Nobody listens here."""


def _load(tree: Ref[TreeActor], runtime: PoolRuntime, first: int, last: int) -> None:
    """Wake sessions as an inbound does that was handled before: each is loaded, finds nothing to do, and waits."""
    for number in range(first, last + 1):
        key = SessionKey("web", "bot", str(number))
        inbound = StoredInbound(InboxId(0), "", None, 0.0)
        tree.tell(InboundCommitted(Receipt(InboxId(0), SessionId(number), key), inbound))
        settle(lambda number=number: number - len(runtime.timers) < LOADING_MAX)  # type: ignore[misc]
    settle(lambda: len(runtime.timers) == last)


def _rest(runtime: PoolRuntime) -> None:
    """Let all sessions rest, as their own alarm would."""
    sessions = [mailbox.actor for mailbox in runtime.living.values() if isinstance(mailbox.actor, SessionActor)]
    for session in sessions:
        session.hear(IdleRang())
    del sessions, session
    settle(lambda: not any(isinstance(mailbox.actor, SessionActor) for mailbox in tuple(runtime.living.values())))


def settle(true: Callable[[], bool]) -> None:
    """Wait until it is true."""
    ends_at = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > ends_at:
            raise TimeoutError
        time.sleep(0.001)


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - not a file
        return int(statm.read().split()[1]) * 4096


if __name__ == "__main__":
    child(int(sys.argv[1]))
