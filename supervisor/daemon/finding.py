"""What a boot finds: what waited and was owed before it, and what it decided about interrupted work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from greenroom.actors.model import Epoch
from greenroom.storage.boots import Boot
from greenroom.storage.session_view import read_boot_decisions
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import open_views, read_session, read_store_status
from greenroom.supervisor.daemon.boot_report import Found, Outcome


@dataclass(frozen=True, slots=True)
class Backlog:
    """What lay in the store before this boot touched it."""

    inbound_waiting: int = 0
    deliveries_owed: int = 0


def read_backlog(path: Path) -> Backlog:
    """Count what waits. Nothing for a store that is new, or of an older schema that the boot will migrate."""
    try:
        db = open_views(path)
    except CannotOpen:
        return Backlog()
    try:
        status = read_store_status(db)
    finally:
        db.close()
    return Backlog(status.inbound_waiting, status.deliveries_owed)


def read_found(path: Path, epoch: Epoch, boots: Sequence[Boot], backlog: Backlog) -> Found:
    """Put together what is reported, with the newest decision of each session. `boots` are the newest first.

    Raises CannotOpen.
    """
    last = boots[1] if len(boots) > 1 else None
    db = open_views(path)
    try:
        outcomes: list[Outcome] = []
        for session_id, decision in read_boot_decisions(db, epoch):
            session = read_session(db, session_id, live=True)
            reason = decision.inputs.get("reason")
            name = str(session_id) if session is None else session.key
            outcomes.append(Outcome(name, decision.rule, None if reason is None else str(reason)))
    finally:
        db.close()
    return Found(last, tuple(outcomes), backlog.inbound_waiting, backlog.deliveries_owed)
