"""The daemon is told to end while it is not serving yet."""

import asyncio
import faulthandler
import gc
import os
import threading
from pathlib import Path

import pytest

from greenroom import Turn
from greenroom.supervisor.daemon import daemon
from greenroom.supervisor.daemon.config import load_config
from greenroom.supervisor.daemon.daemon import DONE, FAILED, _Life
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.supervisor import Supervisor

WAIT_S = 20.0


async def agent(turn: Turn) -> str:
    return turn.text


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Life:
    """A daemon that serves nobody, and leaves this process as it is."""
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: None)
    monkeypatch.setattr(_Life, "_hear_began", lambda *_: None)
    monkeypatch.setattr(daemon, "DECIDE_S", 3600.0)
    file = tmp_path / "greenroom.toml"
    file.write_text("[web]\nenabled = false\n[view]\nenabled = false\n")
    return _Life(load_config(file, database=tmp_path / "bot.db"), (agent, None), [], file)


async def test_a_daemon_that_is_told_to_end_waits_for_no_decisions(life: _Life) -> None:
    life._orders.end(Intent.SHUTDOWN)
    assert await asyncio.wait_for(life.live(), WAIT_S) == DONE


async def test_a_daemon_that_is_told_again_ends_though_its_storage_is_still_being_opened(
    life: _Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    exited, opened = asyncio.get_running_loop().create_future(), threading.Event()
    open_ = Supervisor._open

    def open_slowly(supervisor: Supervisor) -> object:
        assert opened.wait(WAIT_S)
        return open_(supervisor)

    monkeypatch.setattr(Supervisor, "_open", open_slowly)
    monkeypatch.setattr(daemon, "HURRY_S", 0.0)
    monkeypatch.setattr(os, "_exit", exited.set_result)
    living = asyncio.create_task(life.live())
    for _ in range(2):
        life._orders.end(Intent.SHUTDOWN)
    try:
        assert await asyncio.wait_for(exited, WAIT_S) == FAILED
    finally:
        opened.set()
        await living
