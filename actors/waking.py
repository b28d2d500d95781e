"""How a session is made of what the store remembers of it. Pure."""

from __future__ import annotations

from greenroom.actors.model import Snapshot
from greenroom.actors.state import IDLE, Interrupted, Phase, Session


def open_session(snapshot: Snapshot) -> Session:
    """Build the state that the store remembers. Nothing runs in it yet."""
    phase: Phase = IDLE
    if snapshot.run is not None:
        phase = Interrupted(
            snapshot.run,
            snapshot.segment,
            snapshot.question,
            anchored=snapshot.anchored,
            calls=snapshot.calls,
            fell=snapshot.fell,
        )
    return Session(
        id=snapshot.id,
        key=snapshot.key,
        epoch=snapshot.epoch,
        generation=snapshot.generation,
        tail=snapshot.tail,
        phase=phase,
        waiting=tuple(it for it in snapshot.waiting if it.command is None),
        commands=tuple(it for it in snapshot.waiting if it.command is not None),
        cursor=snapshot.inbox_cursor,
        quarantined=snapshot.quarantined,
        awaited=snapshot.awaited,
        spent=snapshot.spent,
        told_aside=snapshot.told_aside,
        active_at=snapshot.active_at,
        in_doubt=snapshot.in_doubt,
        because=snapshot.because,
        succeeded=snapshot.succeeded,
        suspended=snapshot.suspended,
    )
