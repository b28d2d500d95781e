"""What a host does to conversations that are there: edits, deletions, releases, photos, and an end that is a restart."""

import asyncio
import gc
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from greenroom import Attachment, BusyError, Intent, Message, Policy, RefusedError, Supervisor, Turn
from greenroom.actors.model import DeliveryClass, SessionId, SessionKey
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform, Fault
from greenroom.storage.lock import WriterLock
from greenroom.storage.writer import Writer
from greenroom.supervisor.access import Access

CHAT = "web:me:1"
WAIT_S = 20


def rows(messages: Sequence[Message]) -> str:
    return " | ".join(f"{row.kind}:{row.text[-20:]}" for row in messages)


def test_a_blocking_host_tells_of_edits_and_deletions_once_each(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "bot.db", agent=rows) as room:
        room.answer(room.accept(chat=CHAT, id="1", text="hello", reply_to="p1"), timeout_s=WAIT_S)
        first = room.amend(chat=CHAT, id="2", of="p1", text="goodbye", timeout_s=WAIT_S)
        again = room.amend(chat=CHAT, id="2", of="p1", text="goodbye", timeout_s=WAIT_S)
        assert (first.repeated, again.repeated, again.inbox_id) == (False, True, first.inbox_id)
        room.amend(chat=CHAT, id="3", of="p1", text=None, timeout_s=WAIT_S)
        told = room.answer(room.accept(chat=CHAT, id="4", text="and now?"), timeout_s=WAIT_S)
        assert told.count("changed:") == 2
        assert "reads: goodbye" in told
        with pytest.raises(RefusedError, match="reply_to"):
            room.amend(chat=CHAT, id="5", of="", text="x", timeout_s=WAIT_S)


async def test_an_async_host_sends_a_photo_edits_and_releases(tmp_path: Path) -> None:
    async def agent(turn: Turn) -> str:
        return ", ".join(each.where for message in turn.new for each in message.attachments) or turn.text

    async with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        photo = await room.accept(chat=CHAT, id="1", text="", attachments=[Attachment("/spool/1.png", "image/png")])
        assert await asyncio.wait_for(room.answer(photo), WAIT_S) == "/spool/1.png"
        assert not (await room.amend(chat=CHAT, id="2", of="p1", text="x")).repeated
        await room.release(photo.session_id)
        with pytest.raises(RefusedError, match="there is no session 999"):
            await room.release(SessionId(999))
        with pytest.raises(RefusedError, match="empty"):
            await room.accept(chat=CHAT, id="3", text="")


async def test_a_host_sends_a_letter_again_or_gives_it_up_and_hears_why_not(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "bot.db", agent=rows) as room:
        receipt = await room.accept(chat=CHAT, id="1", text="hello")
        await asyncio.wait_for(room.answer(receipt), WAIT_S)
        owed = await room.resend("1.1.answer")  # No platform is attached: it waits for one.
        assert (owed.key, owed.state.value, str(owed.session)) == ("1.1.answer", "pending", CHAT)
        await room.drop("1.1.answer")
        with pytest.raises(RefusedError, match="no delivery 'nothing'"):
            await room.drop("nothing")
    with Supervisor(tmp_path / "bot.db", agent=rows) as room:
        assert room.resend("1.1.answer", timeout_s=WAIT_S).state.value == "dead"
        assert room.drop("1.1.answer", timeout_s=WAIT_S).state.value == "unknown"


def test_an_end_that_is_a_restart_says_so(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "bot.db", agent=rows)
    with supervisor as room:
        room.answer(room.accept(chat=CHAT, id="1", text="hello"), timeout_s=WAIT_S)
        supervisor.intent = Intent.RESTART
    db = apsw.Connection(str(tmp_path / "bot.db"))
    assert db.execute("SELECT ending, reason FROM boots").fetchall() == [("clean", "restart")]
    db.close()
    with pytest.raises((BusyError, RuntimeError)):
        room.release(room.accept(chat=CHAT, id="2", text="late", timeout_s=WAIT_S).session_id)


async def test_an_async_host_orders_what_a_person_could_and_sends_what_it_wants_said(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "bot.db", agent=rows) as room:
        await room.answer(await room.accept(chat=CHAT, id="1", text="hello"))
        assert await room.send(chat=CHAT, text="back at 5", id="n1") == "back at 5"
        assert await room.send(chat=CHAT, text="back at 5", id="n1") == "back at 5"
        assert (
            await room.suspend(chat=CHAT)
            == "Suspended. What you write is kept; nothing begins until you write /resume."
        )
        with pytest.raises(RefusedError, match="suspended; /resume"):
            await room.retry(chat=CHAT)
        assert await room.resume(chat=CHAT) == "Not suspended any more; nothing waits."
        assert await room.retry(chat=CHAT) == "Running your last request again."
        told = await room.answer(await room.accept(chat=CHAT, id="2", text="and now?"))
        assert told.count("operator:") == 1
        with pytest.raises(RefusedError, match="nobody has written"):
            await room.suspend(chat="web:me:2")
        with pytest.raises(RefusedError, match="nothing to send"):
            await room.send(chat=CHAT, text=" ")


async def test_a_host_cancels_what_runs_in_a_chat(tmp_path: Path) -> None:
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    async def agent(turn: Turn) -> str:
        loop.call_soon_threadsafe(begun.set)
        await asyncio.Event().wait()
        return turn.text

    async with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        await room.accept(chat=CHAT, id="1", text="hold on")
        await asyncio.wait_for(begun.wait(), WAIT_S)
        assert await room.cancel(chat=CHAT, id="c1") == "Stopped."
        with pytest.raises(RefusedError, match=r"Nothing is running\."):
            await room.cancel(chat=CHAT)


def test_a_blocking_host_orders_the_same(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "bot.db", agent=rows, policy=Policy(allow=("web:me:1",))) as room:
        room.answer(room.accept(chat=CHAT, id="1", text="hello"), timeout_s=WAIT_S)
        with pytest.raises(RefusedError, match=r"Nothing is running\."):
            room.cancel(chat=CHAT, timeout_s=WAIT_S)
        assert room.send(chat=CHAT, text="back at 5", timeout_s=WAIT_S) == "back at 5"
        assert room.suspend(chat=CHAT, timeout_s=WAIT_S).startswith("Suspended.")
        assert room.resume(chat=CHAT, timeout_s=WAIT_S).startswith("Not suspended any more")
        assert room.retry(chat=CHAT, timeout_s=WAIT_S).startswith("Running your last request")
        with pytest.raises(RefusedError, match="not allowed"):
            room.send(chat="web:me:2", text="x", timeout_s=WAIT_S)
    with pytest.raises((BusyError, RuntimeError)):
        room.send(chat=CHAT, text="late", timeout_s=WAIT_S)


@pytest.mark.parametrize("promise, texts", [("exactly_once", ("...", "hello")), ("at_least_once", ("hello",))])
async def test_a_host_says_of_each_platform_what_it_promises(tmp_path: Path, promise: str, texts: tuple[str]) -> None:
    server = FakeChatServer()
    chat = SessionKey("fake", "bot", "1")
    async with Supervisor(tmp_path / "bot.db", agent=lambda messages: messages[-1].text) as room:
        with pytest.raises(ValueError, match="twice"):
            room.attach(FakePlatform(server, DeliveryClass.EDIT_ANCHOR), promise="twice")
        room.attach(FakePlatform(server, DeliveryClass.EDIT_ANCHOR), promise=promise)
        receipt = await room.accept(chat=chat, id="u1", text="hello")
        assert await room.answer(receipt) == "hello"
    (message,) = server.visible(chat)  # The drain flushed it.
    assert tuple(message.texts) == texts


async def test_a_letter_that_dies_is_in_the_log_with_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = FakeChatServer()
    platform = FakePlatform(server, DeliveryClass.NATIVE_KEY)
    platform.faults.append(Fault.REFUSED)
    async with Supervisor(tmp_path / "bot.db", agent=rows) as room:
        room.attach(platform)
        server.say(SessionKey("fake", "bot", "1"), "u1", "hello")
        async with asyncio.timeout(WAIT_S):
            while "1.1.answer of fake:bot:1 cannot be delivered" not in caplog.text:  # noqa: ASYNC110 - no bell rings
                await asyncio.sleep(0.01)
    assert "see `greenroom dead list`" in caplog.text


def count_futures() -> int:
    """How many futures of asyncio somebody holds."""
    gc.collect()
    return sum(type(each) is asyncio.Future for each in gc.get_objects())


async def test_who_gives_up_waiting_for_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "bot.db", agent=rows) as room:
        before = count_futures()
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(room.failure(), 0)
            waiting = asyncio.create_task(room.failure())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
        assert count_futures() < before + 20


async def test_all_who_wait_for_a_failure_hear_of_it_and_so_does_who_comes_later(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "bot.db", agent=rows) as room:
        waiting = [asyncio.create_task(room.failure()) for _ in range(2)]
        await asyncio.sleep(0)
        room._core.fail("the disk is damaged")
        heard = [await asyncio.wait_for(each, WAIT_S) for each in (*waiting, room.failure())]
    assert heard == ["the disk is damaged"] * 3


async def test_a_note_that_cannot_be_written_while_the_storage_is_reopened_holds_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, began, fails = asyncio.get_running_loop(), asyncio.Semaphore(0), ["disk full", "a defect"]
    commit, serve_at = Writer.commit, WriterLock.serve_at

    def fail_once(writer: Writer, requests: Any) -> object:
        if "a defect" in fails:
            raise RuntimeError(fails.pop())
        return commit(writer, requests)

    def fail_then_serve(lock: WriterLock, address: str | None) -> None:
        if "a defect" not in fails and fails:
            raise OSError(fails.pop())
        serve_at(lock, address)

    def hear_began(_: object) -> None:
        loop.call_soon_threadsafe(began.release)

    supervisor = Supervisor(tmp_path / "bot.db", agent=rows, on_began=hear_began)
    async with supervisor as room:
        supervisor.serve_at("http://127.0.0.1:1")
        await asyncio.wait_for(began.acquire(), WAIT_S)
        monkeypatch.setattr(Writer, "commit", fail_once)
        monkeypatch.setattr(WriterLock, "serve_at", fail_then_serve)
        with pytest.raises(BusyError):
            await room.accept(chat=CHAT, id="1", text="hello")
        await asyncio.wait_for(began.acquire(), WAIT_S)
        assert fails == []
        await room.accept(chat=CHAT, id="1", text="hello")


def test_a_ctrl_c_while_the_parts_are_put_together_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with monkeypatch.context() as patched:
        patched.setattr(Access, "__init__", interrupted)
        with pytest.raises(KeyboardInterrupt), Supervisor(tmp_path / "bot.db", agent=rows):
            pass
    assert set(threading.enumerate()) <= before
    with Supervisor(tmp_path / "bot.db", agent=rows):
        pass
