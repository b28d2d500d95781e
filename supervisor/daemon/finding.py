"""What a boot finds: what waited and was owed before it, and what it decided about interrupted work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from greenroom.storage.boots import Boot
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import open_views, read_store_status
from greenroom.supervisor.daemon.boot_report import Found, Outcome
from greenroom.supervisor.decisions import rule_of
from greenroom.supervisor.recovery import Decided


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


def read_found(boots: Sequence[Boot], decided: Sequence[Decided], backlog: Backlog) -> Found:
    """Put together what is reported. `boots` are the newest first, this one included."""
    outcomes = tuple(
        Outcome(str(each.unfinished.key), rule_of(each.decision), str(each.inputs.reason)) for each in decided
    )
    last = boots[1] if len(boots) > 1 else None
    return Found(last, outcomes, backlog.inbound_waiting, backlog.deliveries_owed)
