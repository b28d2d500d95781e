"""What may be ordered of a session from its page in `greenroom top`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from greenroom.storage.lock import read_holder
from greenroom.storage.views import SessionRow, SessionState
from greenroom.supervisor.cli.ordering import give_order
from greenroom.supervisor.cli.outcome import NOT_RUNNING, CommandFailed
from greenroom.supervisor.view.offers import offers_for


class Wish(StrEnum):
    """An order, by the word of its command."""

    SUSPEND = "suspend"
    RESUME = "resume"
    RETRY = "retry"
    RELEASE = "release"


def wishes_of(state: SessionState) -> frozenset[Wish]:
    """What can be ordered of a session that stands so.

    >>> sorted(wishes_of(SessionState.QUARANTINED))
    [<Wish.RELEASE: 'release'>]
    """
    words = {offer.word for offer in offers_for(state)}
    return frozenset(wish for wish in Wish if wish.value in words)


def carry_out(path: Path, row: SessionRow, wish: Wish) -> str:
    """Have the daemon do it, and say what its chat was told. Raises CommandFailed with the reason why not."""
    if read_holder(path) is None:
        command = f"`greenroom {wish.value} {row.id}`"
        raise CommandFailed(f"nothing runs on this database; {command} writes it down for the next start", NOT_RUNNING)
    if wish is Wish.RELEASE:
        give_order(path, order=wish.value, session=row.id)
        return f"released session {row.id}: its work is decided now"
    said = give_order(path, order=wish.value, chat=row.key, id=uuid4().hex)["said"]
    return said or f"{wish.value}: it is on disk, and carried out as soon as its session can"
