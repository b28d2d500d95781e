"""`greenroom export`: what is stored, as lines of JSON, for other programs and for import."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.keeping import ForceOption
from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenroom.actors.model import SessionId
    from greenroom.supervisor.cli.pages import Views

SAY_EVERY = 1_000
"""Lines between two movements of the bar."""


def add_to(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(
        epilog="Examples: greenroom export --out all.jsonl; greenroom export telegram:me:42 --out chat.jsonl; "
        "greenroom export 3 | jq -r 'select(.type == \"message\") | .text'"
    )(export)


def export(
    session: Annotated[
        str | None,
        typer.Argument(metavar="[SESSION]", help="Its number, its key, or the beginning of its key. Otherwise: all."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it there.")] = None,
    force: ForceOption = False,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Write all that is stored of a session, or of all, as lines of JSON, while greenroom runs or not.

    Messages, runs, tool calls, questions, processes, deliveries and decisions, each a line of its own: docs/data.md.
    A file appears when it is whole, and only you can read it. --json: say in JSON what the file holds.
    """
    from greenroom.supervisor.cli import pages  # noqa: PLC0415 - only this command needs it

    with pages.reading(choose_database(config, db)) as views:
        found = None if session is None else views.find(session)
        if out is None:
            for line in _lines(views, found):
                sys.stdout.buffer.write(line)
        else:
            _write_file(views, found, out.expanduser(), overwrite=force, as_json=json)


def _lines(views: Views, session: SessionId | None) -> Iterator[bytes]:
    from greenroom.storage.exporting import export as export_lines  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.version import VERSION  # noqa: PLC0415

    return export_lines(views.db, session, version=VERSION, now=time.time())


def _write_file(views: Views, session: SessionId | None, out: Path, *, overwrite: bool, as_json: bool) -> None:
    from greenroom.storage.placing import placing  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.cli.paper import clean, count, print_json, say_bytes  # noqa: PLC0415
    from greenroom.supervisor.cli.progress import watched  # noqa: PLC0415

    number = size = 0
    with watched() as advance, placing(out, overwrite=overwrite) as new, new.open("wb") as file:
        for number, line in enumerate(_lines(views, session), start=1):
            size += file.write(line)
            if number % SAY_EVERY == 0:
                advance(number, 0, f"lines, {say_bytes(size)}")
    if as_json:
        from greenroom.supervisor.cli.printed import Exported  # noqa: PLC0415

        print_json(Exported(out.resolve(), number, size))
    else:
        print(clean(f"{out}: {count(number, 'line')}, {say_bytes(size)}"))
