"""The first command: `init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from greenroom.supervisor.cli.options import JsonOption

FileArgument = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="The configuration to write; by default ./greenroom.toml.")
]
DatabaseOption = Annotated[
    Path | None, typer.Option("--db", metavar="FILE", help="Where the database will be; its folder is made.")
]


def add_to(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(
        epilog="Examples: greenroom init; "
        "greenroom init /etc/greenroom/greenroom.toml --db /var/lib/greenroom/greenroom.db"
    )(init)


def init(file: FileArgument = None, db: DatabaseOption = None, json: JsonOption = False) -> None:
    """Write a first configuration, with a comment on each line, and make the folder of the database.

    Only you can read them. Nothing is asked, and a file that is there already is left as it is.
    """
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.cli.paper import clean, print_json  # noqa: PLC0415
    from greenroom.supervisor.daemon.paths import CONFIG_NAME, default_database  # noqa: PLC0415
    from greenroom.supervisor.daemon.starter import write_starter  # noqa: PLC0415

    written = (file or Path(CONFIG_NAME)).expanduser().absolute()
    database = (db or default_database()).expanduser().absolute()
    try:
        write_starter(written, database)
    except FileExistsError as error:
        if not written.exists() and not written.is_symlink():
            raise
        msg = f"{written}: there is such a file already, and it was left as it is; name another one, or remove it"
        raise CommandFailed(msg) from error
    if json:
        from greenroom.supervisor.cli.printed import Begun  # noqa: PLC0415

        print_json(Begun(written, database))
        return
    named = "" if written == Path(CONFIG_NAME).absolute() else f" --config {written}"
    print(clean(f"wrote {written} (only you can read it); the database will be {database}"))
    print(clean(f"next: edit it, then `greenroom config check{named}` and `greenroom up{named}`"))
