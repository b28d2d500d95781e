import asyncio
import stat
from pathlib import Path

import pytest
from tests.platforms.discord_people import until

from greenroom.platforms.chats.discord.progress import DIRECT_MAX, Progress


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "discord-me.json"


def test_at_first_nothing_is_known_and_it_begins_where_it_is_told(file: Path) -> None:
    progress = Progress(file)
    assert progress.upto == 0
    progress.begin(100)
    progress.begin(900)
    assert progress.upto == 100


def test_a_channel_with_work_to_do_holds_all_back(file: Path) -> None:
    progress = Progress(file)
    progress.owe(1, 50)
    progress.heard(90)
    progress.owe(2, 70)
    assert progress.upto == 50
    progress.owe(1, 60)
    assert progress.upto == 60
    progress.settle(1)
    assert progress.upto == 70
    progress.settle(2)
    assert progress.upto == 90


def test_it_is_remembered_by_the_next_process_and_hidden_from_others(file: Path) -> None:
    progress = Progress(file)
    progress.heard(90)
    assert progress.meet(7)
    assert not progress.meet(7)
    asyncio.run(progress.save())
    again = Progress(file)
    assert (again.upto, tuple(again.direct)) == (90, (7,))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_it_is_written_while_it_changes_and_at_the_end(file: Path) -> None:
    progress = Progress(file)
    async with progress.kept():
        progress.heard(1)
        await until(file.exists)
        progress.heard(2)
    assert Progress(file).upto == 2


def test_the_direct_chats_used_last_are_remembered(file: Path) -> None:
    progress = Progress(file)
    for chat in range(1, DIRECT_MAX + 1):
        progress.meet(chat)
    progress.meet(1)
    progress.meet(DIRECT_MAX + 1)
    known = tuple(progress.direct)
    assert len(known) == DIRECT_MAX
    assert known[-2:] == (1, DIRECT_MAX + 1)
    assert 2 not in known


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"upto": "x"}'])
def test_a_file_that_cannot_be_read_is_as_good_as_none(
    file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(content)
    assert Progress(file).upto == 0
    assert "cannot be read" in caplog.text


async def test_a_disk_that_refuses_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(tmp_path / "no such folder" / "discord-me.json")
    progress.heard(1)
    await progress.save()
    assert "cannot be written" in caplog.text
