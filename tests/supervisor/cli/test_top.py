"""`greenroom top` on a real house with its real socket, driven by the keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, RichLog, Static

from greenroom import HostedChat, Supervisor, Turn
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import Only, SessionState
from greenroom.supervisor.cli.top.app import SessionScreen, Top
from greenroom.supervisor.cli.top.glance import Watch
from greenroom.supervisor.cli.top.orders import Wish, wishes_of
from greenroom.supervisor.daemon.control import taking_orders
from greenroom.supervisor.daemon.obeying import obey
from greenroom.supervisor.daemon.orders import Orders
from greenroom.supervisor.feed import Feed
from greenroom.supervisor.supervisor import AsyncRoom

WAIT_S = 30.0
SIZE = (140, 45)


@dataclass(frozen=True)
class Stage:
    room: AsyncRoom
    path: Path

    async def say(self, chat: str, text: str) -> None:
        receipt = await self.room.accept(chat=f"hosted:me:{chat}", id=f"{chat}.{text}", text=text)
        async with asyncio.timeout(WAIT_S):
            await self.room.answer(receipt)


async def agent(turn: Turn) -> str:
    return f"re: {turn.text} \x1b[31m[bold]"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    feed, path = Feed(), tmp_path / "bot.db"
    async with (
        Supervisor(path, agent=agent, on_committed=feed.hear) as room,
        taking_orders(path, partial(obey, room, Orders(), feed=feed)),
    ):
        room.attach(HostedChat("hosted", "me"))
        yield Stage(room, path)


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[Pilot[None]]:
    watch = Watch(path)
    try:
        async with Top(path, watch).run_test(size=SIZE) as pilot:
            yield pilot
    finally:
        watch.close()


async def until(pilot: Pilot[None], seen: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not seen():
                await pilot.pause(0.02)
    except TimeoutError:
        raise AssertionError(screen_text(pilot)) from None


def screen_text(pilot: Pilot[None]) -> str:
    screen = pilot.app.screen
    texts = [str(each.content) for each in screen.query(Static)]
    texts += [str(table.get_row_at(row)) for table in screen.query(DataTable) for row in range(table.row_count)]
    texts += ["\n".join(line.text for line in log.lines) for log in screen.query(RichLog)]
    return "\n".join(texts)


def shows(pilot: Pilot[None], *words: str) -> Callable[[], bool]:
    return lambda: all(word in screen_text(pilot) for word in words)


async def test_it_lists_sessions_and_tells_what_becomes_true(stage: Stage) -> None:
    await stage.say("kitchen", "hello")
    async with watching(stage.path) as pilot:
        await until(pilot, shows(pilot, "hosted:me:kitchen", "running: pid", "idle"))
        assert "run opened" not in screen_text(pilot), "what was before is in the table"
        await stage.say("garden", "good day")
        await until(pilot, shows(pilot, "hosted:me:garden", "run opened: inbound", "run closed: answered"))


async def test_a_session_is_opened_explained_and_suspended_and_given_back(stage: Stage) -> None:
    await stage.say("kitchen", "hello")
    async with watching(stage.path) as pilot:
        await until(pilot, shows(pilot, "hosted:me:kitchen"))
        await pilot.press("enter")
        await until(pilot, shows(pilot, "transcript (2)", "re: hello", "[bold]"))
        assert "\x1b" not in screen_text(pilot)
        await pilot.press("l")
        await until(pilot, lambda: any("cannot be given" in each.message for each in pilot.app._notifications))
        await pilot.press("s")
        await until(pilot, shows(pilot, "suspend session 1", "y: yes"))
        await pilot.press("n")
        await pilot.press("s", "y")
        await until(pilot, shows(pilot, "hosted:me:kitchen  suspended"))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, SessionScreen))
        await until(pilot, shows(pilot, "suspended"))
        await pilot.press("enter")
        await until(pilot, shows(pilot, "hosted:me:kitchen  suspended"))
        await pilot.press("l", "y")
        await until(pilot, shows(pilot, "hosted:me:kitchen  idle"))
        await pilot.press("e")
        await until(pilot, shows(pilot, "session 1"))


async def test_the_list_is_narrowed_by_a_key(stage: Stage) -> None:
    await stage.say("kitchen", "hello")
    async with watching(stage.path) as pilot:
        await until(pilot, shows(pilot, "hosted:me:kitchen"))
        for only in Only:
            await pilot.press("f")
            await until(pilot, shows(pilot, f"sessions: {only.value}"))
            assert pilot.app.query_one(DataTable).row_count == 0
        await pilot.press("f")
        await until(pilot, shows(pilot, "sessions: all", "hosted:me:kitchen"))


async def test_without_a_daemon_it_shows_what_is_stored_and_orders_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    async with Supervisor(path, agent=agent) as room:
        await Stage(room, path).say("kitchen", "hello")
    async with watching(path) as pilot:
        await until(pilot, shows(pilot, "greenroom is not running", "hosted:me:kitchen"))
        await pilot.press("enter", "s", "y")
        await until(pilot, lambda: any("nothing runs" in each.message for each in pilot.app._notifications))


def test_nothing_is_read_again_while_nothing_moved(tmp_path: Path) -> None:
    path, now = tmp_path / "bot.db", [100.0]
    with Supervisor(path, agent=agent) as room:
        watch = Watch(path, lambda: now[0])
        assert watch.look(None) is not None
        assert watch.look(None) is None
        assert watch.look(None, anyway=True) is not None
        room.answer(room.accept(chat="hosted:me:1", id="1", text="hello"), timeout_s=WAIT_S)
        assert watch.look(None) is not None
        now[0] += 60
        assert watch.look(None) is not None, "ages grow"
        watch.close()


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen):
        Watch(tmp_path / "none.db")


def test_every_state_has_what_can_be_ordered_in_it() -> None:
    assert {wish for state in SessionState for wish in wishes_of(state)} == set(Wish)
    assert all(wishes_of(state) for state in SessionState)
