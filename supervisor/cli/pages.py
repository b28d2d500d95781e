"""What the reading commands print about the whole store. Each has a page for people and one JSON value for programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import apsw

from greenroom.actors.model import SessionId
from greenroom.storage.boots import Boot
from greenroom.storage.lock import Holder, read_holder
from greenroom.storage.session_names import NoSession, find_session
from greenroom.storage.views import Only, SessionRow, open_views, read_sessions, read_store_status
from greenroom.supervisor.cli.ordering import give_order
from greenroom.supervisor.cli.outcome import NOT_RUNNING, CommandFailed
from greenroom.supervisor.cli.paper import (
    clean,
    complain,
    count,
    print_json,
    print_table,
    say_age,
    say_bytes,
    say_time,
    shorten,
)
from greenroom.supervisor.connections import Connection, describe_connection

SNIPPET_MAX = 100


@dataclass(frozen=True, slots=True)
class Views:
    """An open database to read from. `live`: some process writes to it."""

    db: apsw.Connection
    path: Path
    live: bool

    def find(self, name: str) -> SessionId:
        """Find the session an operator means. Raises CommandFailed with what may have been meant."""
        found = find_session(self.db, name)
        if isinstance(found, NoSession):
            raise CommandFailed(str(found))
        return found


@contextmanager
def reading(path: Path) -> Iterator[Views]:
    """Open the database for one command. Raises CannotOpen when there is none."""
    db = open_views(path)
    try:
        yield Views(db, path, live=read_holder(path) is not None)
    finally:
        db.close()


def print_status(views: Views, holder: Holder | None, connections: list[Connection] | None, *, as_json: bool) -> None:
    """Print whether anything runs, how its platforms stand (None: it does not say), and what is open."""
    store = read_store_status(views.db)
    if as_json:
        from greenroom.supervisor.cli.printed import Status  # noqa: PLC0415 - only programs need it

        counts = {each.name: getattr(store, each.name) for each in fields(store)}
        print_json(Status(holder is not None, holder, connections, views.path, **counts))
        return
    print(_say_running(holder))
    for each in connections or ():
        print(clean(f"  {describe_connection(each)} (since {say_time(each.since)})"))
    asking = f", {count(store.asking, 'question')} to users" if store.asking else ""
    lines = [
        ("database", f"{views.path} ({say_bytes(store.bytes)})"),
        ("boot", _say_boots(store.boots, live=holder is not None)),
        ("stored", f"{count(store.sessions, 'session')}, {count(store.messages, 'message')}"),
        ("open", f"{count(store.runs_open, 'run')}{asking}"),
        ("waiting", f"{count(store.inbound_waiting, 'message')} not yet handed to a run"),
        ("owed", f"{count(store.deliveries_owed, 'delivery')} not yet confirmed by a platform"),
        ("set aside", f"{count(store.set_aside, 'session')}, {count(store.dead_letters, 'dead letter')}"),
        ("refused", f"{count(store.refused, 'message')} from chats that may not write"),
    ]
    for name, text in lines:
        print(f"  {name:<10} {clean(text)}")
    if store.set_aside:
        print("  look at: greenroom sessions --only aside")
    if store.dead_letters or store.deliveries_owed:
        print("  look at: greenroom dead list")  # What is owed and was tried stands there as well, with the reason.


def print_ready(path: Path, holder: Holder | None, *, as_json: bool) -> None:
    """Print whether messages can be stored and answered now. Raises CommandFailed with the reason why not."""
    if holder is None:
        raise CommandFailed(f"nothing runs on {path}; `greenroom up` starts it", NOT_RUNNING)
    answer = give_order(path, order="ready")
    if as_json:
        from greenroom.supervisor.cli.printed import Readiness  # noqa: PLC0415 - only programs need it

        print_json(Readiness(answer["ready"], answer["why_not"]))
    elif answer["ready"]:
        print("ready")
    if not answer["ready"]:
        raise CommandFailed(f"not ready: {answer['why_not']}")


def _say_running(holder: Holder | None) -> str:
    if holder is None:
        return "greenroom is not running on this database"
    where = f", {holder.address}" if holder.address else ""
    return clean(f"greenroom is running: pid {holder.pid}, since {say_time(holder.started_at)}{where}")


def _say_boots(boots: tuple[Boot, ...], *, live: bool) -> str:
    if not boots:
        return "none yet"
    past = boots[1:] if live else boots
    text = f"{boots[0].epoch}, {say_age(boots[0].started_at)}"
    if past:
        last = past[0]
        which = "the one before" if live else "it"
        ended = f"ended in order ({last.reason})" if last.ending == "clean" else "did not end in order"
        text += f"; {which} {ended}"
    return text


def print_sessions(views: Views, only: Only | None, before: int | None, limit: int, *, as_json: bool) -> None:
    """Print a page of sessions."""
    start = None if before is None else SessionId(before)
    rows = read_sessions(views.db, live=views.live, only=only, before=start, limit=limit)
    if as_json:
        print_json(rows)
        return
    if not rows:
        complain("no sessions" if only is None else f"no sessions are {only.value}")
        return
    headings = ("SESSION", "KEY", "STATE", "MESSAGES", "WAITING", "OWED", "LAST")
    print_table(headings, [_session_cells(row) for row in rows])
    if len(rows) == limit and rows[-1].id > 1:
        narrowed = f" --only {only.value}" if only else ""
        complain(f"there may be more: greenroom sessions{narrowed} --before {rows[-1].id}")


def _session_cells(row: SessionRow) -> tuple[object, ...]:
    state = row.state.value if row.reason is None else f"{row.state.value} ({row.reason})"
    return (row.id, row.key, state, row.messages, row.waiting or "", row.owed or "", say_age(row.last_at))


def print_found(views: Views, text: str, limit: int, *, as_json: bool) -> None:
    """Print the messages that hold the words, best first."""
    from greenroom.storage.search import search  # noqa: PLC0415 - only this page needs it

    found = search(str(views.path), text, limit)
    if as_json:
        from greenroom.supervisor.cli.printed import FoundMessage  # noqa: PLC0415 - only programs need it

        print_json([FoundMessage(e.session_id, str(e.session), e.seq, e.role, e.text, e.at) for e in found])
        return
    if not found:
        complain(f"no message holds {shorten(text, SNIPPET_MAX)!r}")
        return
    rows = [(e.session_id, e.session, e.seq, e.role.value, say_time(e.at), shorten(e.text, SNIPPET_MAX)) for e in found]
    print_table(("SESSION", "KEY", "SEQ", "ROLE", "AT", "TEXT"), rows)
