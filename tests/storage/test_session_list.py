"""What an operator looks for among all sessions is found, whole, and by index."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace
from tests.storage.test_views import NOW, Life, fill, states

from greenroom.actors.facts import RestartsCounted, SessionSuspended
from greenroom.actors.model import DeliveryState, Inbound, SessionId, SessionKey, TailKind
from greenroom.storage.session_list import Sought, count_states, read_listed, read_platforms
from greenroom.storage.views import SessionState, open_views, read_session, read_sessions


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    living = Life(tmp_path / "room.db")
    yield living
    living.end(in_order=False)


@pytest.fixture
def views(life: Life) -> Iterator[apsw.Connection]:
    db = open_views(life.path)
    yield db
    db.close()


def listed(views: apsw.Connection, *, live: bool = True, **sought: object) -> set[str]:
    return set(states(read_listed(views, replace(Sought(), **sought), live=live)))


@pytest.mark.parametrize("live", [True, False])
def test_each_state_lists_and_counts_the_sessions_that_have_it_and_no_others(
    life: Life, views: apsw.Connection, live: bool
) -> None:
    fill(life)
    life.inbound("waiting", "a second message")
    stand = states(read_sessions(views, live=live))
    counts = count_states(views, live=live)
    assert set(counts) == set(SessionState)
    for state in SessionState:
        having = {name for name, has in stand.items() if has is state}
        assert listed(views, live=live, state=state) == having
        assert counts[state] == len(having)
    assert sum(counts.values()) == len(stand)


def test_what_is_set_aside_is_nothing_else_whatever_waits_or_is_owed_in_it(life: Life, views: apsw.Connection) -> None:
    running, owing = life.inbound("running"), life.inbound("owing")
    life.open_run(running)
    life.answer(owing, life.open_run(owing), "Soon.", DeliveryState.RETRY)
    life.inbound("owing", "another")
    assert listed(views, state=SessionState.WAITING) == {"owing"}
    assert listed(views, state=SessionState.OWING) == set()
    for receipt in (running, owing):
        life.write(SessionSuspended(receipt.session_id, NOW))
    assert listed(views, state=SessionState.SUSPENDED) == {"running", "owing"}
    counts = count_states(views, live=True)
    assert {state: number for state, number in counts.items() if number} == {SessionState.SUSPENDED: 2}


def other(life: Life, platform: str, chat: str) -> None:
    inbound = Inbound(SessionKey(platform, "me", chat), f"{platform}-{chat}", "hello")
    life._wait(lambda then: life.store.accept(inbound, NOW, then))


def test_a_platform_is_its_own_and_none_that_begins_like_it(life: Life, views: apsw.Connection) -> None:
    life.inbound("here")
    for platform, chat in (("webhook", "hook"), ("we", "short"), ("slack", "room")):
        other(life, platform, chat)
    assert read_platforms(views) == ("slack", "we", "web", "webhook")
    assert listed(views, platform="web") == {"here"}
    assert listed(views, platform="we") == {"short"}
    assert listed(views, platform="nowhere") == set()
    assert listed(views, platform="web", state=SessionState.WAITING) == {"here"}


@pytest.mark.parametrize(
    "part, names", [("OSL", {"oslo"}), ("local:", {"oslo", "bergen"}), ("%", set()), ("_", set()), ("' OR 1=1", set())]
)
def test_a_part_of_a_name_finds_it_in_any_case(life: Life, views: apsw.Connection, part: str, names: set[str]) -> None:
    life.inbound("oslo")
    life.inbound("bergen")
    assert listed(views, part=part) == names
    assert listed(views, part=part, state=SessionState.WAITING, platform="web") == names


def test_a_number_finds_its_session(life: Life, views: apsw.Connection) -> None:
    receipt = life.inbound("oslo")
    life.inbound("bergen")
    for part in (str(receipt.session_id), f"#{receipt.session_id}"):
        assert listed(views, part=part) == {"oslo"}
    assert listed(views, part="9" * 40) == set()


@pytest.mark.parametrize(
    "sought", [Sought(), Sought(platform="web"), Sought(part="chat"), Sought(SessionState.WAITING)]
)
def test_pages_of_what_is_sought_follow_each_other(life: Life, views: apsw.Connection, sought: Sought) -> None:
    receipts = [life.inbound(f"chat{n}", text) for n in range(5) for text in ("one", "two")]
    seen: list[SessionId] = []
    before: SessionId | None = None
    while page := read_listed(views, sought, live=True, before=before, limit=2):
        seen += [row.id for row in page]
        before = page[-1].id
    assert seen == sorted({receipt.session_id for receipt in receipts}, reverse=True)


def test_a_row_tells_its_tail_and_its_restarts(life: Life, views: apsw.Connection) -> None:
    receipt = life.inbound("oslo")
    fresh = read_session(views, receipt.session_id, live=True)
    assert fresh is not None
    assert (fresh.tail, fresh.restarts) == (TailKind.EMPTY, 0)
    tail = life.open_run(receipt)
    running = read_session(views, receipt.session_id, live=True)
    assert running is not None
    assert running.tail is TailKind.USER
    life.answer(receipt, tail, "Hi.", DeliveryState.DELIVERED)
    life.write(RestartsCounted(receipt.session_id, '{"restarts": [1.0, 2.0], "last_failure": "boom"}'))
    told = read_session(views, receipt.session_id, live=True)
    assert told is not None
    assert (told.tail, told.restarts) == (TailKind.FINAL, 2)
    life.write(RestartsCounted(receipt.session_id, "no budget at all"))
    damaged = read_session(views, receipt.session_id, live=True)
    assert damaged is not None
    assert damaged.restarts == 0


def test_no_list_reads_what_is_at_rest(life: Life, views: apsw.Connection) -> None:
    """Plans are looked at, since time must not be measured. Over all keys only a name is looked for, or the idle."""
    fill(life)
    planner, scans = open_views(life.path), list[tuple[str, str]]()

    def look(_: apsw.Cursor, sql: str, bindings: object) -> bool:
        steps = planner.execute(f"EXPLAIN QUERY PLAN {sql}", bindings).fetchall()  # type: ignore[arg-type]
        scans.extend((sql, str(step[3])) for step in steps if str(step[3]).startswith("SCAN"))
        return True

    views.exec_trace = look
    for state in (None, *SessionState):
        read_listed(views, Sought(state, "web"), live=True)
        read_listed(views, Sought(state), live=True)
    count_states(views, live=True)
    read_platforms(views)
    planner.close()
    partial = ("(subquery", "runs_open", "inbox_waiting", "deliveries_owed", "sessions_set_aside", "ownership")
    whole = {(sql, step) for sql, step in scans if not any(name in step for name in partial)}
    assert {step for _, step in whole} <= {"SCAN sessions USING COVERING INDEX sessions_by_key"}
    assert {sql for sql, _ in whole} <= {"SELECT count(*) FROM sessions"}
