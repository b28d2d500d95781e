import asyncio
import stat
import threading
from pathlib import Path

import msgspec
import pytest

from greenroom.platforms.chats.keepsake import Keepsake, kept, write_whole


class Ticket(msgspec.Struct, frozen=True):
    seat: int
    row: str = "A"


@pytest.fixture
def keepsake(tmp_path: Path) -> Keepsake[Ticket]:
    return Keepsake(tmp_path / "ticket.json", Ticket, without="a new seat is taken")


def test_what_was_written_is_read_and_hidden_from_others(
    keepsake: Keepsake[Ticket], caplog: pytest.LogCaptureFixture
) -> None:
    assert keepsake.read() is None
    keepsake.write(Ticket(7, "Ü"))
    assert keepsake.read() == Ticket(7, "Ü")
    assert stat.S_IMODE(keepsake.path.stat().st_mode) == 0o600
    assert not caplog.records, "that there is no file yet is no news"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"seat": "x"}', b'{"seat": 7, "row": "\xff"}'])
def test_one_that_cannot_be_read_is_none_and_it_is_said_what_follows(
    keepsake: Keepsake[Ticket], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    keepsake.path.write_bytes(content)
    assert keepsake.read() is None
    assert f"{keepsake.path} cannot be read" in caplog.text
    assert "a new seat is taken" in caplog.text


def test_one_that_is_no_file_is_none(keepsake: Keepsake[Ticket], caplog: pytest.LogCaptureFixture) -> None:
    keepsake.path.mkdir()
    assert keepsake.read() is None
    assert "a new seat is taken" in caplog.text


async def test_a_disk_that_refuses_is_told_to_who_writes_and_logged_for_who_saves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keepsake = Keepsake(tmp_path / "no such folder" / "ticket.json", Ticket, without="")
    await keepsake.save(Ticket(7))
    assert "cannot be written" in caplog.text
    with pytest.raises(FileNotFoundError):
        keepsake.write(Ticket(7))


class Saves:
    """Counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.changed = asyncio.Event()
        self.saved = asyncio.Event()

    async def save(self) -> None:
        self.count += 1
        self.changed.clear()
        self.saved.set()


async def test_it_is_saved_with_each_change_and_at_the_end() -> None:
    saves = Saves()
    async with kept(saves.save, pause_s=0.0, changed=saves.changed.wait):
        for _ in range(2):
            saves.saved.clear()
            saves.changed.set()
            await asyncio.wait_for(saves.saved.wait(), 20)
    assert saves.count == 3


async def test_what_always_changes_is_saved_without_being_asked_and_also_when_the_block_fails() -> None:
    saves = Saves()

    async def fail() -> None:
        async with kept(saves.save, pause_s=600.0):
            await asyncio.wait_for(saves.saved.wait(), 20)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await fail()
    assert saves.count == 2


async def test_who_is_cancelled_while_it_is_written_waits_for_the_end() -> None:
    begun, may_end, written = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        assert may_end.wait(20)
        written.set()

    writing = asyncio.create_task(write_whole(write))
    await asyncio.to_thread(begun.wait, 20)
    writing.cancel()
    await asyncio.sleep(0)
    assert not writing.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert written.is_set()


async def test_what_cannot_be_written_is_raised_and_told_where_nobody_waits_any_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        assert may_end.wait(20)
        raise OSError("the disk is full")

    writing = asyncio.create_task(write_whole(write))
    await asyncio.to_thread(begun.wait, 20)
    writing.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert "the disk is full" in caplog.text
    with pytest.raises(OSError, match="full"):
        await write_whole(write)
