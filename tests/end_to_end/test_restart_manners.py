"""Starts that must be refused, and ends that must come: each costs the conversation nothing."""

from __future__ import annotations

import signal
import socket

import apsw
from tests.supervisor.cli.shell import CONFIG, Shell

GREEDY_BOT = """
import asyncio, ctypes

async def answer(turn):
    if turn.recovery_note is not None:
        return "gone on"
    await turn.say("holding ")
    try:
        await asyncio.Event().wait()
    finally:  # Asked to stop, it keeps every other thread of the process from running, and never comes back.
        ctypes.PyDLL(None).sleep(600)
"""


def test_no_refused_start_costs_a_conversation_anything(shell: Shell) -> None:
    config = shell.home / "greenroom.toml"
    first = shell.up()
    first.say("oslo", "hello", "m1")
    first.see("oslo", "echo: hello")
    assert f"pid {first.process.pid}, started " in shell.run("up", code=1).stderr  # A second one on the same file.
    first.say("oslo", "still there?", "m2")
    first.see("oslo", "echo: still there?")
    assert first.end(signal.SIGTERM) == 0

    config.write_text(CONFIG + "[polcy]\nfresh_s = 1\n")
    assert "greenroom.toml:9: polcy: unknown key; did you mean policy?" in shell.run("up", code=2).stderr
    config.write_text(CONFIG + "[policy]\nfresh_s = 'soon'\n")
    told = shell.run("up", code=2).stderr
    assert "greenroom.toml:10: policy.fresh_s: must be a number of seconds, got 'soon'" in told
    config.write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"another program uses port {port}" in shell.run("up", code=1, GREENROOM_WEB_PORT=str(port)).stderr
    set_version(shell, 99)
    assert "written by a newer greenroom (schema 99" in shell.run("up", code=1).stderr
    set_version(shell, 1)
    (shell.home / "other.db").write_bytes(b"no database, but long enough to have had a header " * 99)
    assert "the database is damaged" in shell.run("up", "--db", "other.db", code=1).stderr

    last = shell.up()
    assert "boot 1 ended in order (shutdown)" in last.said, "no refused start counts as a boot"
    last.say("oslo", "and now?", "m3")
    last.see("oslo", "echo: and now?")
    texts = [row["text"] for row in shell.json("show", "web:local:oslo")["messages"]]
    assert texts == ["hello", "echo: hello", "still there?", "echo: still there?", "and now?", "echo: and now?"]


def set_version(shell: Shell, version: int) -> None:
    """Pretend that another release wrote the database."""
    db = apsw.Connection(str(shell.home / "room.db"))
    db.execute(f"PRAGMA user_version = {version}")
    db.close()


def test_an_agent_that_lets_no_thread_run_is_ended_by_force_and_its_work_goes_on(shell: Shell) -> None:
    (shell.home / "bot.py").write_text(GREEDY_BOT)
    (shell.home / "greenroom.toml").write_text(CONFIG + "[policy]\ndrain_s = 0.5\nforced_s = 2\n")
    daemon = shell.up()
    daemon.say("oslo", "hold on")
    daemon.see("oslo", "holding")
    daemon.tell(signal.SIGTERM)
    daemon.read_until("stopping: running work gets 0.5 s to finish")
    assert daemon.wait() == 1
    assert "Timeout (0:00:02.500000)!" in (shell.home / "stderr.txt").read_text(encoding="utf-8")
    again = shell.up()
    assert "1 resumed (shutdown_timeout)" in again.said
    again.see("oslo", "gone on")
