"""An export says everything of a session, a line at a time, and nothing that opens a door."""

import json
from typing import Any

import apsw
import pytest
from tests.storage.full_house import fill
from tests.storage.store_house import House, inbound, said

from greenroom.actors.model import (
    Generation,
    SessionId,
    SessionKey,
    ToolCall,
    ToolPolicy,
)
from greenroom.storage.exporting import FORMAT, PARTS, SESSION, export
from greenroom.storage.sqlite import open_reader

S, G = SessionId(1), Generation(1)
KEY = SessionKey("web", "bot", "1")
CALL = ToolCall("c1", "weather", '{"city":"Oslo"}', ToolPolicy.ONCE)


@pytest.fixture
def full(house: House) -> House:
    return fill(house)


def lines(house: House, only: SessionId | None = None) -> list[dict[str, Any]]:
    db = open_reader(str(house.path))
    found = [json.loads(line) for line in export(db, only, version="1.2", now=9.0)]
    db.close()
    return found


def test_each_kind_of_row_is_a_line_between_a_first_and_a_last_one(full: House) -> None:
    found = lines(full)
    types = [line["type"] for line in found]
    assert types[0] == "export"
    assert set(types) == {"export", "end", "session", *(part.type for part in PARTS)}
    assert found[0] == {
        "type": "export", "format": FORMAT, "greenroom": "1.2", "schema": 1, "store": full.store.uid, "at": 9.0
    }  # fmt: skip
    assert found[-1] == {"type": "end", "sessions": 2, "lines": len(found)}


def test_what_is_json_inside_the_store_is_json_in_a_line(full: House) -> None:
    by_type = {line["type"]: line for line in lines(full, S)}
    assert by_type["message"]["tool_calls"] == [
        {"key": "c1", "name": "weather", "args": {"city": "Oslo"}, "policy": "once"}
    ]
    assert by_type["message"]["attachments"][0]["where"] == "http://x/y"
    assert (by_type["tool_call"]["args"], by_type["tool_call"]["result"]) == ({"city": "Oslo"}, "rain")
    assert (by_type["question"]["choices"], by_type["decision"]["inputs"]) == (["yes", "no"], {"reason": "x"})
    assert (by_type["delivery"]["message_ids"], by_type["run"]["open"]) == (["m1"], True)


@pytest.mark.parametrize(
    "args",
    [
        '{"text": "cut \\ud83d"}',
        '{"n": NaN}',
        '{"n": [1, -Infinity]}',
        '{"n": 1e999}',
        "[" * 100_000,
    ],
)
def test_what_no_line_can_hold_as_json_stays_the_text_that_it_is(full: House, args: str) -> None:
    db = apsw.Connection(str(full.path))
    db.execute("UPDATE tool_calls SET args = ?", (args,))
    db.close()
    by_type = {line["type"]: line for line in lines(full, S)}
    assert by_type["tool_call"]["args"] == args
    assert by_type["end"]["lines"] == len(lines(full, S))


def test_words_come_through_whole(full: House) -> None:
    (first, _) = [line for line in lines(full, S) if line["type"] == "message"]
    assert first["text"] == "wie geht's? ☂\nline two"


def test_one_session_is_exported_without_the_others(full: House) -> None:
    assert {line.get("session") for line in lines(full, SessionId(2))} == {None, 2}
    assert lines(full, SessionId(2))[-1] == {"type": "end", "sessions": 1, "lines": 4}
    assert lines(full, SessionId(99))[-1] == {"type": "end", "sessions": 0, "lines": 2}


def test_what_lets_a_chat_in_is_not_exported(full: House) -> None:
    told = json.dumps(lines(full))
    assert "the-salt" not in told
    assert "the-hash" not in told


def test_it_is_of_one_moment_whoever_writes_meanwhile(full: House) -> None:
    db = open_reader(str(full.path))
    going = export(db, None, version="1.2", now=9.0)
    next(going)
    full.write(said(full.store.epoch, 3), inbound(1, chat="3"))
    rest = [json.loads(line) for line in going]
    assert rest[-1]["sessions"] == 2
    assert sum(line["type"] == "message" for line in rest) == 2
    assert not db.in_transaction
    db.close()


def test_a_reader_that_has_seen_enough_leaves_no_transaction_open(full: House) -> None:
    db = open_reader(str(full.path))
    going = export(db, None, version="1.2", now=9.0)
    next(going)
    states = [db.in_transaction]
    going.close()
    assert [*states, db.in_transaction] == [True, False]
    db.close()


def test_every_column_is_exported_or_named_as_left_out(house: House) -> None:
    """A new column is decided about: what a session has belongs into its export, what opens doors does not."""
    db = apsw.Connection(str(house.path), flags=apsw.SQLITE_OPEN_READONLY)
    for part in (SESSION, *PARTS):
        found = {str(row[1]) for row in db.execute(f"PRAGMA table_info({part.table})")}
        assert found == set(part.columns) | part.left_out, part.table
        assert not set(part.columns) & part.left_out
    tables = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    of_no_session = {"meta", "boots", "ownership", "routes", "refusals", "pairings", "sqlite_sequence"}
    assert tables == {part.table for part in (SESSION, *PARTS)} | of_no_session
    db.close()
