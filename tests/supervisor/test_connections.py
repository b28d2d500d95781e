"""How platforms stand: what only a person can cure is said once, delays nobody else, and heals without a restart."""

from __future__ import annotations

import asyncio
import doctest
import queue
from pathlib import Path

import pytest

from greenroom import Door, HostedChat, Policy, Supervisor, Turn
from greenroom.actors.ports import MisconfiguredError
from greenroom.supervisor import connections
from greenroom.supervisor.connections import Connection, turned

WAIT_S = 20.0
FAST = Policy(restart_backoff_s=0.001, restart_backoff_max_s=0.01)
WRONG = "the token is wrong; write the right one"


async def agent(turn: Turn) -> str:
    return turn.text


class Locked(HostedChat):
    """Opens while nothing is `wrong`; each try and each opening is told to the test."""

    def __init__(self) -> None:
        super().__init__("locked", "me")
        self.wrong: str | None = WRONG
        self.tries: queue.Queue[str | None] = queue.Queue()

    async def run(self, door: Door) -> None:
        self.tries.put(self.wrong)
        if self.wrong is not None:
            raise MisconfiguredError(self.wrong)
        self.loop, self.lost = asyncio.get_running_loop(), asyncio.Event()
        door.connected()
        self.tries.put("open")
        await self.lost.wait()

    def lose(self, wrong: str | None) -> None:
        self.wrong = wrong
        self.loop.call_soon_threadsafe(self.lost.set)

    def until(self, told: str | None) -> None:
        while self.tries.get(timeout=WAIT_S) != told:
            pass


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(connections).failed == 0


def test_a_wrong_token_is_told_once_and_heals_and_is_told_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    platform = Locked()

    def told() -> int:
        return sum(WRONG in record.getMessage() for record in caplog.records if record.levelname == "ERROR")

    with Supervisor(tmp_path / "bot.db", agent=agent, policy=FAST) as room:
        room.attach(platform)
        for _ in range(4):
            platform.until(WRONG)
        (how,) = room.connections()
        assert (how.name, how.connected, how.why_not, told()) == ("locked:me", False, WRONG, 1)
        platform.wrong = None
        platform.until("open")
        (healed,) = room.connections()
        assert (healed.connected, healed.why_not) == (True, None)
        assert healed.since >= how.since
        platform.lose(WRONG)
        for _ in range(3):
            platform.until(WRONG)
        assert told() == 2


def test_other_platforms_go_on_beside_one_that_cannot_connect(tmp_path: Path) -> None:
    platform = Locked()
    with Supervisor(tmp_path / "bot.db", agent=agent, policy=FAST) as room:
        room.attach(platform)
        room.attach(HostedChat("fine", "me"))
        platform.until(WRONG)
        receipt = room.accept(chat="fine:me:1", id="1", text="there?", timeout_s=WAIT_S)
        assert room.answer(receipt, timeout_s=WAIT_S) == "there?"


def test_another_mistake_of_the_same_platform_is_told_as_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    platform = Locked()
    with Supervisor(tmp_path / "bot.db", agent=agent, policy=FAST) as room:
        room.attach(platform)
        platform.until(WRONG)
        platform.wrong = "another process uses this account; stop it"
        platform.until(platform.wrong)
        platform.until(platform.wrong)
        told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert [WRONG in told[0], platform.wrong in told[1], len(told)] == [True, True, 2]


def test_since_when_counts_from_the_last_change_and_not_from_the_last_try() -> None:
    new = Connection("a", "b", 1.0)
    assert not new.known
    failed = turned(new, "no network", 2.0)
    again = turned(failed, "time-out", 3.0)
    assert (failed.since, again.since, again.why_not) == (2.0, 2.0, "time-out")
    assert turned(turned(again, None, 4.0), None, 5.0) == Connection("a", "b", 4.0, connected=True)
