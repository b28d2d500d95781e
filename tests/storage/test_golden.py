"""Databases of every schema that was ever released: each later release opens them, and loses nothing of them."""

import logging
from pathlib import Path

import apsw
import pytest
from tests.storage.full_house import WORDS
from tests.storage.store_house import House, inbound

from greenroom.actors.model import SessionId
from greenroom.storage import migrate as migrating
from greenroom.storage.backup import back_up
from greenroom.storage.exporting import PARTS, SESSION, export
from greenroom.storage.migrate import Migration, NewerSchema, read_migrations
from greenroom.storage.restoring import Heir, put_back
from greenroom.storage.session_view import read_session_view
from greenroom.storage.views import open_views, read_sessions

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(GOLDEN.glob("*.sql"))
NEXT = Migration(2, "ALTER TABLE sessions ADD COLUMN title TEXT; UPDATE sessions SET title = 'session ' || id;")
MAKE = "python -m tests.storage.golden.make > tests/storage/golden/{:03}.sql"


def make(sql: Path, path: Path) -> Path:
    """The database as that release left it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = apsw.Connection(str(path))
    db.execute("PRAGMA page_size = 8192")
    db.pragma("journal_mode", "wal")
    db.execute(sql.read_text(encoding="utf-8"))
    db.close()
    path.chmod(0o600)
    return path


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute(sql).fetchall()
    db.close()
    return found


def schema(path: Path) -> dict[object, object]:
    return {row[0]: row[1] for row in ask(path, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")}


@pytest.fixture(params=VERSIONS, ids=lambda sql: sql.stem)
def golden(request: pytest.FixtureRequest, path: Path) -> Path:
    return make(request.param, path)


def test_there_is_one_of_each_schema_that_this_release_knows() -> None:
    assert [sql.stem for sql in VERSIONS] == [f"{each.number:03}" for each in read_migrations()]


def test_the_newest_one_is_of_this_very_schema(path: Path, tmp_path: Path) -> None:
    """A released schema never changes: what is to be different is written into a next file of storage/schema."""
    made = make(VERSIONS[-1], tmp_path / "golden.db")
    House(path).close()
    assert schema(made) == schema(path), f"not yet released? then make it anew: {MAKE.format(len(VERSIONS))}"
    assert ask(made, "PRAGMA user_version") == [(len(VERSIONS),)]


def test_each_has_a_row_in_every_table(golden: Path) -> None:
    tables = [name for (name,) in ask(golden, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert [name for name in tables if ask(golden, f"SELECT count(*) FROM {name}") == [(0,)]] == []


def test_it_is_opened_and_nothing_of_it_is_lost(golden: Path) -> None:
    before = {part.table: ask(golden, f"SELECT count(*) FROM {part.table}") for part in (SESSION, *PARTS)}
    house = House(golden)
    assert house.store.epoch == 2
    house.write(inbound(7, chat="2"))
    house.close()
    assert ask(golden, "PRAGMA integrity_check") == [("ok",)]
    assert ask(golden, "PRAGMA user_version") == [(len(read_migrations()),)]
    before["inbox"] = [(3,)]
    assert before == {part.table: ask(golden, f"SELECT count(*) FROM {part.table}") for part in (SESSION, *PARTS)}


def test_it_can_be_looked_at_kept_and_exported(golden: Path, tmp_path: Path) -> None:
    House(golden).close()
    db = open_views(golden)
    assert [row.id for row in read_sessions(db, live=False)] == [2, 1]
    view = read_session_view(db, SessionId(1), live=False)
    assert view is not None
    assert (view.messages[0].text, view.messages[1].tool_calls[0].name, view.tools[0].result) == (
        WORDS,
        "weather",
        "rain",
    )
    assert (view.questions[0].prompt, view.deliveries[0].state, len(view.processes)) == ("Sure?", "dead", 1)
    assert sum(1 for _ in export(db, None, version="1.2", now=9.0)) == 3 + len(PARTS) + 3
    db.close()
    assert back_up(golden, tmp_path / "copy.db", overwrite=False, now=1.0, told=lambda *_: None).schema == len(VERSIONS)


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """This release, and one migration more."""
    more = (*read_migrations(), Migration(len(VERSIONS) + 1, NEXT.sql))
    monkeypatch.setattr(migrating, "_of_this_release", lambda: more)


def test_the_next_release_keeps_a_copy_says_so_and_goes_on(
    golden: Path, next_release: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "greenroom.storage"):
        house = House(golden)
    house.write(inbound(7))
    house.close()
    copy = golden.with_name(f"bot.db.before-{len(VERSIONS) + 1:03}.backup")
    assert f"as it was it lies at {copy}" in caplog.text
    assert ask(golden, "SELECT title FROM sessions") == [("session 1",), ("session 2",)]
    assert "title" not in {name for _, name, *_ in ask(copy, "PRAGMA table_info(sessions)")}
    assert ask(copy, "SELECT text FROM messages WHERE seq = 1") == [(WORDS,)]


def test_who_goes_back_to_this_release_is_told_how_and_the_copy_can_be_restored(
    golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        more = (*read_migrations(), Migration(len(VERSIONS) + 1, NEXT.sql))
        later.setattr(migrating, "_of_this_release", lambda: more)
        House(golden).close()
    with pytest.raises(
        NewerSchema, match=r"nothing was changed. Install that release again, or go back .* greenroom restore"
    ):
        House(golden)
    copy = golden.with_name(f"bot.db.before-{len(VERSIONS) + 1:03}.backup")
    put_back(golden, copy, Heir("new-uid", 7, "9.9", 1_800_000_000.0), told=lambda *_: None)
    house = House(golden)
    house.write(inbound(7))
    house.close()
    assert ask(golden, "SELECT count(*) FROM inbox") == [(3,)]


def test_a_backup_of_an_older_release_is_brought_up_to_date_as_it_is_restored(golden: Path, next_release: None) -> None:
    new = golden.with_name("new.db")
    put_back(new, golden, Heir("new-uid", 7, "9.9", 1_800_000_000.0), told=lambda *_: None)
    assert ask(new, "SELECT title FROM sessions") == [("session 1",), ("session 2",)]
    assert not list(golden.parent.glob("*.before-*"))
