"""How a boot ends on disk: clean only when it came to an orderly end, and otherwise with the reason."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from operator import attrgetter
from pathlib import Path

import apsw
import pytest

from greenroom import Message, Policy, Supervisor, Turn
from greenroom.platforms.fakes.platform import Fault
from greenroom.storage.lock import read_holder
from greenroom.supervisor.core import Core
from greenroom.supervisor.drain import FLUSH_S, INTERRUPT_S
from greenroom.supervisor.sandbox.scenario import Accident, Scenario

WAIT_S = 20.0


async def agent(turn: Turn) -> str:
    return turn.text


def boots(path: Path) -> list[tuple[object, object]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = [(ending, reason) for ending, reason in db.execute("SELECT ending, reason FROM boots ORDER BY epoch")]
    db.close()
    return found


def test_an_orderly_end_is_stored_as_clean(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "bot.db", agent=agent):
        pass
    assert boots(tmp_path / "bot.db") == [("clean", "shutdown")]


def test_a_supervisor_that_cannot_go_on_ends_unclean_and_says_why(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "bot.db", agent=agent)
    with supervisor as room:
        room._core.fail("the disk is damaged")
    assert boots(tmp_path / "bot.db") == [("unclean", "the disk is damaged")]


def test_an_end_in_a_hurry_is_not_stored_as_clean(tmp_path: Path) -> None:
    begun = threading.Event()

    async def endless(_turn: Turn) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    supervisor = Supervisor(tmp_path / "bot.db", agent=endless)
    with supervisor as room:
        room.accept(chat="a:b:c", id="1", text="work", timeout_s=WAIT_S)
        assert begun.wait(WAIT_S)
        supervisor.hurry()
    assert boots(tmp_path / "bot.db") == [("unclean", "shutdown, told again to end at once")]


def test_a_session_that_is_left_before_it_let_go_is_the_reason_of_an_unclean_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.supervisor.drain.INTERRUPT_S", 0.0)
    begun = threading.Event()

    async def endless(_turn: Turn) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    with Supervisor(tmp_path / "bot.db", agent=endless, policy=Policy(drain_s=0.0)) as room:
        room.accept(chat="a:b:c", id="1", text="work", timeout_s=WAIT_S)
        assert begun.wait(WAIT_S)
    assert boots(tmp_path / "bot.db") == [("unclean", "shutdown: not every session had let go in time")]


@pytest.mark.parametrize("error", [None, KeyError("the host's own")])
def test_a_plain_agent_that_never_returns_is_left_behind_with_a_warning_and_masks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: KeyError | None
) -> None:
    monkeypatch.setattr("greenroom.supervisor.closing.CLOSE_S", 0.2)
    begun, gate = threading.Event(), threading.Event()

    def hung(_messages: Sequence[Message]) -> str:
        begun.set()
        gate.wait(WAIT_S)
        return "too late"

    def live() -> None:
        with Supervisor(tmp_path / "bot.db", agent=hung, policy=Policy(drain_s=0.0)) as room:
            room.accept(chat="a:b:c", id="1", text="work", timeout_s=WAIT_S)
            assert begun.wait(WAIT_S)
            if error is not None:
                raise error

    with nullcontext() if error is None else pytest.raises(KeyError, match="the host's own"):
        live()
    gate.set()
    assert "does not return, and is left behind" in caplog.text
    assert "greenroom-worker" in caplog.text
    assert boots(tmp_path / "bot.db") == [("clean", "shutdown")]


@pytest.mark.parametrize("step", ["_core.drain", "_wait_for_drain", "_core.close", "store.close", "store._aides.stop"])
def test_what_interrupts_an_end_is_the_hosts_and_leaves_nothing_that_keeps_it_from_beginning_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    supervisor = Supervisor(tmp_path / "bot.db", agent=agent)
    holder, _, name = step.rpartition(".")

    def interrupted(*_: object, **__: object) -> None:
        monkeypatch.undo()  # Once, as a person does who presses Ctrl-C again.
        raise KeyboardInterrupt

    def live() -> None:
        with supervisor as room:
            room.answer(room.accept(chat="a:b:c", id="1", text="hi", timeout_s=WAIT_S), timeout_s=WAIT_S)
            owner = attrgetter(holder)(supervisor) if holder else supervisor
            monkeypatch.setattr(type(owner), name, interrupted)

    with pytest.raises(KeyboardInterrupt):
        live()
    assert [thread.name for thread in threading.enumerate() if "greenroom" in thread.name] == []
    with supervisor as room:
        room.answer(room.accept(chat="a:b:c", id="2", text="hi", timeout_s=WAIT_S), timeout_s=WAIT_S)
    assert boots(tmp_path / "bot.db")[0][0] != "clean"
    assert boots(tmp_path / "bot.db")[1:] == [("clean", "shutdown")]


async def test_an_error_while_an_async_host_leaves_lets_go_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live() -> None:
        async with Supervisor(tmp_path / "bot.db", agent=agent):
            monkeypatch.setattr(Core, "close", fall)

    with pytest.raises(RuntimeError, match="the tree dies"):
        await live()
    assert [thread.name for thread in threading.enumerate() if "greenroom" in thread.name] == []
    monkeypatch.undo()
    async with Supervisor(tmp_path / "bot.db", agent=agent):
        pass


def test_an_opening_that_is_interrupted_holds_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(Core, "_make_keeper", interrupted)
    with pytest.raises(KeyboardInterrupt), Supervisor(tmp_path / "bot.db", agent=agent):
        pass
    assert [thread.name for thread in threading.enumerate() if "greenroom" in thread.name] == []
    with Supervisor(tmp_path / "bot.db", agent=agent):
        pass


def test_a_house_that_falls_is_built_anew_beside_the_timers_and_its_boot_is_called_fallen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Semaphore(0)
    threads: list[str] = []
    supervisor = Supervisor(
        tmp_path / "bot.db",
        agent=agent,
        policy=Policy(restart_backoff_s=0.001),
        on_began=lambda _: began.release(),
    )
    opening = supervisor._open_store

    def open_store(fell: object) -> object:
        threads.append(threading.current_thread().name)
        return opening(fell)  # type: ignore[arg-type]

    monkeypatch.setattr(supervisor, "_open_store", open_store)
    with supervisor as room:
        supervisor.serve_at("http://127.0.0.1:8765/")
        assert began.acquire(timeout=WAIT_S)
        storey = room._core._storey
        assert storey is not None
        storey.tree.actor_inbox.actor.on_receive = fall  # type: ignore[union-attr,method-assign]
        storey.tell(object())
        assert began.acquire(timeout=WAIT_S)
        holder = read_holder(tmp_path / "bot.db")
        assert holder is not None
        assert holder.address == "http://127.0.0.1:8765/", "others still find it"
        receipt = room.accept(chat="a:b:c", id="1", text="hi", timeout_s=WAIT_S)
        assert room.answer(receipt, timeout_s=WAIT_S) == "hi"
    assert boots(tmp_path / "bot.db") == [("fell", None), ("clean", "shutdown")]
    assert threads[0] == "MainThread"
    assert threads[1].startswith("greenroom-RebuildActor")


def fall(*_: object, **__: object) -> None:
    raise RuntimeError("the tree dies")


def test_an_outbox_that_dies_in_a_drain_is_asked_again_whether_all_is_sent() -> None:
    with Scenario(agent) as room:
        room.platform_fails(*[Fault.SLOW] * 4)
        room.says("hi")
        room.advance(0.2)
        room.accident(Accident.OUTBOX_RAISES)
        room.order_drain()
        began, life = room.world.now, room.life
        assert life is not None
        room.until(lambda: life.over)
        assert room.visible() == ["hi"]
        assert room.world.now - began < FLUSH_S + INTERRUPT_S, "it ends when all is sent, and not when its time is up"


def test_a_drain_that_is_hurried_while_all_is_built_anew_leaves_no_process() -> None:
    """Found by seed 1728037313: whoever ended in that moment did not wait for the end of what agents had started."""
    with Scenario(policy=Policy(unclean_boots_max=99)) as room:
        room.says("m1 process:forget nap answer")
        room.until(room.world.machine.living)
        room.accident(Accident.STORAGE_RAISES)
        life = room.life
        assert life is not None
        room.says("m2")
        room.until(lambda: life.core.store is None)
        room.order_drain()
        room.order_drain()
        room.until(lambda: life.over)
        assert not room.world.machine.living()
        assert room.broken(at_rest=False) == []
