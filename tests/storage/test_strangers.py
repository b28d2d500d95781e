"""Whose a database is: another user's is not opened for writing, and neither is what another user's link leads to."""

import os
from pathlib import Path

import pytest

from greenroom.storage.sqlite import CannotOpen, open_reader, open_writer
from greenroom.storage.strangers import find_stranger, name_of

OTHER = 4_242
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    open_writer(str(tmp_path / "room.db")).close()
    return tmp_path / "room.db"


def test_a_database_of_another_user_is_told_with_both_names(path: Path) -> None:
    told = find_stranger(path, me=OTHER)
    mine = name_of(os.geteuid())
    assert told == (
        f"{path}: belongs to {mine}, and this is {OTHER}; run greenroom as {mine}, or give it away: chown {OTHER} {path}"
    )
    assert find_stranger(path) is None
    assert find_stranger(path.with_name("not-there.db"), me=OTHER) is None


def test_a_link_of_another_user_is_told_and_one_of_our_own_is_followed(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    assert find_stranger(link) is None
    open_writer(str(link)).close()
    told = find_stranger(link, me=OTHER)
    if os.geteuid() == 0:  # What root made is everybody's own.
        assert told is not None
        assert "belongs to root" in told
    else:
        assert (
            told
            == f"{link}: is a link that {name_of(os.geteuid())} made, who may lead it anywhere; name the file itself: {path}"
        )


@as_root
@pytest.mark.parametrize("whose", ["room.db", "room.db-wal"])
def test_what_is_not_ours_is_not_opened_for_writing_and_left_as_it_is(path: Path, whose: str) -> None:
    file = path.with_name(whose)
    file.touch()
    os.chown(file, OTHER, -1)
    before = path.read_bytes()
    for missing in ("create", "refuse"):
        with pytest.raises(CannotOpen, match=rf"{whose}: belongs to {OTHER}, .* Nothing was changed"):
            open_writer(str(path), missing=missing)
    assert path.read_bytes() == before
    if whose == "room.db":
        open_reader(str(path)).close()  # To look is no harm.


@as_root
def test_a_link_that_another_user_made_is_not_followed(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    os.chown(link, OTHER, -1, follow_symlinks=False)
    with pytest.raises(CannotOpen, match=rf"is a link that {OTHER} made"):
        open_writer(str(link))
    dangling = path.with_name("dangling.db")
    dangling.symlink_to(path.with_name("new.db"))
    os.chown(dangling, OTHER, -1, follow_symlinks=False)
    with pytest.raises(CannotOpen, match=rf"is a link that {OTHER} made"):
        open_writer(str(dangling))
    assert not path.with_name("new.db").exists()
