"""What must be true once whoever runs the service was told that conversations are forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.storage.pruning import PARTS
from greenroom.supervisor.sandbox.invariants_after_boot import Check, of_the_file, rows
from greenroom.supervisor.sandbox.world import World


@of_the_file
def what_is_forgotten_has_no_row(db: apsw.Connection, world: World) -> Iterator[str]:
    """No row of a forgotten session is there, whoever still worked for it; nor one of a session that is not there."""
    for table in ("sessions", "routes", "dead_letters", *PARTS):
        column = "id" if table == "sessions" else "session_id"
        for session in rows(db, f"SELECT DISTINCT {column} FROM {table}"):  # noqa: S608 - constants
            if session[0] in world.mail.forgotten:
                yield f"{table} has rows of session {session[0]}"


FORGETTING_AFTER_BOOT: tuple[Check, ...] = (what_is_forgotten_has_no_row,)
