"""What was held elsewhere becomes readable, is over, and is taken once. Nothing that a file says is trusted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.storage.store_house import House, inbound, opened, said

from greenroom.actors.facts import MessageAppended
from greenroom.actors.model import Attachment, Generation, Message, Role, Seq, SessionId, ToolCall, ToolPolicy
from greenroom.actors.tail import classify_tail
from greenroom.storage.elsewhere import Source, read_elsewhere
from greenroom.storage.exporting import export
from greenroom.storage.importing import CLOSING, HERE_ALREADY, NOTHING_SAID, CannotImport, Imported, take_in
from greenroom.storage.lock import Held
from greenroom.storage.restoring import Heir
from greenroom.storage.session_view import read_transcript
from greenroom.storage.sqlite import open_reader
from greenroom.storage.unfinished import read_unfinished

HEIR = Heir(uid="new-uid", pid=7, version="9.9", now=1_800_000_000.0)
OLD = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, role TEXT NOT NULL,
    content TEXT, tool_call_id TEXT, tool_calls TEXT, tool_name TEXT, timestamp REAL NOT NULL);
"""
NEW = (
    OLD
    + """
ALTER TABLE messages ADD COLUMN finish_reason TEXT;
ALTER TABLE messages ADD COLUMN active INTEGER NOT NULL DEFAULT 1;
ALTER TABLE messages ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN display_kind TEXT;
ALTER TABLE messages ADD COLUMN _compressed_summary INTEGER NOT NULL DEFAULT 0;
"""
)
WEATHER = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}]
PARTS = [
    {"type": "text", "text": "what is this?"},
    {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
]

SEEN = Attachment("http://x")


class Hermes:
    """A state.db as Hermes writes it."""

    def __init__(self, path: Path, schema: str = NEW) -> None:
        self.path = path
        self.db = apsw.Connection(str(path))
        self.db.pragma("journal_mode", "wal")
        self.db.execute(schema)

    def session(self, name: str, at: float = 100.0, source: str = "telegram") -> None:
        self.db.execute("INSERT INTO sessions (id, source, started_at) VALUES (?, ?, ?)", (name, source, at))

    def say(self, name: str, role: str, content: str | bytes | None, at: Any = 101.0, **more: Any) -> None:
        columns = {"session_id": name, "role": role, "content": content, "timestamp": at, **more}
        marks = ", ".join("?" for _ in columns)
        self.db.execute(f"INSERT INTO messages ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))


@pytest.fixture
def hermes(tmp_path: Path) -> Hermes:
    return Hermes(tmp_path / "state.db")


def nobody(_done: int, _whole: int) -> None:
    """Nobody watches."""


def take(path: Path, file: Path) -> Imported:
    done = Imported()
    _, pasts = read_elsewhere(file, done.left, nobody)
    take_in(path, pasts, done, HEIR)
    return done


def transcript(path: Path, session: int = 1) -> tuple[Message, ...]:
    db = open_reader(str(path))
    rows = read_transcript(db, SessionId(session), last=1000)
    db.close()
    return rows


def told(path: Path, session: int = 1) -> list[tuple[str, str]]:
    return [(row.role.value, row.text) for row in transcript(path, session)]


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    db = open_reader(str(path))
    found = db.execute(sql).fetchall()
    db.close()
    return found


def test_a_session_of_hermes_arrives_readable_and_concluded(path: Path, hermes: Hermes) -> None:
    hermes.session("20250101_a")
    hermes.say("20250101_a", "system", "be kind")
    hermes.say("20250101_a", "user", "rain?", 101.5)
    hermes.say("20250101_a", "assistant", None, 102.0, tool_calls=json.dumps(WEATHER), finish_reason="tool_calls")
    hermes.say("20250101_a", "tool", "dry", 103.0, tool_call_id="call_1", tool_name="weather")
    hermes.say("20250101_a", "assistant", "no", 104.0, finish_reason="stop")
    done = take(path, hermes.path)
    assert (done.sessions, done.messages, done.left) == (1, 5, Counter())
    rows = transcript(path)
    assert told(path) == [
        ("system", "be kind"),
        ("user", "rain?"),
        ("assistant", ""),
        ("tool", "dry"),
        ("assistant", "no"),
    ]
    assert rows[2].tool_calls == (ToolCall("call_1", "weather", '{"city":"Oslo"}', ToolPolicy.ONCE),)
    assert (rows[3].tool_key, rows[4].answers_upto, rows[4].at) == ("call_1", 2, 104.0)
    assert ask(path, "SELECT key, created_at, generation FROM sessions") == [("hermes:telegram:20250101_a", 100.0, 0)]


@pytest.mark.parametrize("last", ["user", "assistant", "tool"])
def test_what_was_open_is_closed_and_nothing_goes_on(path: Path, hermes: Hermes, last: str) -> None:
    hermes.session("a")
    hermes.say("a", "user", "hello?")
    hermes.say("a", last, "and")
    take(path, hermes.path)
    rows = transcript(path)
    assert (rows[-1].text, rows[-1].answers_upto) == (CLOSING, 2 if last == "user" else 1)
    assert not classify_tail(rows).unanswered
    db = open_reader(str(path))
    assert read_unfinished(db, None) == ()
    db.close()
    assert ask(
        path, "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM deliveries), (SELECT count(*) FROM routes)"
    ) == [(0, 0, 0)]


def test_a_daemon_that_starts_later_finds_nothing_to_do(path: Path, hermes: Hermes) -> None:
    hermes.session("a")
    hermes.say("a", "user", "hello?")
    take(path, hermes.path)
    house = House(path)
    house.write(inbound(1))
    house.close()
    assert ask(path, "SELECT id, key FROM sessions ORDER BY id") == [(1, "hermes:telegram:a"), (2, "web:bot:1")]
    assert told(path)[0] == ("user", "hello?")


def test_taken_twice_nothing_changes(path: Path, hermes: Hermes) -> None:
    hermes.session("a")
    hermes.say("a", "user", "hello?")
    take(path, hermes.path)
    before = [ask(path, f"SELECT * FROM {table}") for table in ("sessions", "messages", "boots", "ownership", "meta")]
    done = take(path, hermes.path)
    assert (done.sessions, done.messages, done.left) == (0, 0, Counter({HERE_ALREADY: 1}))
    assert before == [
        ask(path, f"SELECT * FROM {table}") for table in ("sessions", "messages", "boots", "ownership", "meta")
    ]


def test_what_came_later_is_taken_beside_what_is_here(path: Path, hermes: Hermes) -> None:
    for name, at in (("a", 100.0), ("b", 50.0)):
        hermes.session(name, at)
        hermes.say(name, "user", name)
    take(path, hermes.path)
    hermes.session("c", 200.0)
    hermes.say("c", "user", "c")
    assert take(path, hermes.path).sessions == 1
    assert ask(path, "SELECT key FROM sessions ORDER BY id") == [(f"hermes:telegram:{name}",) for name in "bac"]


def test_what_is_not_for_readers_is_left_and_counted(path: Path, hermes: Hermes) -> None:
    hermes.session("a")
    hermes.session("empty")
    hermes.say("a", "user", "first", compacted=1, active=0)
    hermes.say("a", "user", "taken back", active=0)
    hermes.say("a", "user", "scaffold", display_kind="hidden")
    hermes.say("a", "assistant", "in short", _compressed_summary=1)
    hermes.say("a", "session_meta", "{}")
    hermes.say("a", "user", "\x00json:" + json.dumps(PARTS))
    done = take(path, hermes.path)
    assert told(path)[:2] == [("user", "first"), ("user", "what is this?")]
    assert transcript(path)[1].attachments == (Attachment("https://example.org/cat.png"),)
    assert done.left == Counter(
        {
            NOTHING_SAID: 1,
            "rows that were taken back": 1,
            "rows that Hermes hides": 1,
            "summaries that Hermes made of rows which are taken": 1,
            "rows of the role 'session_meta'": 1,
            "parts of messages that are no text, such as pictures": 1,
        }
    )


def test_an_old_release_of_hermes_is_read_as_well(path: Path, tmp_path: Path) -> None:
    old = Hermes(tmp_path / "state.db", OLD)
    old.session("a")
    old.say("a", "user", "hi")
    old.say("a", "assistant", "hello")
    take(path, old.path)
    assert told(path) == [("user", "hi"), ("assistant", "hello"), ("system", CLOSING)]


def test_names_that_hold_anything_become_keys_or_are_left(path: Path, hermes: Hermes) -> None:
    for number, name in enumerate(["a:b%c", "ü", "", "x" * 300, "line\nbreak"]):
        hermes.session(name, 100.0 + number)
        hermes.say(name, "user", "hi")
    done = take(path, hermes.path)
    assert done.left == Counter({"sessions whose names cannot be names here": 3})
    assert ask(path, "SELECT key FROM sessions ORDER BY id") == [("hermes:telegram:a%3Ab%25c",), ("hermes:telegram:ü",)]


def exported(path: Path, file: Path) -> Path:
    db = open_reader(str(path))
    file.write_bytes(b"".join(export(db, None, version="1.2", now=9.0)))
    db.close()
    return file


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """An export of a store in which an answer was given in one session, and none in another."""
    house = House(tmp_path / "there" / "bot.db")
    epoch = house.store.epoch
    house.write(inbound(1), opened(epoch))
    call = ToolCall("c", "t", '{"a":[1]}', ToolPolicy.PURE, "beside it")
    rows = (
        Message(Seq(2), Generation(1), "k2", Role.ASSISTANT, "", 3.0, tool_calls=(call,), attachments=(SEEN,)),
        Message(Seq(3), Generation(1), "k3", Role.ASSISTANT, "hello ☂", 3.0, finish="stop", answers_upto=Seq(1)),
    )
    house.write(said(epoch, 1), *(MessageAppended(SessionId(1), epoch, row) for row in rows))
    house.write(inbound(1, chat="2"), opened(epoch, session=2))
    house.write(MessageAppended(SessionId(2), epoch, Message(Seq(1), Generation(1), "k", Role.USER, "well?", 4.0)))
    house.close()
    return exported(house.path, tmp_path / "all.jsonl")


def test_our_own_export_arrives_as_it_was_and_concluded(path: Path, ours: Path) -> None:
    done = take(path, ours)
    assert (done.sessions, done.messages) == (2, 5)
    assert done.left == Counter({f"lines of type {kind}: only transcripts are taken": 2 for kind in ("inbound", "run")})
    before = transcript(ours.parent / "there" / "bot.db")
    for was, now in zip(before, transcript(path), strict=False):
        assert (was.seq, was.role, was.text, was.at, was.tool_calls, was.attachments, was.answers_upto) == (
            now.seq, now.role, now.text, now.at, now.tool_calls, now.attachments, now.answers_upto
        )  # fmt: skip
    assert told(path, 2) == [("user", "well?"), ("system", CLOSING)]
    assert ask(path, "SELECT key FROM sessions") == [("web:bot:1",), ("web:bot:2",)]
    assert take(path, ours).left[HERE_ALREADY] == 2


def test_what_is_imported_can_be_exported_and_imported_again_without_a_loss(
    path: Path, ours: Path, tmp_path: Path
) -> None:
    take(path, ours)
    again = exported(path, tmp_path / "again.jsonl")
    third = tmp_path / "third.db"
    assert take(third, again).messages == 5
    assert [told(third, n) for n in (1, 2)] == [told(path, n) for n in (1, 2)]
    assert take(path, again).sessions == 0


def test_where_it_comes_from_nothing_is_taken(ours: Path) -> None:
    done = take(ours.parent / "there" / "bot.db", ours)
    assert (done.sessions, done.left[HERE_ALREADY]) == (0, 2)


def spoiled(ours: Path, number: int, line: str | None) -> Path:
    """The export with another line at this place; None: cut off before it."""
    lines = ours.read_text().splitlines()
    lines[number:] = [] if line is None else [line, *lines[number + 1 :]]
    bad = ours.with_name("bad.jsonl")
    bad.write_text("\n".join(lines) + "\n" * bool(lines))
    return bad


SPOILED: dict[str, tuple[int, str | None, str]] = {
    "cut off": (5, None, "line 6: the file ends early: it is not a whole export"),
    "no JSON": (2, "{oops", "line 3: "),
    "no object": (2, "[1]", "line 3: Expected `object`, got `array`"),
    "a newer form": (0, '{"type": "export", "format": 99}', "not an export of a greenroom that this one can read"),
    "another file": (0, '{"a": 1}', "line 1: Object missing required field `type`"),
    "a key that is none": (1, '{"type": "session", "session": 1, "key": "web", "created_at": 1.0}', "line 2: session key"),
    "a line of another session": (2, '{"type": "run", "session": 7}', "line 3: it is of session 7"),
    "a message that is missing": (
        2, '{"type": "message", "session": 1, "seq": 2, "role": "user", "kind": "text", "text": "", "at": 1}',
        "line 3: message 1 of session 1 is missing",
    ),
    "a role that is none": (
        2, '{"type": "message", "session": 1, "seq": 1, "role": "boss", "kind": "text", "text": "", "at": 1}',
        "line 3: Invalid enum value 'boss'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_an_export_that_is_not_whole_is_told_of_by_its_line_and_taken_by_whole_sessions_only(
    path: Path, ours: Path, name: str
) -> None:
    number, line, why = SPOILED[name]
    with pytest.raises(CannotImport) as caught:
        take(path, spoiled(ours, number, line))
    assert why in str(caught.value)
    assert take(path, ours).sessions == 2


def test_what_stands_before_a_broken_line_stays_and_the_rest_is_taken_later(path: Path, ours: Path) -> None:
    count = len(ours.read_text().splitlines())
    with pytest.raises(CannotImport, match=r"ends early.*was taken \(1 sessions\) and stays"):
        take(path, spoiled(ours, count - 1, None))
    assert told(path)[2] == ("assistant", "hello ☂")
    done = take(path, ours)
    assert (done.sessions, done.left[HERE_ALREADY]) == (1, 1)


FILES = {
    "folder": "is a folder; name the file in it",
    "missing": "there is no such file",
    "empty": "neither a state.db of Hermes nor",
    "text": "neither a state.db of Hermes nor",
    "other": "no state.db of Hermes: sessions has no id, source, started_at",
    "ours": "is a greenroom database: `greenroom restore` puts a backup in place",
    "damaged": "damaged",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_is_refused(path: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    match name:
        case "folder":
            file.mkdir()
        case "missing":
            pass
        case "other":
            db = apsw.Connection(str(file))
            db.execute("CREATE TABLE a (b)")
            db.close()
        case "ours":
            House(file).close()
        case "damaged":
            file.write_bytes(b"SQLite format 3\0" + b"x" * 9000)
        case _:
            file.write_text("" if name == "empty" else "words")
    with pytest.raises(CannotImport, match=FILES[name]):
        take(path, file)
    assert not path.exists() or ask(path, "SELECT count(*) FROM sessions") == [(0,)]


def test_whoever_serves_the_database_is_not_disturbed(house: House, hermes: Hermes) -> None:
    with pytest.raises(Held):
        take(house.path, hermes.path)


def test_hermes_may_go_on_running(path: Path, hermes: Hermes) -> None:
    hermes.session("a")
    hermes.say("a", "user", "only in the WAL so far")
    assert read_elsewhere(hermes.path, Counter(), nobody)[0] is Source.HERMES
    hermes.db.execute("BEGIN IMMEDIATE")
    assert take(path, hermes.path).sessions == 1
    hermes.db.execute("COMMIT")
