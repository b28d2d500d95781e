"""How a session stands: set aside, suspended, given back."""

import apsw
from tests.storage import test_statements
from tests.storage.test_statements import S, live_until

from greenroom.actors.facts import (
    RestartsCounted,
    RunProgressed,
    SessionQuarantined,
    SessionReleased,
    SessionSuspended,
    SuspensionLifted,
)
from greenroom.storage.statements import write_fact
from greenroom.storage.unfinished import read_unfinished

db = test_statements.db
"""The fixture, also here."""


def test_a_released_session_is_counted_anew(db: apsw.Connection) -> None:
    live_until(db, RunProgressed)
    for fact in (RestartsCounted(S, "spent"), SessionQuarantined(S, "loops", 14.0)):
        write_fact(db, fact)
    (before,) = read_unfinished(db, S)
    assert before.run is not None
    assert (before.restart_budget, before.run.attempt, before.quarantined) == ("spent", 2, True)

    write_fact(db, SessionReleased(S, 15.0))
    (after,) = read_unfinished(db, S)
    assert after.run is not None
    assert (after.restart_budget, after.run.attempt, after.quarantined) == (None, 0, False)


def test_a_suspension_is_lifted_and_a_quarantine_stays(db: apsw.Connection) -> None:
    live_until(db, RunProgressed)
    for fact in (SessionSuspended(S, 13.0), SessionQuarantined(S, "loops", 14.0), SuspensionLifted(S)):
        write_fact(db, fact)
    (found,) = read_unfinished(db, S)
    assert (found.suspended, found.quarantined) == (False, True)
