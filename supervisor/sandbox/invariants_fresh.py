"""What must be true where conversations begin anew: nothing is cut, it was due, it is told once, and it does happen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import apsw

from greenroom.actors.rules import Reset
from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World

DAY_S = 86_400.0

_BEGAN = """
SELECT sessions.id, because,
    (SELECT min(at) FROM inbox WHERE inbox.session_id = sessions.id AND change IS NULL AND command IS NULL),
    (SELECT max(at) FROM messages WHERE messages.session_id = predecessor AND role IN ('user', 'assistant'))
FROM sessions WHERE predecessor IS NOT NULL AND because <> 'asked'
"""

_WENT_ON = """
SELECT session_id, generation, (SELECT min(at) FROM inbox WHERE inbox.session_id = runs.session_id
        AND inbox.generation = runs.generation) AS said_at,
    max((SELECT max(at) FROM messages WHERE messages.session_id = runs.session_id
         AND messages.generation < runs.generation AND role IN ('user', 'assistant')),
        (SELECT max(last_progress_at) FROM runs AS former WHERE former.session_id = runs.session_id
         AND former.generation < runs.generation)) AS active_at
FROM runs WHERE cause = 'inbound' AND work = generation AND generation > 1
    AND NOT EXISTS (SELECT 1 FROM tool_calls WHERE tool_calls.session_id = runs.session_id AND result IS NULL)
    AND NOT EXISTS (SELECT 1 FROM processes WHERE processes.session_id = runs.session_id)
    AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.session_id = runs.session_id AND text LIKE '[no result:%')
"""


def a_chat_leads_to_its_newest_session(db: apsw.Connection, _: World) -> Iterator[str]:
    """The route of a chat is its newest session's, and no message waits anywhere else."""
    for key, session, newest in rows(
        db,
        "SELECT key, session_id, (SELECT max(id) FROM sessions WHERE sessions.key = routes.key) AS newest FROM routes"
        " WHERE session_id <> newest",
    ):
        yield f"{key} leads to session {session}, the newest is {newest}"


def nothing_open_is_left_behind(db: apsw.Connection, _: World) -> Iterator[str]:
    """A session whose chat has another one has no run, no waiting message, and no call that nobody knows of."""
    for session, run, waits, doubt in rows(
        db,
        "SELECT predecessor, EXISTS (SELECT 1 FROM runs WHERE session_id = predecessor AND open = 1),"
        " EXISTS (SELECT 1 FROM inbox WHERE session_id = predecessor AND inbox.generation IS NULL),"
        " because <> 'asked' AND EXISTS (SELECT 1 FROM tool_calls WHERE session_id = predecessor AND result IS NULL"
        " AND ended_at IS NULL AND policy IN ('once', 'ask')) FROM sessions WHERE predecessor IS NOT NULL",
    ):
        if run or waits or doubt:
            yield f"session {session} was cut: open run {run}, message waits {waits}, call in doubt {doubt}"


def a_new_conversation_was_due(db: apsw.Connection, world: World) -> Iterator[str]:
    """A conversation begins anew by itself only after the silence, or at the new day, that the policy names."""
    if world.policy is None:
        return
    for session, because, said_at, active_at in rows(db, _BEGAN):
        if because != world.policy.reset:
            yield f"session {session} began for {because}, the policy is {world.policy.reset}"
        elif said_at is None:
            yield f"session {session} began ({because}) for no message"
        elif not _jumped(world) and not _is_due(world, active_at, said_at):
            yield f"session {session} began ({because}) {said_at - active_at:.0f} s after the last words"


def a_conversation_ends_when_it_is_due(db: apsw.Connection, world: World) -> Iterator[str]:
    """New work goes on in an old conversation only if the policy says that it is not over."""
    if world.policy is None or _jumped(world):
        return
    for session, generation, said_at, active_at in rows(db, _WENT_ON):
        if said_at is not None and active_at is not None and _is_due(world, active_at, said_at):
            yield f"run {generation} of session {session} began {said_at - active_at:.0f} s after the last sign of life"


def _jumped(world: World) -> bool:
    """What a wall clock said that was set meanwhile is no age."""
    return any(kind.startswith(("clock", "host")) for kind in world.faults)


def a_new_conversation_is_told_once(db: apsw.Connection, _: World) -> Iterator[str]:
    """Who did not ask for a new conversation is told why there is one, with its first run."""
    for session, count in rows(
        db,
        "SELECT id, (SELECT count(*) FROM deliveries WHERE session_id = sessions.id AND kind = 'line'"
        " AND key LIKE '%.fresh') AS told FROM sessions WHERE generation > 0"
        " AND told <> (predecessor IS NOT NULL AND because <> 'asked')",
    ):
        yield f"session {session} is told {count} times why it is new"


def _is_due(world: World, active_at: float, said_at: float) -> bool:
    policy = world.policy
    assert policy is not None  # noqa: S101 - the callers looked
    if policy.reset == Reset.IDLE:
        return said_at - active_at > policy.reset_after_s
    return policy.reset == Reset.DAILY and _day(said_at, policy.reset_hour) > _day(active_at, policy.reset_hour)


def _day(at: float, hour: int) -> int:
    """Days as conversations count them, in UTC."""
    return datetime.fromtimestamp(at - hour * 3_600, UTC).toordinal()


FRESH_AFTER_BOOT: tuple[Check, ...] = (a_chat_leads_to_its_newest_session, nothing_open_is_left_behind)
FRESH_AT_THE_END: tuple[Check, ...] = (
    a_new_conversation_was_due,
    a_conversation_ends_when_it_is_due,
    a_new_conversation_is_told_once,
)
