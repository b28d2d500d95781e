"""Old bookkeeping goes, a few rows at a time; what anything still needs stays, however old."""

from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.storage.store_house import House, inbound, opened
from tests.storage.test_statements import DELIVERY, LIFE, E, G, S, db, live_until

from greenroom.actors.facts import (
    DecisionStored,
    InboundSettled,
    InboundStored,
    RunClosed,
    RunOpened,
    SessionReleased,
)
from greenroom.actors.model import Ending, Inbound, InboxId, Receipt
from greenroom.actors.process_facts import ProcessConsumed
from greenroom.actors.retention import KEEP_ALL, Retention
from greenroom.storage.forgetting import EVERY_S, ROWS_MAX, Forgetting
from greenroom.storage.statements import write_fact

__all__ = ["db"]

SHORT = Retention(decisions_s=10.0, boots_s=10.0, inbox_s=10.0, deliveries_s=10.0)
MORE = Retention(questions_s=10.0, processes_s=10.0)


def tidy(db: apsw.Connection, forgetting: Forgetting, *, now: float = 1_000.0) -> list[tuple[str, int]]:
    """One whole round; what was forgotten in each step."""
    steps: list[tuple[str, int]] = []
    while (found := forgetting.look(db, now=now, monotonic=0.0)) is not None:
        write_fact(db, found)
        steps.append((found.table, len(found.ids)))
    return steps


def test_what_is_old_and_done_is_forgotten_and_the_transcript_is_not(db: apsw.Connection) -> None:
    live_until(db, SessionReleased)
    assert tidy(db, Forgetting(SHORT)) == [("decisions", 1), ("inbox", 2), ("deliveries", 2)]
    for table, count in {"decisions": 0, "inbox": 0, "deliveries": 0, "messages": 1, "sessions": 1, "runs": 1}.items():
        assert db.execute(f"SELECT count(*) FROM {table}").get == count
    assert tidy(db, Forgetting(SHORT)) == []


@pytest.mark.parametrize("now", [0.0, 11.9])
def test_what_is_young_stays(db: apsw.Connection, now: float) -> None:
    live_until(db, SessionReleased)
    assert tidy(db, Forgetting(SHORT), now=now) == []


def test_without_a_limit_nothing_is_ever_looked_for(db: apsw.Connection) -> None:
    live_until(db, SessionReleased)
    assert not Forgetting(KEEP_ALL).is_due(1e9)
    assert tidy(db, Forgetting(Retention(decisions_s=1.0))) == [("decisions", 1)]


def test_what_an_open_run_needs_stays_however_old(db: apsw.Connection) -> None:
    live_until(db, RunOpened)
    for fact in LIFE:
        if type(fact) not in {RunClosed, RunOpened, InboundStored, InboundSettled}:
            write_fact(db, fact)
        if type(fact) is SessionReleased:
            break
    db.execute("UPDATE ownership SET epoch = 5; INSERT INTO boots VALUES (5, 5.0, NULL, NULL, NULL, 1, '0')")
    assert tidy(db, Forgetting(SHORT)) == []
    write_fact(db, RunClosed(S, G, Ending.ANSWERED, 10.0))
    assert tidy(db, Forgetting(SHORT)) == [("decisions", 1), ("boots", 1), ("inbox", 1), ("deliveries", 2)]


def test_questions_and_processes_that_are_over_are_forgotten_and_no_sooner(db: apsw.Connection) -> None:
    live_until(db, RunClosed)
    assert tidy(db, Forgetting(MORE), now=17.9) == []
    db.execute("UPDATE processes SET state = 'running'")
    assert tidy(db, Forgetting(MORE)) == [("questions", 2)]
    db.execute("UPDATE processes SET state = 'ended', consumed = 0, notify = 1, unwanted = 0")
    assert tidy(db, Forgetting(MORE)) == []
    db.execute("UPDATE processes SET consumed = 1")
    assert tidy(db, Forgetting(MORE)) == [("processes", 1)]


def test_a_question_that_is_still_to_be_shown_stays_with_its_choices(db: apsw.Connection) -> None:
    live_until(db, RunClosed)
    db.execute("UPDATE questions SET delivery = ?; UPDATE deliveries SET state = 'retry'", (DELIVERY.key,))
    assert tidy(db, Forgetting(MORE)) == [("processes", 1)]


def test_an_open_run_keeps_its_questions_and_processes(db: apsw.Connection) -> None:
    live_until(db, ProcessConsumed)
    assert tidy(db, Forgetting(MORE)) == []


def test_what_waits_is_never_forgotten(db: apsw.Connection) -> None:
    live_until(db, InboundStored)
    assert tidy(db, Forgetting(SHORT)) == []


def test_what_is_owed_or_dead_is_never_forgotten(db: apsw.Connection) -> None:
    live_until(db, RunClosed)
    db.execute("UPDATE deliveries SET state = 'unknown', delivered_at = NULL")
    assert "deliveries" not in dict(tidy(db, Forgetting(SHORT)))
    db.execute("UPDATE deliveries SET state = 'dead'")
    db.execute("INSERT INTO dead_letters (delivery, session_id, reason, at) SELECT key, 1, 'gone', 1.0 FROM deliveries")
    assert "deliveries" not in dict(tidy(db, Forgetting(SHORT)))
    db.execute("DELETE FROM dead_letters")
    assert dict(tidy(db, Forgetting(SHORT)))["deliveries"] == 2


def test_a_step_is_bounded_and_what_may_not_go_is_passed_over(db: apsw.Connection) -> None:
    live_until(db, RunClosed)
    for n in range(2 * ROWS_MAX + 50):
        write_fact(db, DecisionStored(S, E, G, "ANSWERED", "skip", "{}", float(n)))
    forgetting = Forgetting(Retention(decisions_s=10.0))
    steps = tidy(db, forgetting, now=2.0 * ROWS_MAX + 10)
    assert [count for _, count in steps] == [ROWS_MAX, ROWS_MAX]
    assert db.execute("SELECT count(*) FROM decisions").get == 50
    assert not forgetting.is_due(EVERY_S - 1)
    assert forgetting.is_due(EVERY_S)


def test_an_update_that_comes_again_is_known_for_as_long_as_its_row_is_kept(db: apsw.Connection) -> None:
    live_until(db, RunClosed)
    again = InboundStored(Inbound(DELIVERY.session, "u1", "hello"), 500.0)
    receipt = write_fact(db, again)
    assert isinstance(receipt, Receipt)
    assert receipt.repeated
    tidy(db, Forgetting(SHORT))
    later = write_fact(db, again)
    assert isinstance(later, Receipt)
    assert not later.repeated
    assert later.inbox_id > receipt.inbox_id


def test_while_a_message_waits_its_session_forgets_nothing(db: apsw.Connection) -> None:
    live_until(db, SessionReleased)
    write_fact(db, inbound(9))
    assert tidy(db, Forgetting(SHORT)) == []
    waiting = InboxId(db.execute("SELECT max(id) FROM inbox").get)
    write_fact(db, InboundSettled(S, waiting, G))
    assert tidy(db, Forgetting(SHORT)) == [("decisions", 1), ("inbox", 3), ("deliveries", 2)]


def test_the_store_forgets_between_writes_and_says_nothing_about_it(tmp_path: Path) -> None:
    house = House(tmp_path / "bot.db", retention=Retention(decisions_s=10.0))
    epoch = house.store.epoch
    decided = [DecisionStored(S, epoch, G, "RESUME", "resume", "{}", at) for at in (1.0, 4e9)]
    settled = InboundSettled(S, InboxId(1), G)
    house.write(inbound(), settled, opened(epoch), *decided, RunClosed(S, G, Ending.ANSWERED, 1.0))
    house.write(inbound(2))
    house.close()
    left: Any = apsw.Connection(str(tmp_path / "bot.db")).execute("SELECT at FROM decisions").get
    assert left == 4e9
