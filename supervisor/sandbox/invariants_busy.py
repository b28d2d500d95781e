"""What must be true of messages that come while a run works: none is lost between runs, and who steers is told."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.actors.rules import Busy
from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World

DELAYS = ("clock", "host", "disk", "actor", "zombie")
"""Faults after which times that were written down do not say what was known when."""

_WORKED_ON = """
SELECT runs.session_id, runs.generation, update_id FROM runs JOIN inbox ON inbox.session_id = runs.session_id
WHERE runs.ending IN ('answered', 'failed') AND inbox.generation > runs.generation
    AND inbox.at > runs.opened_at + 1 AND inbox.at < runs.closed_at - 1
    AND command IS NULL AND inbox.text NOT LIKE '/%'
    AND runs.interrupted_by IS NULL AND NOT EXISTS (SELECT 1 FROM questions
        WHERE questions.session_id = runs.session_id AND questions.work = runs.work)
"""

_UNTOLD = """
SELECT messages.session_id, seq, messages.generation FROM messages JOIN runs USING (session_id, generation)
WHERE role = 'user' AND messages.at > runs.opened_at AND NOT EXISTS (SELECT 1 FROM questions
        WHERE questions.session_id = messages.session_id AND answered_at = messages.at)
    AND NOT EXISTS (SELECT 1 FROM messages AS stop WHERE stop.session_id = messages.session_id
        AND stop.kind = 'stopped' AND stop.at = messages.at)
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.session_id = messages.session_id
        AND deliveries.generation = messages.generation AND key LIKE '%.steered.%'
        AND deliveries.created_at = messages.at)
"""


def what_ends_a_run_takes_over_its_work(db: apsw.Connection, _: World) -> Iterator[str]:
    """A run that its user's message ended is followed at once by one of the same work, which has that message."""
    for session, generation in rows(
        db,
        "SELECT session_id, generation FROM runs WHERE ending = 'superseded' AND NOT EXISTS (SELECT 1 FROM runs AS next"
        " JOIN inbox USING (session_id, generation) WHERE next.session_id = runs.session_id"
        " AND next.generation = runs.generation + 1 AND next.work = runs.work AND next.opened_at = runs.closed_at)",
    ):
        yield f"run {generation} of session {session} was ended for a message that its work never got"


def who_interrupts_is_heard(db: apsw.Connection, world: World) -> Iterator[str]:
    """Under `interrupt` no run goes on to its end beside a message of its user."""
    if world.policy is None or world.policy.busy != Busy.INTERRUPT or world.was(*DELAYS):
        return
    for session, generation, update_id in rows(db, _WORKED_ON):
        yield f"run {generation} of session {session} went on beside {update_id}"


def who_steers_is_told(db: apsw.Connection, _: World) -> Iterator[str]:
    """A message that a running agent took is told to have been passed on."""
    for session, seq, generation in rows(db, _UNTOLD):
        yield f"row {seq} of session {session} was handed to run {generation} without a word"


BUSY_AFTER_BOOT: tuple[Check, ...] = (what_ends_a_run_takes_over_its_work, who_steers_is_told)
BUSY_AT_THE_END: tuple[Check, ...] = (who_interrupts_is_heard,)
