"""A large file appears whole under its name, or not at all."""

import os
import stat
from pathlib import Path

import pytest

from greenroom.storage.placing import NotPlaced, placing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_whole_and_private_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with placing(path, overwrite=False) as new:
        new.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["a.db"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_block_that_raises_leaves_things_as_they_were(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "a.db"
    if overwrite:
        path.write_bytes(b"old")

    def write_half() -> None:
        with placing(path, overwrite=overwrite) as new:
            new.write_bytes(b"ha")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        write_half()
    assert names(tmp_path) == (["a.db"] if overwrite else [])
    assert not overwrite or path.read_bytes() == b"old"


def test_what_is_there_is_replaced_only_if_that_was_said(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"old")
    with (
        pytest.raises(NotPlaced, match=r"is there already, and was not touched.*--force"),
        placing(path, overwrite=False),
    ):
        raise AssertionError("the block is not entered")
    with placing(path, overwrite=True) as new:
        new.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_nothing_is_put_beside_a_journal_that_would_be_taken_into_it(tmp_path: Path) -> None:
    def write_beside() -> None:
        with placing(tmp_path / "a.db", overwrite=True) as new:
            new.write_bytes(b"new")
            (tmp_path / "a.db-wal").write_bytes(b"old")

    with pytest.raises(NotPlaced, match=r"a\.db-wal is there"):
        write_beside()
    assert names(tmp_path) == ["a.db-wal"]


def test_what_somebody_else_put_there_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    def write_both() -> None:
        with placing(path, overwrite=False) as new:
            new.write_bytes(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(NotPlaced, match="is there already"):
        write_both()
    assert path.read_bytes() == b"theirs"
    assert names(tmp_path) == ["a.db"]


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "real.db", tmp_path / "a.db"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with placing(link, overwrite=True) as new:
        assert new.parent == real.parent
        new.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@pytest.mark.parametrize(
    "name,why",
    [
        ("", "is a folder; name a file in it"),
        ("no/such/a.db", "there is no folder .*make it first"),
        ("pipe", "no ordinary file"),
    ],
)
def test_what_cannot_be_a_file_is_refused_before_anything_is_done(tmp_path: Path, name: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotPlaced, match=why), placing(tmp_path / name, overwrite=True):
        raise AssertionError("the block is not entered")
    assert names(tmp_path) == ["pipe"]
