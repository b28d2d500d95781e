"""Dead letters and deliveries of unknown outcome: what an operator reads of them, and what may be done to each."""

from collections.abc import Iterator

import apsw
import pytest
from msgspec.structs import replace
from tests.storage.test_statements import DELIVERY, INBOUND, KEY, RUN, TAIL, E, G, S

from greenroom.actors.facts import DeliveryDropped, DeliveryMoved, DeliveryOpened, DeliveryRevived, RunOpened
from greenroom.actors.model import Delivery, DeliveryKind, DeliveryState
from greenroom.storage.boots import take_ownership
from greenroom.storage.letters import GIVEN_UP, read_dead_keys, read_delivery_named, read_letters
from greenroom.storage.migrate import migrate
from greenroom.storage.rows import Contradiction
from greenroom.storage.statements import write_fact

TEXT = replace(DELIVERY, text="it is noon", state=DeliveryState.PENDING)


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA foreign_keys = 1; PRAGMA recursive_triggers = 1")
    migrate(connection)
    take_ownership(connection, uid_if_new="0badcafe", at=0.0, pid=1, version="0")
    write_fact(connection, INBOUND)
    write_fact(connection, RunOpened(S, RUN, TAIL))
    yield connection
    connection.close()


def put(db: apsw.Connection, state: DeliveryState, delivery: Delivery = TEXT, error: str | None = None) -> Delivery:
    write_fact(db, DeliveryOpened(E, G, delivery))
    write_fact(db, DeliveryMoved(replace(delivery, state=state, attempts=3, retry_at=99.0), 11.0, error))
    return delivery


def row(db: apsw.Connection) -> tuple[object, ...]:
    found = db.execute("SELECT state, attempts, retry_at, error FROM deliveries").fetchall()
    return (*found[0], len(read_dead_keys(db)))


def test_what_was_dead_is_owed_again_as_unknown_and_its_letter_is_gone(db: apsw.Connection) -> None:
    dead = put(db, DeliveryState.DEAD, error="blocked")
    write_fact(db, DeliveryMoved(replace(dead, state=DeliveryState.DEAD, attempts=3, retry_at=99.0), 11.0, "again"))
    assert row(db) == ("dead", 3, 99.0, "blocked", 1)
    write_fact(db, DeliveryRevived(dead, 12.0))
    assert row(db) == ("unknown", 0, None, None, 0)


@pytest.mark.parametrize("state", [DeliveryState.RETRY, DeliveryState.UNKNOWN, DeliveryState.SENDING])
def test_what_is_owed_stays_what_it_is_and_is_due_at_once(db: apsw.Connection, state: DeliveryState) -> None:
    owed = put(db, state, error="503")
    write_fact(db, DeliveryRevived(owed, 12.0))
    assert row(db) == (state.value, 0, None, None, 0)


@pytest.mark.parametrize("state", [DeliveryState.RETRY, DeliveryState.UNKNOWN, DeliveryState.PENDING])
def test_what_is_given_up_is_dead_without_a_letter_whatever_becomes_of_its_call(
    db: apsw.Connection, state: DeliveryState
) -> None:
    owed = put(db, state)
    write_fact(db, DeliveryDropped(owed, 12.0))
    assert row(db) == ("dead", 3, None, GIVEN_UP, 0)
    for moved in (DeliveryState.RETRY, DeliveryState.UNKNOWN, DeliveryState.DEAD):
        write_fact(db, DeliveryMoved(replace(owed, state=moved), 13.0, "late"))
    assert row(db) == ("dead", 3, None, GIVEN_UP, 0)
    write_fact(db, DeliveryMoved(replace(owed, state=DeliveryState.DELIVERED), 14.0))
    assert row(db)[0] == "delivered"


def test_a_letter_that_nobody_wants_is_forgotten_and_why_its_delivery_died_is_not(db: apsw.Connection) -> None:
    dead = put(db, DeliveryState.DEAD, error="blocked")
    write_fact(db, DeliveryDropped(dead, 12.0))
    assert row(db) == ("dead", 3, None, "blocked", 0)
    write_fact(db, DeliveryRevived(dead, 12.0))
    assert row(db)[0] == "unknown"


def test_what_cannot_be_is_refused_with_the_reason(db: apsw.Connection) -> None:
    with pytest.raises(Contradiction, match="there is no delivery 'nothing'"):
        write_fact(db, DeliveryRevived(replace(TEXT, key="nothing"), 12.0))
    write_fact(db, DeliveryOpened(E, G, DELIVERY))
    for change in (DeliveryRevived, DeliveryDropped):
        with pytest.raises(Contradiction, match="has no words yet"):
            write_fact(db, change(DELIVERY, 12.0))
    asked = replace(TEXT, key="q", kind=DeliveryKind.QUESTION)
    put(db, DeliveryState.DEAD, asked)
    with pytest.raises(Contradiction, match="reached nobody; `greenroom retry 1` runs"):
        write_fact(db, DeliveryRevived(asked, 12.0))
    shown = put(db, DeliveryState.DELIVERED, replace(TEXT, key="shown"))
    for change in (DeliveryRevived, DeliveryDropped):
        with pytest.raises(Contradiction, match="shown is delivered: its person can read it"):
            write_fact(db, change(shown, 12.0))


def test_an_operator_reads_what_is_tried_again_and_then_the_newest_dead_letters(db: apsw.Connection) -> None:
    for n, state in enumerate(("dead", "retry", "dead", "unknown", "delivered")):
        each = replace(TEXT, key=f"d{n}", text=f"text {n}", message_ids=("m1",) if n else ())
        put(db, DeliveryState(state), each, error=f"why {n}")
    letters = read_letters(db, 10)
    assert [(each.delivery, each.state.value, each.reason, each.shown) for each in letters] == [
        ("d3", "unknown", "why 3", 1),
        ("d1", "retry", "why 1", 1),
        ("d2", "dead", "why 2", 1),
        ("d0", "dead", "why 0", 0),
    ]
    assert [each.retry_at for each in letters] == [99.0, 99.0, None, None]
    assert {(each.session, each.key, each.text[:4]) for each in letters} == {(1, str(KEY), "text")}
    assert [each.delivery for each in read_letters(db, 1)] == ["d3", "d2"]
    assert read_dead_keys(db) == ("d0", "d2")


def test_a_delivery_is_found_by_its_name_whatever_became_of_it(db: apsw.Connection) -> None:
    dead = put(db, DeliveryState.DEAD)
    found = read_delivery_named(db, dead.key)
    assert found is not None
    assert (found.state, found.session, found.text) == (DeliveryState.DEAD, KEY, "it is noon")
    assert read_delivery_named(db, "nothing") is None
