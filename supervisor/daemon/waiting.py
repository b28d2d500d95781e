"""What a process that ends still waits for, in one line, read from its database."""

from pathlib import Path

from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import Only, SessionRow, SessionState, open_views, read_sessions

NAMED_MAX = 3


def describe_waiting(path: Path) -> str:
    """Name the running sessions, or say what else is being done."""
    try:
        db = open_views(path)
    except CannotOpen as error:
        return f"waiting ({error})"
    try:
        opened = read_sessions(db, live=True, only=Only.OPEN)
        owing = read_sessions(db, live=True, only=Only.OWING)
    finally:
        db.close()
    if running := [row for row in opened if row.state is SessionState.RUNNING]:
        return f"waiting for {_count(running, 'run')}: {_name(running)}"
    if owing:
        return f"sending what is owed to {_count(owing, 'chat')}: {_name(owing)}"
    return "closing"


def _name(rows: list[SessionRow] | tuple[SessionRow, ...]) -> str:
    named = ", ".join(row.key for row in rows[:NAMED_MAX])
    return named if len(rows) <= NAMED_MAX else f"{named} and {len(rows) - NAMED_MAX} more"


def _count(rows: list[SessionRow] | tuple[SessionRow, ...], noun: str) -> str:
    return f"{len(rows)} {noun}" if len(rows) == 1 else f"{len(rows)} {noun}s"
