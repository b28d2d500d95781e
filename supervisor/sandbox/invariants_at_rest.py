"""What must be true when all is quiet, at the end or in a life with faults: nothing that could go on waits.

A start decides about everything that is open: what is looked up only after one never sees what was stuck before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.actors.setback import UNCONFIRMED
from greenroom.supervisor.sandbox.invariants_access import shut_out
from greenroom.supervisor.sandbox.invariants_after_boot import rows
from greenroom.supervisor.sandbox.world import World

Owed = Iterator[tuple[int, str]]
"""Sessions, each with what it owes."""


def who_rests_owes_nothing(db: apsw.Connection, world: World) -> Iterator[str]:
    """What waits when a process has come to rest waits for a person: for their answer, or for their word in safe mode.

    It never waits for the next start. What a process owes that was overtaken, the other one does.
    """
    if world.overtaken_at is not None:
        return
    waiting = {
        session
        for (session,) in rows(
            db,
            "SELECT session_id FROM runs WHERE open = 1 AND (EXISTS (SELECT 1 FROM questions WHERE answer IS NULL"
            " AND questions.session_id = runs.session_id AND questions.work = runs.work)"
            " OR 'SAFE_MODE' = (SELECT rule FROM decisions WHERE decisions.session_id = runs.session_id"
            " AND decisions.generation = runs.generation AND decisions.epoch = (SELECT epoch FROM ownership)"
            " ORDER BY id DESC LIMIT 1))",
        )
    }
    for session, owed in (*_without_an_answer(db, world), *_open(db, world)):
        if session not in waiting:
            yield owed


def what_is_stored_is_answered(db: apsw.Connection, world: World) -> Iterator[str]:
    """Each stored message became one user row that a concluding row covers, or its session was visibly set aside.

    A person whom the question did not reach, or who does not see it any more, cannot answer it either. Who pressed a
    button of a question that is over was told so. A chat that may not write any more is answered nothing.
    """
    yield from (owed for _, owed in _without_an_answer(db, world))
    for session, reason in rows(
        db,
        "SELECT id, quarantine_reason FROM sessions WHERE quarantined_at IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM deliveries WHERE session_id = sessions.id AND state IN ('delivered', 'dead')"
        " AND text LIKE '%set this conversation aside%')",
    ):
        yield f"session {session} was set aside without a word: {reason}"


def no_run_stays_open(db: apsw.Connection, world: World) -> Iterator[str]:
    """When all is quiet only a run that waits for its person, or that its policy leaves alone, is open."""
    yield from (owed for _, owed in _open(db, world))


def _without_an_answer(db: apsw.Connection, world: World) -> Owed:
    aside = shut_out(db, world)
    for update_id, session, key in rows(
        db,
        "SELECT inbox.update_id, inbox.session_id, sessions.key"
        " FROM inbox JOIN sessions ON sessions.id = inbox.session_id"
        " WHERE quarantined_at IS NULL AND suspended_at IS NULL AND command IS NULL"
        " AND NOT (answers IS NOT NULL AND EXISTS (SELECT 1 FROM deliveries WHERE"
        " key = inbox.session_id || '.' || inbox.generation || '.over.' || inbox.id))"
        " AND NOT (change IS NOT NULL AND inbox.generation IS NULL AND NOT EXISTS (SELECT 1 FROM inbox AS later"
        " WHERE later.session_id = inbox.session_id AND later.id > inbox.id AND later.seq IS NOT NULL))"
        " AND (inbox.generation IS NULL OR seq IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM messages WHERE messages.session_id = inbox.session_id AND answers_upto >= inbox.seq))"
        " AND NOT EXISTS (SELECT 1 FROM questions, deliveries USING (session_id)"
        " WHERE session_id = inbox.session_id AND answer IS NULL AND instr(text, prompt) > 0"
        " AND (state = 'dead' OR instr(error, ?) = 1))",
        UNCONFIRMED,
    ):
        if key not in aside:
            yield session, f"{update_id} in session {session} has no answer"


def _open(db: apsw.Connection, world: World) -> Owed:
    aside = shut_out(db, world)
    for session, key, generation, rule in rows(
        db,
        "SELECT runs.session_id, sessions.key, runs.generation,"
        " (SELECT rule FROM decisions WHERE session_id = runs.session_id ORDER BY id DESC LIMIT 1)"
        " FROM runs JOIN sessions ON sessions.id = runs.session_id WHERE open = 1"
        " AND quarantined_at IS NULL AND suspended_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM questions WHERE answer IS NULL"
        " AND questions.session_id = runs.session_id AND questions.work = runs.work)",
    ):
        if rule != "REASON_NOT_ALLOWED" and not (rule == "NOT_ALLOWED" and key in aside):
            yield session, f"run {generation} of session {session} is open (last decision: {rule})"
