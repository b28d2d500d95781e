"""One process writes to a database; the others are told who."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.actors.atomic import replace_file
from greenroom.storage import lock as lock_module
from greenroom.storage.lock import Held, WriterLock, read_holder
from greenroom.storage.sqlite import CannotOpen

HOLD = """
import sys
from pathlib import Path
from greenroom.storage.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]), address="http://127.0.0.1:1234")
print("held", flush=True)
sys.stdin.readline()
lock.release()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


@pytest.fixture
def other(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the database until its standard input has a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_holders_pid_start_and_command(
    database: Path, other: subprocess.Popen[str]
) -> None:
    with pytest.raises(Held) as caught:
        WriterLock(database)
    holder = caught.value.holder
    assert holder
    assert holder.pid == other.pid
    assert str(caught.value).startswith(f"{database}: already in use by pid {other.pid}, started 20")
    assert "stop that one first" in str(caught.value)


def test_the_cli_learns_pid_and_address_of_the_holder(database: Path, other: subprocess.Popen[str]) -> None:
    holder = read_holder(database)
    assert holder
    assert (holder.pid, holder.address) == (other.pid, "http://127.0.0.1:1234")


def test_kill_9_releases_and_what_it_left_misleads_nobody(database: Path, other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=30)
    assert database.with_name("bot.db.holder.json").exists()
    assert read_holder(database) is None
    with WriterLock(database) as lock:
        assert read_holder(database) == lock.holder


def test_an_orderly_end_leaves_no_note(database: Path, other: subprocess.Popen[str]) -> None:
    other.communicate("\n", timeout=30)
    assert read_holder(database) is None
    assert not database.with_name("bot.db.holder.json").exists()


def test_the_note_of_a_dead_process_is_not_believed_while_the_next_one_is_starting(database: Path) -> None:
    with WriterLock(database) as lock:
        stale = replace(lock.holder, pid=2**22 + 1)  # Larger than any pid.
        lock.holder = stale
        lock._write_note()
        assert read_holder(database) is None
        with pytest.raises(Held, match="a process that is just starting"):
            WriterLock(database)


def test_a_reused_pid_is_not_believed(database: Path) -> None:
    with WriterLock(database) as lock:
        lock.holder = replace(lock.holder, born="1")
        lock._write_note()
        assert read_holder(database) is None


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff\xfe"])
def test_a_torn_note_is_no_holder(database: Path, note: bytes) -> None:
    with WriterLock(database):
        replace_file(database.with_name("bot.db.holder.json"), note)
        assert read_holder(database) is None


def test_two_in_one_process_exclude_each_other(database: Path) -> None:
    with WriterLock(database, now=lambda: 0.0) as lock:
        assert lock.holder.pid == os.getpid()
        with pytest.raises(Held, match="started 1970-01-01 00:00:00"):
            WriterLock(database)
    with WriterLock(database):
        pass


def test_the_address_can_be_told_later(database: Path) -> None:
    with WriterLock(database) as lock:
        lock.serve_at("http://127.0.0.1:8080")
        holder = read_holder(database)
        assert holder
        assert holder.address == "http://127.0.0.1:8080"


def test_asking_creates_nothing_and_takes_nothing(database: Path) -> None:
    assert read_holder(database) is None
    assert list(database.parent.iterdir()) == []
    WriterLock(database).release()
    assert read_holder(database) is None
    WriterLock(database).release()


def test_if_the_note_cannot_be_written_the_lock_is_not_kept(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(lock_module, "replace_file", fail)
        with pytest.raises(CannotOpen, match="No space left") as caught:
            WriterLock(database)
    WriterLock(database).release()
    assert "No space left" in str(
        caught.value
    )  # Its frames kept the first lock alive, so it was released and not merely collected.


def test_lock_and_note_are_private(database: Path) -> None:
    with WriterLock(database):
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in database.parent.iterdir()}
    assert modes == {"bot.db.lock": 0o600, "bot.db.holder.json": 0o600}


def test_a_missing_folder_is_made_private(tmp_path: Path) -> None:
    with WriterLock(tmp_path / "room" / "bot.db"):
        assert (tmp_path / "room").stat().st_mode & 0o777 == 0o700


def test_a_place_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotOpen, match="name a writable place"):
        WriterLock(tmp_path / "file" / "bot.db")


def test_a_link_to_the_database_is_the_same_database(database: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(database)
    with WriterLock(database) as lock:
        assert read_holder(link) == lock.holder
        with pytest.raises(Held):
            WriterLock(link)


def test_where_no_lock_can_be_made_nobody_is_blamed_for_holding_it(tmp_path: Path) -> None:
    (tmp_path / "room.db.lock").mkdir()
    with pytest.raises(CannotOpen, match=r"room\.db: cannot be opened for writing: Is a directory"):
        WriterLock(tmp_path / "room.db")


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(CannotOpen, match="its folder is a file; name a writable place"):
        WriterLock(tmp_path / "folder" / "room.db")


def test_two_who_only_ask_do_not_take_each_other_for_a_holder(tmp_path: Path) -> None:
    WriterLock(tmp_path / "room.db").release()
    with (tmp_path / "room.db.lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert read_holder(tmp_path / "room.db") is None


def test_who_was_overtaken_by_accident_takes_no_note_away_that_is_not_its_own(database: Path) -> None:
    first = WriterLock(database)
    database.with_name(database.name + ".lock").unlink()
    with WriterLock(database, now=lambda: 5.0) as second:
        first.release()
        assert read_holder(database) == second.holder
