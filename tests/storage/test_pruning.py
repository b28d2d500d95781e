"""Conversations that are over go by their age, if that is wanted; nothing goes that anybody may still need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.storage.store_house import House, inbound
from tests.storage.test_forgetting import tidy
from tests.storage.test_statements import LIFE, S, db, live_until

from greenroom.actors.facts import InboundStored, RowsForgotten, SessionsForgotten, SessionSucceeded
from greenroom.actors.model import FreshCause, Inbound, SessionId, SessionKey
from greenroom.actors.retention import Retention
from greenroom.storage import pruning
from greenroom.storage.erasing import read_held
from greenroom.storage.forgetting import ROWS_MAX, Forgetting
from greenroom.storage.statements import write_fact

__all__ = ["db"]

AGED = Retention(sessions_s=10.0)
TABLES = (*pruning.PARTS, "dead_letters")


def other_chat_says_something(db: apsw.Connection) -> None:
    """The store has a newer message than the old session's last."""
    write_fact(db, InboundStored(Inbound(SessionKey("web", "bot", "2"), "v1", "hello"), 900.0))
    db.execute(
        "INSERT INTO messages (session_id, seq, epoch, generation, key, role, kind, text, at)"
        " VALUES (3, 1, 1, 0, 'user.9', 'user', 'text', 'hello', 900.0)"
    )


def followed(db: apsw.Connection) -> None:
    live_until(db, SessionSucceeded)
    other_chat_says_something(db)


def rows_of(db: apsw.Connection, session: int) -> dict[str, int]:
    found = {t: db.execute(f"SELECT count(*) FROM {t} WHERE session_id = ?", (session,)).get for t in TABLES}
    return {table: int(count) for table, count in found.items() if count}


def test_a_session_that_was_followed_long_ago_goes_with_all_its_rows_and_no_other_does(db: apsw.Connection) -> None:
    followed(db)
    assert set(rows_of(db, S)) >= {"messages", "runs", "tool_calls", "questions", "processes", "deliveries", "inbox"}
    assert tidy(db, Forgetting(AGED), now=26.0) == []
    steps = tidy(db, Forgetting(AGED), now=26.1)
    assert [table for table, _ in steps] == [*pruning.PARTS, "sessions"]
    assert rows_of(db, S) == {}
    assert db.execute("SELECT id, predecessor FROM sessions ORDER BY id").fetchall() == [(2, None), (3, None)]
    assert db.execute("SELECT session_id FROM routes ORDER BY 1").fetchall() == [(2,), (3,)]
    assert rows_of(db, 3) == {"inbox": 1, "messages": 1}
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert tidy(db, Forgetting(AGED)) == []


@pytest.mark.parametrize(
    "still",
    [
        "UPDATE deliveries SET state = 'retry' WHERE session_id = 1",
        "UPDATE deliveries SET state = 'dead'; INSERT INTO dead_letters SELECT id, key, 1, 'gone', 1.0 FROM deliveries",
        "UPDATE runs SET open = 1 WHERE session_id = 1",
        "UPDATE inbox SET generation = NULL WHERE session_id = 1",
        "UPDATE processes SET state = 'running' WHERE session_id = 1",
        "UPDATE routes SET session_id = 1 WHERE session_id = 2",
        "DELETE FROM messages WHERE session_id = 3",
    ],
)
def test_what_somebody_may_still_need_keeps_its_session(db: apsw.Connection, still: str) -> None:
    followed(db)
    db.execute(still)
    before = rows_of(db, S)
    assert tidy(db, Forgetting(AGED)) == []
    assert rows_of(db, S) == before


def test_who_is_followed_by_nobody_stays_for_ever_and_so_does_everybody_by_default(db: apsw.Connection) -> None:
    live_until(db, LIFE[-3])
    assert tidy(db, Forgetting(AGED), now=1e12) == []
    write_fact(db, SessionSucceeded(S, FreshCause.ASKED, 16.0))
    assert tidy(db, Forgetting(Retention(decisions_s=1.0)), now=1e12)[1:] == []


def test_a_chain_goes_link_by_link_and_a_step_is_bounded(db: apsw.Connection) -> None:
    followed(db)
    write_fact(db, SessionSucceeded(SessionId(2), FreshCause.ASKED, 17.0))
    values = [(n,) for n in range(100, 100 + 2 * ROWS_MAX)]
    db.executemany(
        "INSERT INTO decisions (id, session_id, epoch, generation, rule, outcome, inputs, at)"
        " VALUES (?, 1, 1, 1, 'ANSWERED', 'skip', '{}', 1.0)",
        values,
    )
    steps = tidy(db, Forgetting(AGED))
    assert [count for table, count in steps if table == "decisions"][:2] == [ROWS_MAX, ROWS_MAX]
    assert max(count for _, count in steps) == ROWS_MAX
    assert [table for table, _ in steps].count("sessions") == 2
    assert db.execute("SELECT id, predecessor FROM sessions ORDER BY id").fetchall() == [(3, None), (4, None)]


def test_a_round_that_was_cut_off_goes_on_where_it_stopped(db: apsw.Connection) -> None:
    followed(db)
    forgetting = Forgetting(AGED)
    for _ in range(3):
        found = forgetting.look(db, now=1e3, monotonic=0.0)
        assert isinstance(found, RowsForgotten)
        write_fact(db, found)
    tidy(db, Forgetting(AGED))
    assert rows_of(db, S) == {}


def test_every_look_goes_by_index(db: apsw.Connection) -> None:
    followed(db)
    plans: list[str] = []

    def explain(cursor: apsw.Cursor, sql: str, bindings: Any) -> bool:
        asking = db.cursor()
        asking.exec_trace = None
        plans.extend(str(row[3]) for row in asking.execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        return True

    db.exec_trace = explain
    tidy(db, Forgetting(AGED))
    read_held(db, (S,))
    write_fact(db, SessionsForgotten(SessionKey("web", "bot", "2"), (SessionId(3),), 1e3))
    db.exec_trace = None
    assert len(plans) > 20
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []
    assert [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT ROW" not in plan] == []


def test_a_look_passes_over_some_who_stay_and_the_next_one_goes_on_behind_them(db: apsw.Connection) -> None:
    followed(db)
    first, last = 1_000, 1_001 + 2 * pruning.SEEN_MAX
    db.executemany(
        "INSERT INTO sessions (id, key, created_at, epoch, predecessor) VALUES (?, 'web:bot:9', ?, 1, ?)",
        [(n, 30.0 if n == last else 1e6, None if n == first else n - 1) for n in range(first, last + 1)],
    )
    forgetting = Forgetting(AGED)
    looks = []
    while (found := forgetting.look(db, now=1e3, monotonic=0.0)) is not None:
        write_fact(db, found)
        looks.append((found.table, found.ids))
    assert looks.count(("sessions", ())) == 2
    assert looks[-1] == ("sessions", (last - 1,))


def test_a_store_goes_on_looking_behind_those_who_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "SEEN_MAX", 2)
    path = tmp_path / "bot.db"
    House(path).close()
    file = apsw.Connection(str(path))
    file.executemany(
        "INSERT INTO sessions (id, key, created_at, epoch, predecessor) VALUES (?, 'web:bot:9', ?, 1, ?)",
        [(n, 30.0 if n == 9 else 4e9, None if n == 1 else n - 1) for n in range(1, 10)],
    )
    file.execute(
        "INSERT INTO messages (session_id, seq, epoch, generation, key, role, kind, text, at)"
        " VALUES (1, 1, 1, 0, 'k', 'user', 'text', 'hello', 1.0)"
    )
    file.close()
    house = House(path, retention=AGED)
    for number in range(20):  # Each lets it look once more, at least.
        house.write(inbound(number))
    house.close()
    file = apsw.Connection(str(path))
    assert [row[0] for row in file.execute("SELECT id FROM sessions ORDER BY id")] == [1, 2, 3, 4, 5, 6, 7, 9, 10]
    file.close()
