"""Small files are replaced whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from greenroom.actors.atomic import replace_file, replace_in


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "config"
    replace_file(path, b"one")
    assert (path.read_bytes(), mode_of(path)) == (b"one", 0o600)
    path.chmod(0o644)
    replace_file(path, b"two")
    assert (path.read_bytes(), mode_of(path)) == (b"two", 0o644)


def test_the_mode_of_a_new_file_can_be_chosen_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "shared", b"", mode_if_new=0o640)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "shared") == 0o640


def test_it_is_another_file_afterwards_so_a_reader_of_the_old_one_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"the old content")
    with path.open("rb") as reader:
        replace_file(path, b"new")
        assert reader.read() == b"the old content"


@pytest.mark.parametrize("target_exists", [True, False])
def test_a_symlink_stays_a_symlink(tmp_path: Path, target_exists: bool) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "config", tmp_path / "config"
    if target_exists:
        target.write_bytes(b"old")
    link.symlink_to("real/config")
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [entry.name for entry in (tmp_path / "real").iterdir()] == ["config"]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EBUSY])
def test_where_renaming_is_impossible_the_file_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"something longer than the new content")
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "replace", refuse_with(number))
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino == inode
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EIO, errno.ENOENT])
def test_every_other_error_goes_through_and_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", refuse_with(number))
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is the point.
        replace_file(path, b"new")
    assert caught.value.errno == number
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_sync_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="I/O error"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_synced_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    real = os.fsync

    def record(descriptor: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    replace_file(tmp_path / "config", b"new")
    assert synced == ["file", "folder"]


def test_a_missing_folder_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "nowhere" / "config", b"new")


def refuse_with(number: int) -> object:
    def refuse(_source: object, _target: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_in_an_open_folder_a_file_is_replaced_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"old")
    (tmp_path / "kept").chmod(0o640)
    (tmp_path / "link").symlink_to("kept")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        (tmp_path / f".kept.{os.getpid()}-{folder}.new").write_bytes(b"left by a crash")
        replace_in(folder, "kept", b"new")
        replace_in(folder, "link", b"mine")
        replace_in(folder, "made", b"first")
    finally:
        os.close(folder)
    assert [(tmp_path / name).read_bytes() for name in ("kept", "link", "made")] == [b"new", b"mine", b"first"]
    assert [mode_of(tmp_path / name) for name in ("kept", "made")] == [0o640, 0o600]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept", "link", "made"]
