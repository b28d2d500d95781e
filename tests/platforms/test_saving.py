from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenroom.actors.model import Attachment
from greenroom.actors.ports import BusyError
from greenroom.platforms.chats import saving
from greenroom.platforms.chats.saving import FOLDER, TRIES_MAX, Fetching, TooLargeError, Wanted, save

ATTACHED = Attachment("/there", "text/plain", 1, "b.txt")


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


class Attempts:
    """Fetches a file; what it fails with comes first, the last one for ever."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)

    async def fetch(self) -> Attachment:
        failure = self.failures.pop(0) if len(self.failures) > 1 else self.failures[0]
        if failure is not None:
            raise failure
        return ATTACHED


async def test_what_passes_is_tried_again_and_in_the_end_the_message_comes_without_the_file() -> None:
    fetching, lost = Fetching(OSError), Wanted("F1", "a.txt", Attempts(ConnectionResetError("cut")).fetch)
    for _ in range(TRIES_MAX - 1):
        with pytest.raises(BusyError):
            await fetching.fetch([lost])
    words = "[the file a.txt could not be fetched: ConnectionResetError]"
    assert await fetching.fetch([lost, Wanted("F2", None, Attempts(None).fetch)]) == ((ATTACHED,), (words,))
    with pytest.raises(BusyError):  # It is counted anew.
        await fetching.fetch([lost])


async def test_what_will_never_be_had_is_said_at_once_and_what_nobody_foresaw_is_the_callers() -> None:
    fetching = Fetching(OSError)
    refused = Wanted("F1", None, Attempts(TooLargeError("it has 21 bytes")).fetch)
    assert await fetching.fetch([refused]) == ((), ("[the file F1 could not be fetched: it has 21 bytes]",))
    with pytest.raises(ZeroDivisionError):
        await fetching.fetch([Wanted("F1", None, Attempts(ZeroDivisionError()).fetch)])
