"""Files for a model: below one folder, and nowhere else."""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.platforms.agents.caller import Caller, calling

from greenroom.actors.atomic import replace_in
from greenroom.platforms.agents.tools.files import FilesSettings, make
from greenroom.platforms.agents.tools.rooted import OutsideError, opened_file, opened_folder, parts_of

SECRET = "the secret of the house"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (root := tmp_path / "root").mkdir()
    (root / "notes").mkdir()
    (root / "notes" / "today.txt").write_text("buy milk\n", encoding="utf-8")
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "way").symlink_to(tmp_path)
    return root


@pytest.fixture
async def caller(root: Path, tmp_path: Path) -> AsyncIterator[Caller]:
    settings = FilesSettings(root=Path("root"), write=True, read_max=20, write_max=100)
    async with calling(tmp_path, make(settings, tmp_path)) as caller:
        yield caller


async def test_files_are_listed_read_and_written(caller: Caller, root: Path) -> None:
    assert await caller.told("list_files") == "link (no file)\nnotes/\nway (no file)"
    assert await caller.told("read_file", path="notes/today.txt") == "buy milk\n"
    await caller.told("write_file", path="new/deep/list.txt", content="eggs")
    assert (root / "new/deep/list.txt").read_text(encoding="utf-8") == "eggs"
    assert await caller.told("list_files", path="new/deep") == "list.txt 4"
    (root / "notes/today.txt").chmod(0o640)
    await caller.told("write_file", path="notes/today.txt", content="done")
    assert (
        (root / "notes/today.txt").read_text(encoding="utf-8"),
        (root / "notes/today.txt").stat().st_mode & 0o777,
    ) == ("done", 0o640)


async def test_a_long_file_is_read_in_parts(caller: Caller, root: Path) -> None:
    (root / "long").write_text("a" * 20 + "b" * 5, encoding="utf-8")
    assert await caller.told("read_file", path="long") == "a" * 20 + "\n[bytes 0 to 20 of 25; go on with offset 20]"
    assert await caller.told("read_file", path="long", offset=20) == "bbbbb"


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "link", "way/secret", "notes/../../secret", "notes", "", "pipe"]
)
async def test_nothing_leads_out_and_only_files_are_read(caller: Caller, root: Path, path: str) -> None:
    os.mkfifo(root / "pipe")
    told = await caller.refused("read_file", path=path)
    assert "is no path below the root" in told
    assert SECRET not in told


@pytest.mark.parametrize("path", ["../new", "/tmp/new", "link", "way/new", "way/secret", "notes", "", "a/../../new"])
async def test_nothing_is_written_elsewhere(caller: Caller, root: Path, path: str) -> None:
    assert "is no path below the root" in await caller.refused("write_file", path=path, content="mine")
    assert (root.parent / "secret").read_text(encoding="utf-8") == SECRET
    assert not (root.parent / "new").exists()


async def test_what_is_too_large_or_no_text_is_refused(caller: Caller, root: Path) -> None:
    (root / "image").write_bytes(b"\x89PNG\0\0")
    assert "is no text (6 bytes)" in await caller.refused("read_file", path="image")
    assert "the limit is 100" in await caller.refused("write_file", path="big", content="x" * 101)
    assert "Expected `str`, got `int`" in await caller.refused("read_file", path=7)
    assert "unknown field `mode`" in await caller.refused("read_file", path="link", mode="r")


async def test_unless_it_is_wanted_nothing_can_be_written(root: Path, tmp_path: Path) -> None:
    offered = await make(FilesSettings(root=root), tmp_path).offer()
    assert [each.name for each in offered] == ["read_file", "list_files"]
    assert offered[0].parameters["required"] == ["path"]


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        make(FilesSettings(root=Path("nowhere")), tmp_path)


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere_else(root: Path) -> None:
    with opened_folder(root, ("notes",), make=False) as folder:
        (root / "notes").rename(root / "moved")
        (root / "notes").symlink_to(root.parent)
        replace_in(folder, "new", b"mine")
    assert (root / "moved" / "new").read_bytes() == b"mine"
    assert not (root.parent / "new").exists()


@given(st.text(alphabet="./ab\0~", max_size=12))
def test_parts_are_names_or_the_path_is_refused(path: str) -> None:
    try:
        parts = parts_of(path)
    except OutsideError:
        return
    assert not {"..", "", "/", "."} & set(parts)
    assert not any("/" in part for part in parts)


def test_each_folder_and_file_that_was_opened_is_closed(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("notes/today.txt", "link", "way/secret", "notes", "nothing", "notes/nothing/at/all"):
        with suppress(OutsideError, OSError), opened_file(root, path):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
