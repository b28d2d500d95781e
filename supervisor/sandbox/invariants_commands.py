"""What must be true of orders: each is carried out once, what is stopped stays so, what is suspended begins nothing."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.actors.replies import NOTHING_RUNS
from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World


def an_order_has_one_reply(db: apsw.Connection, _: World) -> Iterator[str]:
    """An order that is carried out has one reply, or is the person's answer; one that is not has none.

    Nor has an operator's that came to nothing: the chat does not know of it.
    """
    for update_id, command, generation, told in rows(
        db,
        "SELECT update_id, command, generation,"
        " (SELECT count(*) FROM deliveries WHERE key = 'command.' || inbox.id) AS told"
        " FROM inbox"
        " WHERE told <> (command IS NOT NULL AND generation IS NOT NULL AND seq IS NULL AND refusal IS NULL)",
    ):
        yield f"{update_id} (/{command}, handled in run {generation}) has {told} replies"


def an_order_is_carried_out(db: apsw.Connection, _: World) -> Iterator[str]:
    """Nothing that a session does, and no way in which it is set aside, keeps an order waiting."""
    for update_id, command, text in rows(
        db, "SELECT update_id, command, text FROM inbox WHERE command IS NOT NULL AND generation IS NULL"
    ):
        if not (command in {"approve", "deny"} and _waits_behind(db, update_id)):
            yield f"{update_id} ({text}) was never carried out"


def _waits_behind(db: apsw.Connection, update_id: str) -> bool:
    """An approval that is given while its session is suspended waits with the messages."""
    found = rows(
        db,
        "SELECT coalesce(suspended_at, quarantined_at) FROM sessions JOIN inbox ON inbox.session_id = sessions.id"
        " WHERE update_id = ?",
        update_id,
    )
    return any(at is not None for (at,) in found)


def what_is_stopped_stays_so(db: apsw.Connection, _: World) -> Iterator[str]:
    """A run that its person stopped is concluded by one row, says nothing after it, and has no later attempt."""
    for session, generation, ended, later, attempts in rows(
        db,
        "SELECT session_id, generation,"
        " (SELECT count(*) FROM messages m WHERE m.session_id = runs.session_id AND kind = 'stopped'"
        "  AND m.key = 'end.' || runs.work) AS ended,"
        " (SELECT count(*) FROM messages m WHERE m.session_id = runs.session_id AND m.generation = runs.generation"
        "  AND role IN ('assistant', 'tool') AND m.seq > (SELECT seq FROM messages e"
        "  WHERE e.session_id = runs.session_id AND e.key = 'end.' || runs.work)) AS later,"
        " (SELECT count(*) FROM runs r WHERE r.session_id = runs.session_id AND r.work = runs.work"
        "  AND r.generation > runs.generation) AS attempts"
        " FROM runs WHERE ending = 'stopped' AND (ended <> 1 OR later > 0 OR attempts > 0)",
    ):
        yield f"run {generation} of session {session}: {ended} rows say so, {later} rows and {attempts} attempts later"
    for session, generation, update_id in rows(
        db,
        "SELECT runs.session_id, runs.generation, update_id FROM inbox JOIN runs USING (session_id)"
        " WHERE command = 'stop' AND work <= inbox.generation AND runs.generation > inbox.generation",
    ):
        yield f"run {generation} of session {session} goes on with work that was ended by {update_id}"


def what_is_suspended_begins_nothing(db: apsw.Connection, _: World) -> Iterator[str]:
    """No run of a living process is open in a suspended session but one that the suspension interrupted."""
    for session, generation in rows(
        db,
        "SELECT session_id, runs.generation FROM runs JOIN sessions ON sessions.id = session_id WHERE open = 1"
        " AND suspended_at IS NOT NULL AND runs.epoch = (SELECT epoch FROM ownership) AND interrupted_by IS NULL"
        " AND tail_kind <> 'ASKED'",
    ):
        yield f"run {generation} of session {session} is at work"


def a_stop_knows_what_came_before(db: apsw.Connection, _: World) -> Iterator[str]:
    """Who is told that nothing runs hears no answer afterwards to what they said before."""
    for stop, before in rows(
        db,
        "SELECT stop.update_id, said.update_id FROM inbox stop JOIN deliveries line ON line.key = 'command.' || stop.id"
        " JOIN inbox said ON said.session_id = stop.session_id AND said.id < stop.id AND said.seq IS NOT NULL"
        " AND said.generation > stop.generation WHERE stop.command = 'stop' AND line.text = ?",
        NOTHING_RUNS,
    ):
        yield f"{stop} was told that nothing runs, and {before} was taken up afterwards"


def of_what_waits_aside_is_told_once(db: apsw.Connection, _: World) -> Iterator[str]:
    """Of the messages that wait together in a session that was set aside, one brings a line: the others add nothing.

    They wait together if they still wait, or if one run took them. What an order dropped before waited by itself, and
    what is told after the session went on, to be set aside again, is told again.
    """
    for session, told in rows(
        db,
        "SELECT session_id, before || ',' || update_id FROM (SELECT inbox.session_id, update_id, line.id,"
        " lag(update_id) OVER told AS before, lag(line.id) OVER told AS since FROM inbox"
        " JOIN deliveries line ON line.key = 'aside.' || inbox.id"
        " WHERE inbox.generation IS NULL OR inbox.generation > line.generation"
        " WINDOW told AS (PARTITION BY inbox.session_id, inbox.generation ORDER BY line.id)) AS it"
        " WHERE before IS NOT NULL AND NOT EXISTS (SELECT 1 FROM inbox JOIN deliveries reply"
        " ON reply.key = 'command.' || inbox.id WHERE inbox.session_id = it.session_id AND command = 'resume'"
        " AND reply.id BETWEEN since AND it.id)",
    ):
        yield f"session {session} is told that it is set aside at each of {told}"


COMMANDS_AFTER_BOOT: tuple[Check, ...] = (
    an_order_has_one_reply,
    what_is_stopped_stays_so,
    what_is_suspended_begins_nothing,
    of_what_waits_aside_is_told_once,
    a_stop_knows_what_came_before,
)
COMMANDS_AT_THE_END: tuple[Check, ...] = (an_order_is_carried_out,)
