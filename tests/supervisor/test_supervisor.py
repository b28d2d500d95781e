"""The embedder's door on real threads: nothing of ours is left behind, and nothing of the host's is touched."""

import asyncio
import doctest
import logging
import math
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pykka
import pytest

from greenroom import BusyError, Message, Policy, RefusedError, Supervisor, Turn
from greenroom.actors.session_key import InvalidKeyError
from greenroom.storage.lock import Held
from greenroom.supervisor import operations
from greenroom.supervisor.answers import SupervisorFailedError

CHAT = "web:me:1"
WAIT_S = 20


def echo(messages: Sequence[Message]) -> str:
    return f"re {messages[-1].text}"


def ours() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "greenroom" in thread.name.lower()}


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(operations).failed == 0


async def test_an_async_host_is_answered_and_keeps_its_loop_signals_logs_and_actors(tmp_path: Path) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root, registry = list(logging.getLogger().handlers), pykka.ActorRegistry.get_all()
    async with Supervisor(tmp_path / "bot.db", agent=echo) as room:
        first = await room.accept(chat=CHAT, id="1", text="hello")
        again = await room.accept(chat=CHAT, id="1", text="hello")
        assert (again.inbox_id, again.repeated) == (first.inbox_id, True)
        assert await asyncio.wait_for(room.answer(first), WAIT_S) == "re hello"
        assert await asyncio.wait_for(room.answer(again), WAIT_S) == "re hello"
        assert handlers == {number: signal.getsignal(number) for number in handlers}
        assert logging.getLogger().handlers == root
        assert pykka.ActorRegistry.get_all() == registry
    assert ours() == set()


def test_a_blocking_host_is_answered_and_two_rooms_live_side_by_side(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "a.db", agent=echo) as one, Supervisor(tmp_path / "b.db", agent=echo) as two:
        asked = one.accept(chat=CHAT, id="1", text="a"), two.accept(chat=CHAT, id="1", text="b")
        assert one.answer(asked[0], timeout_s=WAIT_S) == "re a"
        assert two.answer(asked[1], timeout_s=WAIT_S) == "re b"
    assert ours() == set()


def test_a_database_that_is_held_is_refused_and_leaves_no_thread(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "bot.db", agent=echo) as room:
        before = ours()
        with pytest.raises(Held), Supervisor(tmp_path / "bot.db", agent=echo):
            pass
        assert ours() == before
        assert room.answer(room.accept(chat=CHAT, id="1", text="a"), timeout_s=WAIT_S) == "re a"


def test_what_was_interrupted_goes_on_in_the_next_life_and_its_receipt_still_leads_to_the_answer(
    tmp_path: Path,
) -> None:
    began = threading.Event()

    async def agent(turn: Turn) -> str:
        if turn.attempt == 1:
            began.set()
            await asyncio.Event().wait()
        return f"attempt {turn.attempt}"

    policy = Policy(drain_s=0)
    with Supervisor(tmp_path / "bot.db", agent=agent, policy=policy) as room:
        receipt = room.accept(chat=CHAT, id="1", text="a")
        assert began.wait(WAIT_S)
    with Supervisor(tmp_path / "bot.db", agent=agent, policy=policy) as room:
        room.accept(chat=CHAT, id="2", text="and?")
        assert room.answer(receipt, timeout_s=WAIT_S) == "attempt 2"


def test_an_error_in_the_block_closes_in_order_and_is_the_hosts(tmp_path: Path) -> None:
    def host() -> None:
        with Supervisor(tmp_path / "bot.db", agent=echo) as room:
            room.accept(chat=CHAT, id="1", text="a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        host()
    assert ours() == set()
    supervisor = Supervisor(tmp_path / "bot.db", agent=echo)
    with supervisor:
        assert supervisor.store is not None
        assert [str(boot.ending) for boot in supervisor.store.boots[1:]] == ["clean"]


def test_who_still_waits_when_the_room_closes_hears_that_there_will_be_no_answer(tmp_path: Path) -> None:
    heard: list[BaseException] = []
    asked = threading.Event()

    async def agent(turn: Turn) -> str:
        asked.set()
        return await turn.ask_user("Which?")

    with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        receipt = room.accept(chat=CHAT, id="1", text="a")

        def wait() -> None:
            try:
                room.answer(receipt, timeout_s=WAIT_S)
            except (SupervisorFailedError, TimeoutError) as error:
                heard.append(error)

        waiter = threading.Thread(target=wait, name="host")
        waiter.start()
        assert asked.wait(WAIT_S)
    waiter.join(WAIT_S)
    assert [type(error) for error in heard] == [SupervisorFailedError]
    with pytest.raises(SupervisorFailedError, match="closed"):
        room.answer(receipt, timeout_s=WAIT_S)
    with pytest.raises(BusyError):
        room.accept(chat=CHAT, id="2", text="b")


async def test_a_host_that_stops_waiting_for_the_failure_causes_none(tmp_path: Path) -> None:
    finished = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def agent(turn: Turn) -> str:
        await asyncio.sleep(0.01)
        loop.call_soon_threadsafe(finished.set)
        return f"re {turn.text}"

    async with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        failure = asyncio.create_task(room.failure())
        receipt = await room.accept(chat=CHAT, id="1", text="a")
        failure.cancel()
        with pytest.raises(asyncio.CancelledError):
            await failure
    async with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        assert await asyncio.wait_for(room.answer(receipt), WAIT_S) == "re a"
    assert finished.is_set()


async def test_a_host_cancelled_while_it_leaves_has_left_in_order(tmp_path: Path) -> None:
    inside = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def agent(turn: Turn) -> str:
        loop.call_soon_threadsafe(inside.set)
        await asyncio.Event().wait()
        return turn.text

    async def host() -> None:
        async with Supervisor(tmp_path / "bot.db", agent=agent) as room:
            await room.accept(chat=CHAT, id="1", text="a")
            await inside.wait()

    task = asyncio.create_task(host())
    await inside.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ours() == set()


def test_what_may_not_come_in_is_refused_with_words(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "bot.db", agent=echo, policy=Policy(allow=("web:*",), text_max=5)) as room:
        with pytest.raises(RefusedError, match="not allowed"):
            room.accept(chat="telegram:me:1", id="1", text="a")
        with pytest.raises(RefusedError, match="empty"):
            room.accept(chat=CHAT, id="1", text=" \0 ")
        with pytest.raises(RefusedError, match="limit is 5"):
            room.accept(chat=CHAT, id="1", text="abcdef")


def test_what_is_of_no_type_that_was_asked_for_is_refused_with_words(tmp_path: Path) -> None:
    nonsense: Any
    with Supervisor(tmp_path / "bot.db", agent=echo) as room:
        for nonsense in (5, None, b"web:me:1"):
            with pytest.raises(InvalidKeyError, match="write platform:account:chat as text"):
                room.accept(chat=nonsense, id="1", text="a")
        for wrong in ({"id": 1, "text": "a"}, {"id": "1", "text": 5}, {"id": "1", "text": "a", "sent_at": "now"}):
            nonsense = wrong
            with pytest.raises(RefusedError, match="must be"):
                room.accept(chat=CHAT, **nonsense)
        room.accept(chat=CHAT, id="1", text="a")
        for nonsense in (2**70, -1, "1", None, 1.0, True, [], math.nan):
            with pytest.raises(RefusedError, match="there is no session"):
                room.release(nonsense)
            with pytest.raises(RefusedError, match="there is no session"):
                room.forget(nonsense, whole_chat=False)


def test_a_supervisor_is_entered_once_at_a_time_and_may_be_entered_again(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "bot.db", agent=echo)
    for number in ("1", "2"):
        with supervisor as room:
            with pytest.raises(RuntimeError, match="running already"):
                supervisor.__enter__()
            assert room.answer(room.accept(chat=CHAT, id=number, text="a"), timeout_s=WAIT_S) == "re a"
    assert ours() == set()
