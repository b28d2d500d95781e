"""What is kept of a database elsewhere: `backup`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file.", show_default=False)]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it is there already.")]


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    app.command(
        epilog="Examples: greenroom backup /backups/bot.db; greenroom backup --force /backups/last.db; "
        "greenroom backup /backups/$(date +%F).db --json"
    )(backup)


def backup(
    file: FileArgument,
    force: ForceOption = False,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Copy the whole database as of now into one file, while greenroom runs or not; nobody waits for it.

    The copy is looked over for damage before it gets its name, and only you can read it. `greenroom restore` puts
    it back. What lies beside the database (saved files, positions of platforms) is not in it: docs/data.md.
    """
    from greenroom.storage.backup import back_up  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.cli.paper import clean, print_json, say_bytes, say_duration  # noqa: PLC0415
    from greenroom.supervisor.cli.progress import watched  # noqa: PLC0415

    path, began = choose_database(config, db), time.monotonic()
    with watched() as advance:
        made = back_up(
            path,
            file.expanduser(),
            overwrite=force,
            now=time.time(),
            told=lambda done, whole: advance(done, whole, "pages" if done < whole else "looking it over"),
        )
    took = time.monotonic() - began
    if json:
        print_json({"file": made.file, "database": path, "bytes": made.bytes, "made_at": made.made_at, "took_s": took})
    else:
        print(clean(f"{made.file}: {say_bytes(made.bytes)}, whole and checked, in {say_duration(took)}"))
