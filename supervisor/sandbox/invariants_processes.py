"""What must be true of background processes: what is left of them, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import apsw

from greenroom.actors.process import ProcessId, show_command
from greenroom.actors.wording import how_process_is_called
from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World

GRACE_S = 15.0
"""How long a process may last that was asked to end: longer than it is given to end by itself."""


def no_process_outlives_its_owner(db: apsw.Connection, world: World) -> Iterator[str]:
    """What runs has its row, of this very owner of the store: what earlier ones left was ended before anything else."""
    if world.overtaken_at is not None:
        return  # Its owner is overtaken and still here; who overtook it is staged, and ends nothing.
    known = {
        f"{uid}-{session}-{process}": epoch
        for uid, session, process, epoch in rows(
            db, "SELECT meta.value, session_id, process, epoch FROM processes, meta WHERE meta.key = 'uid'"
        )
    }
    ((current,),) = rows(db, "SELECT epoch FROM ownership")
    for each in world.machine.living():
        if each.mark is not None and known.get(each.mark) != current:
            yield f"{each.mark} lives on, started in epoch {known.get(each.mark)}; now it is {current}"


def nobody_else_is_harmed(_: apsw.Connection, world: World) -> Iterator[str]:
    """A process of somebody else is never ended, whichever number it has."""
    for each in world.machine.harmed:
        yield f"a stranger with the number {each.pid} was ended"


def what_is_left_is_marked(db: apsw.Connection, world: World) -> Iterator[str]:
    """No row says that a process of an earlier owner runs."""
    if world.overtaken_at is not None:
        return  # This process is not the owner any more; what it left is another's to mark.
    for session, process, state in rows(
        db,
        "SELECT session_id, process, state FROM processes WHERE state IN ('starting', 'running')"
        " AND epoch < (SELECT epoch FROM ownership)",
    ):
        yield f"process {process} of session {session} is said to be {state}"


def an_end_is_told_once(db: apsw.Connection, world: World) -> Iterator[str]:
    """How a process ended is told once at most, and never when its agent looked after it."""
    for session, chat, process, command in rows(
        db,
        "SELECT session_id, key, process, command FROM processes JOIN sessions ON sessions.id = session_id",
    ):
        words = tuple(json.loads(command))
        called = f"{how_process_is_called(ProcessId(process), words)} is over"
        ((told,),) = rows(
            db,
            "SELECT count(*) FROM messages WHERE session_id = ? AND kind = 'process' AND instr(text, ?) > 0",
            session,
            called,
        )
        if told > 1:
            yield f"the end of process {process} of session {session} is told {told} times"
        if told and (chat, process, show_command(words)) in world.consumed:
            yield f"the end of process {process} of session {session} is told, though its agent knew it"


def what_was_asked_for_is_told(db: apsw.Connection, _: World) -> Iterator[str]:
    """When all is quiet, every end that an agent asked for was told, or waits for its user's word."""
    for session, process, state in rows(
        db,
        "SELECT sessions.id, process, processes.state FROM processes"
        " JOIN sessions ON sessions.id = processes.session_id"
        " JOIN routes ON routes.key = sessions.key AND routes.session_id = sessions.id"
        " WHERE notify = 1 AND consumed = 0 AND unwanted = 0 AND quarantined_at IS NULL AND suspended_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.session_id = sessions.id AND open = 1)",
    ):
        yield f"process {process} of session {session} is {state}, and nobody was told"


def a_match_is_of_the_run_before(db: apsw.Connection, _: World) -> Iterator[str]:
    """A match starts a run only right after the run that started the process, and heard it while it went on."""
    for session, key, generation in rows(
        db,
        "SELECT session_id, key, generation FROM messages WHERE key LIKE 'match.%' AND NOT EXISTS (SELECT 1 FROM runs"
        " WHERE runs.session_id = messages.session_id AND runs.generation = messages.generation - 1"
        " AND runs.closed_at = messages.at AND key LIKE 'match.' || runs.generation || '.%')",
    ):
        yield f"{key} of session {session} was told in run {generation}"


def what_was_left_is_not_awaited(db: apsw.Connection, _: World) -> Iterator[str]:
    """Nothing that runs for a conversation that was left waits to be told: no boot looks at it again."""
    for session, process in rows(
        db,
        "SELECT session_id, process FROM processes WHERE unwanted = 0"
        " AND (state IN ('starting', 'running') OR (consumed = 0 AND notify = 1))"
        " AND EXISTS (SELECT 1 FROM sessions WHERE predecessor = session_id)",
    ):
        yield f"process {process} waits to be told to session {session}, which no chat leads to"


_ENDED = """
SELECT processes.session_id, process, update_id, ended_at - deliveries.created_at FROM processes
JOIN inbox ON inbox.session_id = processes.session_id AND inbox.command IN ('stop', 'new')
    AND inbox.generation >= processes.generation
JOIN deliveries ON deliveries.key = 'command.' || inbox.id WHERE processes.state <> 'lost'
"""
"""Each process with the orders of its user that came after it, and how long it lived on after each.

What a dead owner left is ended by the next one, and marked as lost.
"""


def what_was_ended_runs_no_more(db: apsw.Connection, world: World) -> Iterator[str]:
    """After /stop and /new nothing goes on in the background that ran before."""
    if any(kind.startswith(("disk", "clock", "host")) for kind in world.faults):
        return  # Clocks jumped, or it was not written when it happened.
    for session, process, order, longer_s in rows(db, _ENDED):
        if longer_s is None or longer_s > GRACE_S:
            lived = "lives on" if longer_s is None else f"lived on for {longer_s:.0f} s"
            yield f"process {process} of session {session} {lived} after {order}"


def what_was_ended_is_not_told(db: apsw.Connection, _: World) -> Iterator[str]:
    """After /stop and /new nothing is told of what ran before."""
    for session, process, order in rows(
        db,
        "SELECT processes.session_id, process, update_id FROM processes JOIN inbox"
        " ON inbox.session_id = processes.session_id AND inbox.command IN ('stop', 'new')"
        " AND inbox.generation >= processes.generation"
        " JOIN messages ON messages.session_id = processes.session_id AND messages.generation > inbox.generation"
        " AND (messages.key = 'process.' || process OR messages.key LIKE 'match.' || process || '.%')",
    ):
        yield f"process {process} of session {session} was told of after {order}"


PROCESSES_AFTER_BOOT: tuple[Check, ...] = (
    no_process_outlives_its_owner,
    nobody_else_is_harmed,
    what_is_left_is_marked,
    an_end_is_told_once,
    a_match_is_of_the_run_before,
    what_was_left_is_not_awaited,
    what_was_ended_is_not_told,
)
PROCESSES_AT_THE_END: tuple[Check, ...] = (what_was_asked_for_is_told, what_was_ended_runs_no_more)
