"""A deleted, moved or replaced database is noticed; SQLite itself would write on and report success."""

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from greenroom.storage.faulty_disk import Disk
from greenroom.storage.sqlite import open_writer
from greenroom.storage.whereabouts import has_vanished, read_whereabouts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


@pytest.fixture
def connection(path: Path) -> Iterator[apsw.Connection]:
    connection = open_writer(str(path))
    connection.execute("CREATE TABLE t(a INTEGER) STRICT")
    yield connection
    connection.close(force=True)


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def replaced(path: Path) -> None:
    path.with_name("copy").write_bytes(path.read_bytes())
    path.with_name("copy").replace(path)


SWAPS: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "moved": lambda path: path.rename(path.with_name("elsewhere")),
    "replaced": replaced,
    "its WAL deleted": lambda path: wal(path).unlink(),
    "its folder moved": lambda path: path.parent.rename(path.parent.with_name("moved")),
}


@pytest.mark.parametrize("swap", SWAPS)
def test_it_is_noticed_when_the_database_is(swap: str, connection: apsw.Connection, path: Path) -> None:
    then = read_whereabouts(connection)
    assert not has_vanished(connection, then)
    SWAPS[swap](path)
    connection.execute("INSERT INTO t VALUES (1)")  # SQLite says nothing.
    assert has_vanished(connection, then)


def test_the_same_file_put_back_is_the_same_file(connection: apsw.Connection, path: Path) -> None:
    then = read_whereabouts(connection)
    elsewhere = path.rename(path.with_name("elsewhere"))
    assert has_vanished(connection, then)
    elsewhere.rename(path)
    assert not has_vanished(connection, then)


def test_writing_checkpointing_and_starting_over_do_not_look_like_vanishing(connection: apsw.Connection) -> None:
    then = read_whereabouts(connection)
    for mode in ("PASSIVE", "RESTART", "TRUNCATE"):
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute(f"PRAGMA wal_checkpoint({mode})")
        assert not has_vanished(connection, then)


@pytest.mark.parametrize("name", ["/bot.db", "/bot.db-wal"])
def test_a_simulated_disk_tells_too(name: str) -> None:
    with Disk(1) as disk:
        connection = open_writer("/bot.db", vfs=disk.vfs_name)
        then = read_whereabouts(connection)
        assert not has_vanished(connection, then)
        disk.vanish(name)
        assert has_vanished(connection, then)
        disk.die(connection)
