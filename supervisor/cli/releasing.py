"""`greenroom release SESSION`: give a session back that was set aside, with the help of whoever serves the database."""

import time
from pathlib import Path
from typing import Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command(epilog="Examples: greenroom release 3; greenroom release telegram:me:42")(release)


def release(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its number, its key, or the beginning of it.")],
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Give a session back that was set aside (quarantined or suspended); its work is decided again, as at a start.

    What was counted against it is forgotten. A process that serves the database is asked to do it, at once.
    """
    release_session(choose_database(config, db), session, as_json=json)


def release_session(path: Path, name: str, *, as_json: bool) -> None:
    """Write the release and print it. Raises CommandFailed where whoever serves the database does not listen."""
    from greenroom.actors.facts import SessionReleased  # noqa: PLC0415 - only this command needs them
    from greenroom.storage.lock import read_holder  # noqa: PLC0415
    from greenroom.storage.offline import write_offline  # noqa: PLC0415
    from greenroom.storage.views import SessionState, read_session  # noqa: PLC0415
    from greenroom.supervisor.cli import pages  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415
    from greenroom.supervisor.cli.paper import clean, print_json  # noqa: PLC0415

    holder = read_holder(path)
    with pages.reading(path) as views:
        row = read_session(views.db, views.find(name), live=holder is not None)
    if row is None:
        raise CommandFailed(f"session {name!r} was just removed")
    aside = row.state in {SessionState.QUARANTINED, SessionState.SUSPENDED}
    if aside and holder is not None:
        _ask(path, row.id, name, holder)
    elif aside:
        write_offline(path, SessionReleased(row.id, time.time()))
    then = "the next start decides about it" if holder is None else "its work is decided now"
    if as_json:
        print_json({"session": row.id, "key": row.key, "released": aside, "was": row.state, "reason": row.reason})
    elif aside:
        print(clean(f"released {row.key} (session {row.id}), which was {row.state.value}; {then}"))
    else:
        print(clean(f"{row.key} (session {row.id}) was not set aside; nothing was changed"))


def _ask(path: Path, session_id: int, name: str, holder: object) -> None:
    """Let the process that serves the database do it."""
    from greenroom.supervisor.cli.ordering import TakesNoOrdersError, give_order  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415

    try:
        give_order(path, order="release", session=session_id)
    except TakesNoOrdersError as error:
        msg = f"{error}; it is {holder}: stop it and `greenroom release {name}`, or let it call `room.release`"
        raise CommandFailed(msg) from error
