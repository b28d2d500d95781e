"""A daemon that is frozen, loses its lock by accident, and wakes when another one owns its store: it is silent, and ends.

Two real processes on one file, and one chat server that sees what each of them shows.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from greenroom.actors.model import DeliveryClass
from greenroom.platforms.fakes.chat_process import ChatProcess
from greenroom.supervisor.sandbox.storm_daemon import Daemon, free_port, living
from greenroom.supervisor.sandbox.storm_server import ChatServer, Guest

WAIT_S = 60.0
LOOK_S = 0.02
KEY = "storm:bot:oslo"
ALLOWED = "[policy]\nallow = ['storm:*']\n"
REASON = "cannot go on: another greenroom has taken over this database; this one must end"

PEER = struct.Struct("3i")
"""What the kernel tells of whoever connects: process, user, group."""

Change = dict[str, Any]


@dataclass
class WatchedChat(ChatProcess):
    """The chat server in this process: what shows `held` takes effect, and is answered only when `released`."""

    journal: Path
    changes: list[tuple[int, str]] = field(default_factory=list)  # whose process, and what it showed
    held: str | None = None
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__(self.journal)

    async def _serve(self, request: Change, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request["do"] not in {"post", "edit"}:
            await super()._serve(request, reader, writer)
            return
        answer = self._answer(request)
        peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
        self.changes.append((PEER.unpack(peer)[0], request["text"]))
        if self.held is not None and self.held in request["text"] and not self.holding.is_set():
            self.holding.set()
            await self.released.wait()
        writer.write(json.dumps(answer).encode() + b"\n")


@dataclass
class Two:
    """The stage: a first daemon that will be frozen, a second one, and their person."""

    chat: WatchedChat
    guest: Guest
    first: Daemon
    second: Daemon

    @property
    def ledger(self) -> list[str]:
        path = self.first.folder / "ledger.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    async def freeze_and_lose_the_lock(self) -> None:
        """Freeze it, but not in a transaction, and do as an operator who takes its lock file for a left-over."""
        self.first.freeze()
        while is_locked(self.first.database):
            self.first.thaw()
            await asyncio.sleep(LOOK_S)
            self.first.freeze()
        self.first.database.with_name("greenroom.db.lock").unlink()

    async def visible(self, condition: Callable[[list[str]], object]) -> None:
        await self.guest.until(lambda: condition(self.guest.answers), WAIT_S)


def is_locked(database: Path) -> bool:
    """Whether SQLite itself keeps a second writer out."""
    db = apsw.Connection(str(database))
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    except apsw.BusyError:
        return True
    finally:
        db.close()
    return False


@asynccontextmanager
async def stage(folder: Path, delivery: DeliveryClass) -> AsyncIterator[Two]:
    server = ChatServer(folder)
    env = server.offer_platform()
    chat = WatchedChat(folder / "chat.journal")
    serving = asyncio.create_task(chat.serve(server.socket))
    toml = f'{ALLOWED}{server.toml}delivery = "{delivery.value}"\n'
    first, second = (Daemon(folder, free_port(), extra=toml, env=env, name=name) for name in ("first", "second"))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(close, chat, serving)
        await stack.enter_async_context(living(first))
        await stack.enter_async_context(ending(second))
        yield Two(chat, Guest(server.socket, KEY), first, second)


async def close(chat: WatchedChat, serving: asyncio.Task[None]) -> None:
    """When nobody listens any more."""
    while chat.listeners:  # noqa: ASYNC110 - the fake has no signal for it
        await asyncio.sleep(LOOK_S)
    serving.cancel()


@asynccontextmanager
async def ending(daemon: Daemon) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if daemon.process is not None:
            await daemon.kill()


async def wake_and_bury(two: Two) -> list[str]:
    """Wake the first; it ends by itself, with a reason and an exit code. What it still showed."""
    before, pid = len(two.chat.changes), two.first.pid
    two.first.thaw()
    async with asyncio.timeout(WAIT_S):
        code = await two.first.ended()
    assert code == 1, two.first.said[-20:]
    assert [line for line in two.first.said if REASON in line], two.first.said[-20:]
    return [text for who, text in two.chat.changes[before:] if who == pid]


async def check_second_goes_on(two: Two) -> None:
    """The new owner is not harmed by the other's end: it is found, it answers, it ends in order."""
    code, status = await two.second.run("status", "--json")
    assert (code, json.loads(status)["holder"]["pid"]) == (0, two.second.pid)
    await two.guest.say("last", "message #99#")
    await two.visible(lambda answers: "You said: message #99#" in answers[-1:])
    assert await two.second.stop() == 0
    db = apsw.Connection(str(two.second.database), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("SELECT max(epoch) FROM boots").get == 2
    assert db.execute("SELECT count(*) FROM messages WHERE epoch = 1 AND seq > 4").get == 0
    assert db.execute("SELECT count(*) FROM deliveries WHERE state <> 'delivered'").get == 0
    assert db.pragma("integrity_check") == "ok"
    db.close()


async def test_a_daemon_that_is_frozen_stands_still_with_every_thread(tmp_path: Path) -> None:
    """Else it could go into a transaction after somebody has looked whether it is in one."""
    async with living(Daemon(tmp_path, free_port())) as daemon:
        for _ in range(100):
            daemon.freeze()
            states = [read_state(stat) for stat in Path(f"/proc/{daemon.pid}/task").glob("*/stat")]  # noqa: ASYNC240
            assert states == ["T"] * len(states)
            assert len(states) > 1
            daemon.thaw()


def read_state(stat: Path) -> str:
    """A thread's state, as proc(5) has it: the field behind the name, which may itself hold spaces and brackets."""
    return stat.read_text().rpartition(") ")[2][0]


async def test_frozen_while_its_agent_speaks_it_says_not_one_word_more_when_it_wakes(tmp_path: Path) -> None:
    async with stage(tmp_path, DeliveryClass.EDIT_ANCHOR) as two:
        await two.guest.say("m1", "count to 20")
        await two.visible(lambda answers: any("1 2 3 " in text for text in answers))
        await two.freeze_and_lose_the_lock()
        await two.second.start()
        await two.visible(lambda answers: any(text.endswith("19 20 ") for text in answers))
        (answer,) = two.guest.answers
        assert await wake_and_bury(two) == []
        assert two.guest.answers == [answer]
        await check_second_goes_on(two)
        assert [text for text in two.guest.answers if "20" in text] == [answer]


@pytest.mark.parametrize("delivery", [DeliveryClass.EDIT_ANCHOR, DeliveryClass.RECONCILE])
async def test_frozen_while_it_sends_the_person_reads_the_answer_once(tmp_path: Path, delivery: DeliveryClass) -> None:
    """The platform has shown the answer; whoever sent it was frozen before it could hear so."""
    async with stage(tmp_path, delivery) as two:
        two.chat.held = "#1#"
        await two.guest.say("m1", "message #1#")
        await asyncio.wait_for(two.chat.holding.wait(), WAIT_S)
        await two.freeze_and_lose_the_lock()
        two.chat.released.set()
        await two.second.start()
        await two.guest.say("m2", "message #2#")
        await two.visible(lambda answers: "You said: message #2#" in answers)
        assert await wake_and_bury(two) == []
        await check_second_goes_on(two)
        assert two.guest.answers == [f"You said: message #{n}#" for n in (1, 2, 99)]


async def test_frozen_while_it_rests_it_ends_when_it_wakes_though_nobody_speaks_to_it(tmp_path: Path) -> None:
    async with stage(tmp_path, DeliveryClass.EDIT_ANCHOR) as two:
        await two.guest.say("m1", "note #1#")
        await two.visible(lambda answers: "Noted: #1#" in answers)
        await two.freeze_and_lose_the_lock()
        await two.guest.say("m2", "note #2#")
        await two.second.start()
        await two.visible(lambda answers: "Noted: #2#" in answers)
        assert await wake_and_bury(two) == []
        await check_second_goes_on(two)
        assert two.ledger == ["#1#", "#2#"]
        assert two.guest.answers == ["Noted: #1#", "Noted: #2#", "You said: message #99#"]


async def restore(two: Two, backup: Path) -> None:
    """Restore with the first one frozen, though not while it reads: that the operator is told of, and tries again."""
    while True:
        await two.freeze_and_lose_the_lock()
        code, told = await two.second.run("restore", str(backup))
        if code == 0:
            return
        assert "another process holds the database" in told, told
        two.first.thaw()


@pytest.mark.slow
async def test_frozen_while_a_backup_is_restored_over_it_it_says_not_one_word_more_when_it_wakes(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, DeliveryClass.EDIT_ANCHOR) as two:
        await two.guest.say("m1", "note #1#")
        await two.visible(lambda answers: "Noted: #1#" in answers)
        assert (await two.first.run("backup", str(tmp_path / "copy.db")))[0] == 0
        await two.guest.say("m2", "count to 500")
        await two.visible(lambda answers: any("1 2 3 " in text for text in answers))
        await restore(two, tmp_path / "copy.db")
        seen = list(two.guest.answers)
        assert await wake_and_bury(two) == []
        await two.second.start()
        await two.guest.say("m3", "message #3#")
        await two.visible(lambda answers: "You said: message #3#" in answers)
        assert await two.second.stop() == 0
        assert two.guest.answers == [*seen, "You said: message #3#"]
    (aside,) = tmp_path.glob("greenroom.db.replaced-*")  # noqa: ASYNC240 - nothing else runs
    texts = "SELECT text FROM messages WHERE role = 'user' ORDER BY id"
    for path, said in ((aside, ["note #1#", "count to 500"]), (two.second.database, ["note #1#", "message #3#"])):
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        assert [text for (text,) in db.execute(texts)] == said
        assert db.pragma("integrity_check") == "ok"
        db.close()


@pytest.mark.slow
async def test_whoever_was_frozen_goes_away_also_when_a_new_one_serves_what_was_restored(tmp_path: Path) -> None:
    async with stage(tmp_path, DeliveryClass.RECONCILE) as two:
        await two.guest.say("m1", "message #1#")
        await two.visible(lambda answers: "You said: message #1#" in answers)
        assert (await two.first.run("backup", str(tmp_path / "copy.db")))[0] == 0
        two.chat.held = "#2#"
        await two.guest.say("m2", "message #2#")
        await asyncio.wait_for(two.chat.holding.wait(), WAIT_S)
        await restore(two, tmp_path / "copy.db")
        two.chat.released.set()
        await two.second.start()
        await two.guest.say("m3", "message #3#")
        await two.visible(lambda answers: "You said: message #3#" in answers)
        assert await wake_and_bury(two) == []
        await two.guest.say("m4", "message #4#")
        await two.visible(lambda answers: "You said: message #4#" in answers)
        assert await two.second.stop() == 0
        assert two.guest.answers == [f"You said: message #{n}#" for n in (1, 2, 3, 4)]
