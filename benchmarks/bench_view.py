"""The live view over many sessions: what a page takes, from the request to its last byte, with nothing in memory."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from benchmarks.bench_storage import fill
from benchmarks.figures import Figure
from pydantic import SecretStr

from greenroom.platforms.chats.web.guard import AllowedHosts
from greenroom.storage.writer import Place
from greenroom.supervisor.feed import Feed
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.view.app import make_app
from greenroom.supervisor.view.desk import Desk
from greenroom.supervisor.view.hour import Hour
from greenroom.supervisor.view.lately import Lately
from greenroom.supervisor.view.reading import Reading
from greenroom.supervisor.view.sign_ins import SignIns

TOKEN = "the token of a benchmark"  # noqa: S105 - of nothing else
TARGET_MS = 200.0
OPEN_RUNS, WAITING = 500, 200

ASKED = {
    "all": "/",
    "running": "/?state=running",
    "waiting": "/?state=waiting",
    "idle": "/?state=idle",
    "interrupted, of a platform": "/?state=interrupted&platform=web",
    "part of a name": "/?q=%3A99",
    "a name that nobody has": "/?q=nobody",
    "the last page": "/?before=40",
    "one session": "/sessions/1",
}


def run(quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - the signature of every benchmark here
    """Yield the figures of this file; `quick` leaves the million out."""
    for count, target in ((100_000, TARGET_MS), *(() if quick else ((1_000_000, None),))):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "room.db"
            fill(path, sessions=count, rows_each=3, open_runs=OPEN_RUNS)
            _let_wait(path)
            yield from asyncio.run(_measure(path, count, target))


def _let_wait(path: Path) -> None:
    db = Place(str(path), synchronous="OFF").open("refuse")
    rows = ((n, f"u{n}") for n in range(2, 2 + WAITING))
    db.executemany(
        "INSERT INTO inbox (session_id, platform, account, update_id, text, at, epoch)"
        " VALUES (?, 'web', 'bot', ?, 'hello', 1.0, 1)",
        rows,
    )
    db.close()


async def _measure(path: Path, count: int, target_ms: float | None) -> list[Figure]:
    with ThreadPoolExecutor(1) as one_thread:
        loop = asyncio.get_running_loop()

        async def aside(work: Callable[[], Any]) -> Any:
            return await loop.run_in_executor(one_thread, work)

        async def ready() -> None:
            return None

        async def none(*_: object) -> dict[str, Any]:
            return {}

        async def obey(_: dict[str, Any]) -> dict[str, Any]:
            return {}

        feed, clock = Feed(), [0.0]
        reading = Reading(path, feed, aside, lambda: clock[0])
        sign_ins = SignIns(SecretStr(TOKEN), now=lambda: 0.0, draw=lambda: "drawn")
        hosts = AllowedHosts("127.0.0.1")
        text_max = Policy().text_max
        desk = Desk(
            path,
            text_max,
            sign_ins,
            hosts,
            feed,
            reading,
            time.time,
            str,
            Hour(),
            Lately(),
            tuple,
            none,
            none,
            dict,
            ready,
            obey,
        )
        wire = httpx.ASGITransport(make_app(desk))
        async with httpx.AsyncClient(transport=wire, base_url="http://127.0.0.1", timeout=60.0) as browser:
            await browser.post("/sign-in", data={"token": TOKEN})
            figures = [await _page(browser, clock, what, address, count, target_ms) for what, address in ASKED.items()]
        await reading.close()
        return figures


async def _page(
    browser: httpx.AsyncClient, clock: list[float], what: str, address: str, count: int, target_ms: float | None
) -> Figure:
    took: list[float] = []
    for _ in range(7):
        clock[0] += 1_000.0  # Nothing that was asked before stands.
        began = time.perf_counter()
        answer = await browser.get(address, headers={"accept": "text/html"})
        took.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    ms = statistics.median(took)
    target, met = ("", None) if target_ms is None else (f"< {target_ms:.0f} ms", ms < target_ms)
    return Figure(f"live view, {count:,} sessions: {what}", ms, "ms", target, met)
