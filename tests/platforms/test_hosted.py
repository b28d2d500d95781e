"""A host that carries its chats itself, on the real supervisor."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import apsw

from greenroom import Policy, Supervisor, Turn
from greenroom.platforms.chats.hosted import HostedChat

WAIT_S = 20.0


def test_work_of_a_hosted_chat_goes_on_by_itself_after_a_restart_and_counts_as_delivered(tmp_path: Path) -> None:
    path, begun = tmp_path / "bot.db", threading.Event()

    async def slow(_turn: Turn) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    async def quick(turn: Turn) -> str:
        return f"attempt {turn.attempt} at {turn.text}"

    with Supervisor(path, agent=slow, policy=Policy(drain_s=0.0)) as room:
        room.attach(HostedChat("mybot", "me"))
        receipt = room.accept(chat="mybot:me:1", id="u1", text="the work")
        assert begun.wait(WAIT_S)
    with Supervisor(path, agent=quick) as room:
        room.attach(HostedChat("mybot", "me"))
        assert room.answer(receipt, timeout_s=WAIT_S) == "attempt 2 at the work"
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("SELECT state, text FROM deliveries").fetchall() == [("delivered", "attempt 2 at the work")]
    db.close()
