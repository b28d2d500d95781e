"""A database of another release, as its operator meets it: an older one is brought along, a newer one is left alone."""

import apsw
import pytest
from tests.storage.store_house import House, inbound
from tests.supervisor.cli.shell import Shell, Typed


def make_newer(typed: Typed) -> bytes:
    """A database as a later release left it."""
    house = House(typed.home / "room.db")
    house.write(inbound(1))
    house.close()
    db = apsw.Connection(str(typed.home / "room.db"))
    db.pragma("user_version", 99)
    db.close()
    return (typed.home / "room.db").read_bytes()


@pytest.mark.parametrize(
    "line", ["status", "sessions", "show 1", "explain 1", "search hello", "export", "release 1", "import all.jsonl"]
)
def test_a_newer_database_is_refused_politely_by_every_command_and_left_as_it_is(typed: Typed, line: str) -> None:
    before = make_newer(typed)
    (typed.home / "all.jsonl").write_text('{"type": "export", "format": 1}\n{"type": "end"}\n')
    told = typed(line, code=1).err
    assert "room.db: written by a newer greenroom (schema 99; this one knows up to" in told
    assert "that release" in told
    assert len(told.splitlines()) == 1
    assert (typed.home / "room.db").read_bytes() == before


def test_a_newer_database_can_be_kept_and_is_restored_by_its_own_release_alone(typed: Typed) -> None:
    make_newer(typed)
    typed("backup copy.db")
    assert "of a newer greenroom (schema 99; " in typed("restore copy.db --db other.db", code=1).err
    assert not (typed.home / "other.db").exists()


def test_a_daemon_does_not_start_on_a_newer_database_and_says_what_to_do(shell: Shell, typed: Typed) -> None:
    make_newer(typed)
    (typed.home / "room.db.before-002.backup").write_bytes(b"a copy")
    told = shell.run("up", code=1).stderr
    assert "room.db: written by a newer greenroom (schema 99; this one knows up to" in told
    assert "nothing was changed. Install that release again, or go back to how it was before that release: " in told
    assert "room.db.before-002.backup" in told.partition("greenroom restore ")[2]
