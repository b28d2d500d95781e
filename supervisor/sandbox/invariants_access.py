"""What must be true of strangers: they start nothing, no code is on disk, and who was let in stays in."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from greenroom.supervisor.sandbox.invariants_after_boot import Check, rows
from greenroom.supervisor.sandbox.world import World


def strangers_start_nothing(db: apsw.Connection, world: World) -> Iterator[str]:
    """Nothing that a stranger says is on disk: no message, no session, no run."""
    for (update_id,) in rows(db, "SELECT update_id FROM inbox"):
        if update_id in world.knocks:
            yield f"{update_id} is stored"
    for stranger in world.strangers:
        if not stranger.ever_in and rows(db, "SELECT 1 FROM sessions WHERE key = ?", str(stranger.chat)):
            yield f"{stranger.chat} has a session"


def no_code_is_on_disk(db: apsw.Connection, world: World) -> Iterator[str]:
    """What lets somebody in is known to nobody who reads the disk."""
    kept = list(rows(db, "SELECT salt, code_hash, author FROM pairings"))
    for stranger in world.strangers:
        for code in stranger.codes:
            if any(code.replace("-", "") in str(column).replace("-", "") for row in kept for column in row):
                yield f"{code} of {stranger.chat} is on disk"


def who_was_let_in_stays_in(db: apsw.Connection, world: World) -> Iterator[str]:
    """What an operator was told is done is on disk, until the operator does the opposite."""
    inside = let_in(db)
    for stranger in world.strangers:
        if stranger.is_in and stranger.revoked is None and stranger.chat.chat not in inside:
            yield f"{stranger.chat} was let in, and is not any more"
        if stranger.revoked and not stranger.typed and stranger.chat.chat in inside:
            yield f"{stranger.chat} was shut out, and is in"


def shut_out(db: apsw.Connection, world: World) -> frozenset[str]:
    """The strangers' chats that may not write now: work of one that could is left alone, and nobody is told."""
    inside = let_in(db)
    return frozenset(str(stranger.chat) for stranger in world.strangers if stranger.chat.chat not in inside)


def let_in(db: apsw.Connection) -> set[str]:
    """The strangers that may write now."""
    return {chat for (chat,) in rows(db, "SELECT chat FROM pairings WHERE approved_at IS NOT NULL")}


ACCESS_AFTER_BOOT: tuple[Check, ...] = (strangers_start_nothing, no_code_is_on_disk, who_was_let_in_stays_in)
