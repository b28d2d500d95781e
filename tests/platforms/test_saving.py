from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenroom.platforms.chats import saving
from greenroom.platforms.chats.saving import FOLDER, TooLargeError, save


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def breaking() -> AsyncIterator[bytes]:
    yield b"half"
    raise ConnectionResetError("cut")


async def test_a_file_is_kept_for_us_alone_under_a_name_of_our_own(tmp_path: Path) -> None:
    kept = await save(tmp_path, "slack:me:F1", chunks(b"ab", b"c"), media_type="text/plain", name="../notes.md")
    path = Path(kept.where)
    assert (path.parent, path.suffix, path.read_bytes()) == (tmp_path / FOLDER, ".txt", b"abc")  # noqa: ASYNC240 - small
    assert (kept.media_type, kept.size, kept.name) == ("text/plain", 3, "../notes.md")
    modes = [each.stat().st_mode & 0o777 for each in (path, path.parent)]
    assert modes == [0o600, 0o700]


async def test_what_was_kept_before_is_not_read_again(tmp_path: Path) -> None:
    first = await save(tmp_path, "slack:me:F1", chunks(b"abc"), media_type="text/plain")
    assert await save(tmp_path, "slack:me:F1", breaking(), media_type="text/plain") == first
    assert await save(tmp_path, "slack:other:F1", chunks(b"abc"), media_type="text/plain") != first


@pytest.mark.parametrize("size", [None, 3, 11])
async def test_a_file_that_is_too_large_is_refused_whatever_its_sender_says(
    tmp_path: Path, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "BYTES_MAX", 10)
    with pytest.raises(TooLargeError):
        await save(tmp_path, "F1", chunks(b"123456", b"78901"), media_type="text/plain", size=size)
    assert list(tmp_path.rglob("*.txt")) == []  # noqa: ASYNC240 - small


async def test_a_download_that_breaks_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        await save(tmp_path, "F1", breaking(), media_type="text/plain")
    kept = await save(tmp_path, "F1", chunks(b"whole"), media_type="text/plain")
    assert kept.size == 5
