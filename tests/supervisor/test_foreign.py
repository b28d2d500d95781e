"""What a host's callbacks and platforms raise: it is theirs, and the house stands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from greenroom import Door, HostedChat, Policy, RefusedError, Supervisor, Turn
from greenroom.actors.ref import Ref
from greenroom.supervisor.foreign import walled
from greenroom.supervisor.platform_actor import Ended, PlatformActor
from greenroom.supervisor.platform_door import PlatformDoor
from greenroom.supervisor.supervisor import BlockingRoom

WAIT_S = 20.0
FAST = Policy(restart_backoff_s=0.001, restart_backoff_max_s=0.01)


def leave(*_: object) -> Any:
    raise SystemExit("the host's mistake")


async def agent(turn: Turn) -> str:
    return turn.text


def test_a_callback_that_raises_answers_what_it_would_have_to(caplog: pytest.LogCaptureFixture) -> None:
    assert walled("hung_up", leave, None)() is None
    assert walled("hung_up", lambda error: error == "x", otherwise=False)("x") is True
    assert "the host's hung_up raised" in caplog.text


def test_a_supervisor_outlives_what_its_host_is_told(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "bot.db", agent=agent, on_began=leave, on_trouble=leave) as room:
        receipt = room.accept(chat="a:b:c", id="1", text="there?", timeout_s=WAIT_S)
        assert room.answer(receipt, timeout_s=WAIT_S) == "there?"


def test_a_ctrl_c_that_comes_while_a_callback_runs_is_the_hosts_own() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walled("on_began", interrupted, None)()
    with ThreadPoolExecutor(1) as inner:
        assert inner.submit(walled("on_began", interrupted, "goes on")).result(WAIT_S) == "goes on"


def test_a_boot_outlives_who_may_write_and_lets_nobody_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def endless(_turn: Turn) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    begun, began = threading.Event(), threading.Event()
    with Supervisor(tmp_path / "bot.db", agent=endless, policy=Policy(drain_s=0.0)) as room:
        room.accept(chat="a:b:c", id="1", text="there?", timeout_s=WAIT_S)
        assert begun.wait(WAIT_S)
    shut = Policy(allow=leave)
    with Supervisor(tmp_path / "bot.db", agent=agent, policy=shut, on_began=lambda _: began.set()) as room:
        assert began.wait(WAIT_S), "it decides what was open"
        with pytest.raises(RefusedError, match="not allowed"):
            room.accept(chat="a:b:c", id="2", text="there?", timeout_s=WAIT_S)
        assert not room._failed.done()
    assert "the host's policy.allow raised; greenroom goes on" in caplog.text


class Misfit(HostedChat):
    """Its `run` raises before it is a coroutine, so many times; then it receives."""

    def __init__(self, failures: int) -> None:
        super().__init__("mis", "fit")
        self.failures = failures
        self.receives = threading.Event()

    def run(self, door: Door) -> Coroutine[Any, Any, None]:
        if not self.failures:
            return self.receive(door)
        self.failures -= 1
        raise RuntimeError("no token")

    async def receive(self, door: Door) -> None:
        self.receives.set()
        await super().run(door)


def stay(_error: BaseException | None) -> bool:
    return False


@pytest.mark.parametrize("hung_up", [stay, leave])
def test_a_platform_that_cannot_even_begin_is_run_again_like_any_other(
    tmp_path: Path, hung_up: Callable[[BaseException | None], bool]
) -> None:
    platform = Misfit(3)
    with Supervisor(tmp_path / "bot.db", agent=agent, policy=FAST) as room:
        room.attach(platform, hung_up=hung_up)
        assert platform.receives.wait(WAIT_S)


class Doorbell(HostedChat):
    """Counts how often it began to receive."""

    def __init__(self) -> None:
        super().__init__("door", "bell")
        self.rung = threading.Semaphore(0)

    async def run(self, door: Door) -> None:
        self.rung.release()
        await super().run(door)


def receiver_of(room: BlockingRoom) -> Ref[PlatformActor]:
    (attachment,) = room._core.attachments._all.values()
    assert attachment.receiver is not None
    return attachment.receiver


def test_a_receiver_whose_actor_died_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenroom.supervisor.core.REOPEN_S", 0.001)
    platform, falls = Doorbell(), iter([True])

    def disconnected(_door: PlatformDoor, _why: str) -> None:
        if next(falls, False):
            raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(PlatformDoor, "disconnected", disconnected)
    with Supervisor(tmp_path / "bot.db", agent=agent, policy=FAST) as room:
        room.attach(platform)
        assert platform.rung.acquire(timeout=WAIT_S)
        receiver = receiver_of(room)
        receiver.tell(Ended(RuntimeError("the network is gone")))
        assert platform.rung.acquire(timeout=WAIT_S)
        assert receiver_of(room) is not receiver
