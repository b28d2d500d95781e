import threading
from collections.abc import Iterable
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.facts import (
    InboundStored,
    InboundTaken,
    MessageAppended,
    RunClosed,
    RunOpened,
    SessionSucceeded,
)
from greenroom.actors.model import (
    Ending,
    FreshCause,
    Generation,
    Inbound,
    InboxId,
    Message,
    OpenRun,
    Role,
    RunCause,
    Seq,
    SessionId,
    SessionKey,
    Tail,
)
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.retention import Retention
from greenroom.storage.search import Indexable, Indexer, index_path, open_index, read_mentions, search, write_query
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place

WAIT_S = 20.0
KEY = SessionKey("web", "bot", "1")
TEXTS = ("The weather in Oslo", "weather, again and again", "Ein Gespräch über Käse", "nothing of interest")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A closed database with four messages."""
    path = str(tmp_path / "bot.db")
    runtime = PoolRuntime(threads=1)
    store = SqliteStore.open(Place(path), runtime, version="0")
    run = OpenRun(Generation(1), store.epoch, Generation(1), RunCause.INBOUND, 1, 1.0, 1.0)
    rows = [
        MessageAppended(SessionId(1), store.epoch, Message(Seq(n), Generation(1), f"k{n}", Role.USER, text, float(n)))
        for n, text in enumerate(TEXTS, start=1)
    ]
    done = threading.Event()
    store.write(
        (InboundStored(Inbound(KEY, "u", "x"), 1.0), RunOpened(SessionId(1), run, Tail()), *rows),
        lambda _answer: done.set(),
    )
    assert done.wait(WAIT_S)
    store.close("made")
    runtime.close(WAIT_S)
    return path


@pytest.fixture
def indexed(path: str) -> str:
    index_now(path)
    return path


def index_now(path: str, upto: int = len(TEXTS)) -> None:
    indexer = Indexer(path)
    indexer.start()
    assert indexer.wait_for(upto, timeout_s=WAIT_S)
    assert indexer.stop(timeout_s=WAIT_S)


def found(path: str, text: str) -> list[str]:
    return sorted(each.text for each in search(path, text, 10))


def test_each_message_is_found_once_by_all_its_words(indexed: str) -> None:
    assert found(indexed, "weather") == sorted(TEXTS[:2])
    assert found(indexed, "weather oslo") == [TEXTS[0]]
    assert found(indexed, "WEATH") == sorted(TEXTS[:2])
    assert found(indexed, "käse") == [TEXTS[2]]
    assert found(indexed, "again") == [TEXTS[1]]
    assert found(indexed, "snow") == []


def test_what_is_found_says_where_it_was_said(indexed: str) -> None:
    (message,) = search(indexed, "oslo", 10)
    assert (message.session, message.session_id, message.seq, message.role, message.at) == (KEY, 1, 1, Role.USER, 1.0)


def test_no_more_is_found_than_was_asked_for(indexed: str) -> None:
    assert len(search(indexed, "weather", 1)) == 1


def forget_by_age(path: str, *ids: int) -> None:
    """What retention does, where nobody tells the index of it."""
    db = apsw.Connection(path)
    db.executemany("DELETE FROM messages WHERE id = ?", [(id_,) for id_ in ids])
    db.close()


def indexed_rows(path: str) -> list[object]:
    db = apsw.Connection(index_path(path))
    rows = [row[0] for row in db.execute("SELECT id FROM words_docsize ORDER BY id")]
    db.close()
    return rows


def test_what_is_gone_takes_nobodys_place_among_what_is_found(indexed: str) -> None:
    first = search(indexed, "weather", 1)[0]
    forget_by_age(indexed, first.seq)
    assert [each.text for each in search(indexed, "weather", 1)] == [text for text in TEXTS[:2] if text != first.text]


def test_what_retention_forgets_leaves_the_index_at_once_or_with_the_next_start(indexed: str) -> None:
    forget_by_age(indexed, 1)
    index_now(indexed)  # Nobody had told it.
    assert indexed_rows(indexed) == [2, 3, 4]
    indexer = Indexer(indexed)
    indexer.drop([2, 77])
    indexer.start()
    assert indexer.wait_for(len(TEXTS), timeout_s=WAIT_S)
    assert indexer.stop(timeout_s=WAIT_S)
    assert indexed_rows(indexed) == [3, 4]


def mentioned(path: str, words: str, last: int = 10, key: SessionKey = KEY) -> list[str]:
    db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [each.text for each in read_mentions(db, key, words, last)]
    finally:
        db.close()


def test_what_a_chat_mentions_comes_newest_first_and_no_other_chat_hears_of_it(indexed: str) -> None:
    assert mentioned(indexed, "weather") == [TEXTS[1], TEXTS[0]]
    assert mentioned(indexed, "weather", last=1) == [TEXTS[1]]
    assert mentioned(indexed, "weather", last=0) == []
    assert mentioned(indexed, "?!") == []
    assert mentioned(indexed, "weather", key=SessionKey("web", "bot", "2")) == []
    assert mentioned(indexed, "weather", key=SessionKey("web", "bot", "1", "thread")) == []


def test_a_damaged_index_mentions_nothing(indexed: str) -> None:
    Path(index_path(indexed)).write_bytes(b"no database " * 1000)
    assert mentioned(indexed, "weather") == []


def test_a_database_without_an_index_finds_nothing(path: str) -> None:
    Path(index_path(path)).unlink(missing_ok=True)
    assert search(path, "weather", 10) == ()


def test_indexing_goes_on_where_it_stopped_and_indexes_nothing_twice(indexed: str) -> None:
    index_now(indexed)
    db = apsw.Connection(index_path(indexed))
    assert db.execute("SELECT count(*) FROM words_docsize").get == len(TEXTS)
    db.close()
    assert found(indexed, "weather") == sorted(TEXTS[:2])


@pytest.mark.parametrize("damage", ["garbage", "half", "other store", "other form", "too far"])
def test_a_damaged_or_foreign_index_is_made_again(indexed: str, damage: str) -> None:
    index = Path(index_path(indexed))
    match damage:
        case "garbage":
            index.write_bytes(b"no database " * 1000)
        case "half":
            index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])
        case "other store":
            db = apsw.Connection(str(index))
            db.execute("UPDATE indexed SET uid = 'ffffffff'")
            db.close()
        case "too far":
            db = apsw.Connection(str(index))
            db.execute("UPDATE indexed SET upto = 99")
            db.close()
        case _:
            db = apsw.Connection(str(index))
            db.execute("DROP TABLE words; CREATE TABLE words (text)")
            db.close()
    index_now(indexed)
    assert found(indexed, "weather") == sorted(TEXTS[:2])


def test_what_is_said_while_the_store_is_open_can_be_found(path: str) -> None:
    runtime = PoolRuntime(threads=1)
    store = SqliteStore.open(Place(path), runtime, version="0")
    row = Message(Seq(5), Generation(1), "k5", Role.ASSISTANT, "brand new words", 9.0)
    done = threading.Event()
    store.write((MessageAppended(SessionId(1), store.epoch, row),), lambda _answer: done.set())
    assert done.wait(WAIT_S)
    indexer = store._aides.indexer
    assert indexer is not None
    assert indexer.wait_for(len(TEXTS) + 1, timeout_s=WAIT_S)
    assert [each.text for each in store.search("brand new")] == ["brand new words"]
    store.close("over")
    runtime.close(WAIT_S)


@given(st.text())
def test_nothing_that_a_person_types_is_a_syntax_error(text: str) -> None:
    db = apsw.Connection(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
    query = write_query(text)
    if query:
        db.execute("SELECT * FROM words WHERE words MATCH ?", (query,)).fetchall()
    db.close()


def test_the_index_has_the_mode_of_the_database(indexed: str) -> None:
    assert Path(index_path(indexed)).stat().st_mode & 0o777 == 0o600
    open_index(indexed, Indexable("other", 0)).close()
    assert Path(index_path(indexed)).stat().st_mode & 0o777 == 0o600


def test_an_index_that_can_neither_be_used_nor_thrown_away_is_made_once_it_can(
    path: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(index_path(path) + suffix).unlink(missing_ok=True)
    in_the_way = Path(index_path(path))
    in_the_way.mkdir()
    indexer, told = Indexer(path), threading.Event()
    monkeypatch.setattr(caplog.handler, "emit", lambda _record: told.set())  # The handler serves every test after this.
    indexer.start()
    assert told.wait(WAIT_S)
    in_the_way.rmdir()
    assert indexer.wait_for(4, timeout_s=WAIT_S)
    assert indexer.stop(timeout_s=WAIT_S)


def test_who_wants_the_index_renewed_hears_of_its_end_also_behind_that(path: str) -> None:
    indexer, told = Indexer(path), threading.Event()
    indexer.start()
    assert indexer.stop(timeout_s=WAIT_S)
    indexer.renew(told.set)
    assert told.is_set()


def test_the_search_hears_of_what_the_store_forgets_by_its_age(indexed: str) -> None:
    runtime = PoolRuntime(threads=1)
    store = SqliteStore.open(Place(indexed), runtime, version="0", retention=Retention(sessions_s=1.0))
    indexer = store._aides.indexer
    assert indexer is not None
    heard, drop = threading.Event(), indexer.drop

    def hear(ids: Iterable[int]) -> None:
        drop(ids)
        heard.set()

    indexer.drop = hear  # type: ignore[method-assign]
    run = OpenRun(Generation(1), store.epoch, Generation(1), RunCause.INBOUND, 1, 1.0, 1.0)
    newest = Message(Seq(1), Generation(1), "k1", Role.USER, "hello", 1.0)
    store.write(
        (
            InboundTaken(SessionId(1), InboxId(1), Generation(1), Seq(1)),
            RunClosed(SessionId(1), Generation(1), Ending.ANSWERED, 2.0),
            InboundStored(Inbound(SessionKey("web", "bot", "2"), "v", "x"), 1.0),
            RunOpened(SessionId(2), run, Tail()),
            MessageAppended(SessionId(2), store.epoch, newest),
            SessionSucceeded(SessionId(1), FreshCause.ASKED, 3.0),
        ),
        lambda _answer: None,
    )
    assert heard.wait(WAIT_S)
    store.close("over")
    runtime.close(WAIT_S)
    index_now(indexed, len(TEXTS) + 1)
    assert indexed_rows(indexed) == [5]
