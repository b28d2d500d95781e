"""What must be true where people edit and delete what they wrote."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.actors.rules import LateChange
from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World

_CHANGED = """
SELECT it.update_id, it.change, it.text, it.reply_to, meant.generation, meant.seq,
    (SELECT text FROM messages WHERE messages.session_id = meant.session_id AND key = 'user.' || meant.id),
    EXISTS (SELECT 1 FROM messages WHERE messages.session_id = it.session_id AND key = 'changed.' || it.id)
FROM inbox AS it JOIN inbox AS meant USING (platform, account, reply_to)
WHERE it.change IS NOT NULL AND it.generation IS NOT NULL AND meant.change IS NULL
"""


def a_change_counts(db: apsw.Connection, world: World) -> Iterator[str]:
    """A message is what its writer made of it, or is withdrawn; if that came too late, the agent reads of it."""
    tells = world.policy is None or world.policy.late_change == LateChange.TELL
    edits: dict[str, set[str]] = {}
    for _, change, text, of, *_ in rows(db, _CHANGED):
        edits.setdefault(of, set()).update([text] if change == "edit" else [])
    for update_id, change, text, of, handled, seq, said, noted in rows(db, _CHANGED):
        if noted or not tells or handled is None:
            continue
        if change == "edit" and said is not None and said not in edits[of]:
            yield f"{update_id} made {text!r} of {of}, and a run was given {said!r}"
        if change == "delete" and seq is not None:
            yield f"{update_id} withdrew {of}, and a run was given {said!r}"


def only_what_is_withdrawn_is_dropped(db: apsw.Connection, _: World) -> Iterator[str]:
    """A message that became no row was deleted by its writer."""
    for (update_id,) in rows(
        db,
        "SELECT update_id FROM inbox WHERE coalesce(change, answers, command) IS NULL AND generation IS NOT NULL"
        " AND seq IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM inbox AS it WHERE it.change = 'delete' AND it.reply_to = inbox.reply_to)",
    ):
        yield f"{update_id} became no row, and nobody withdrew it"


def a_change_begins_no_run(db: apsw.Connection, _: World) -> Iterator[str]:
    """A run is begun by a message, never by what was done to one."""
    for session, generation in rows(
        db,
        "SELECT session_id, generation FROM runs WHERE cause = 'inbound' AND NOT EXISTS (SELECT 1 FROM inbox"
        " WHERE inbox.session_id = runs.session_id AND inbox.generation = runs.generation AND seq IS NOT NULL)",
    ):
        yield f"run {generation} of session {session} was begun by no message"


AMENDED: tuple[Check, ...] = (a_change_counts, only_what_is_withdrawn_is_dropped, a_change_begins_no_run)
