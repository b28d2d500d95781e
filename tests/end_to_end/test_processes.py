"""Background processes of a real daemon: none outlives its end, however that came, and each lost one is told of once."""

from __future__ import annotations

import signal
import sys
from typing import Any

import apsw
import pytest
from tests.supervisor.cli.shell import CONFIG, Shell

from greenroom.actors.births import is_alive, read_birth

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's own lists are read")

BOT = """
async def answer(turn):
    if turn.news:
        return "told: " + " ".join(row.text for row in turn.news)
    if "start" not in turn.text:
        return "echo: " + turn.text
    process = await turn.spawn("sleep 600 & echo $! $$; sleep 600", notify_on_complete=True)
    record = await process.poll()
    while not record.output.endswith("\\n"):
        record = await process.poll()
    return "started " + record.output
"""


def rows(shell: Shell) -> list[tuple[Any, ...]]:
    db = apsw.Connection(str(shell.home / "room.db"))
    try:
        return db.execute("SELECT state, consumed FROM processes ORDER BY id").fetchall()
    finally:
        db.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_an_agent_left_running_is_ended_and_told_of_as_lost(shell: Shell, number: signal.Signals) -> None:
    (shell.home / "bot.py").write_text(BOT)
    (shell.home / "greenroom.toml").write_text(CONFIG)
    daemon = shell.up()
    daemon.say("oslo", "start")
    daemon.see("oslo", "started")
    texts = [row["text"] for row in shell.json("show", "web:local:oslo")["messages"]]
    pids = [int(word) for word in texts[-1].split()[1:]]
    born = {pid: read_birth(pid) for pid in pids}
    assert [is_alive(pid, born[pid]) for pid in pids] == [True, True]

    daemon.end(number)
    assert [is_alive(pid, born[pid]) for pid in pids] == [number is signal.SIGKILL] * 2
    assert rows(shell) == [("running" if number is signal.SIGKILL else "lost", 0)]

    again = shell.up()
    again.see("oslo", "lost when the service ended")
    assert not any(is_alive(pid, born[pid]) for pid in pids)
    assert rows(shell) == [("lost", 1)]
    again.say("oslo", "hello", "m2")
    again.see("oslo", "echo: hello")
    texts = [row["text"] for row in shell.json("show", "web:local:oslo")["messages"]]
    assert [text.startswith("told: ") for text in texts] == [False, False, False, True, False, False]
