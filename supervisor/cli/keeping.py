"""What is kept of a database elsewhere, and put back: `backup`, `restore`."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database

if TYPE_CHECKING:
    from greenroom.storage.restoring import Restored

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file.", show_default=False)]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it is there already.")]


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    app.command(
        epilog="Examples: greenroom backup /backups/bot.db; greenroom backup --force /backups/last.db; "
        "greenroom backup /backups/$(date +%F).db --json"
    )(backup)
    app.command(epilog="Examples: greenroom stop; greenroom restore /backups/bot.db; greenroom restore last.db --json")(
        restore
    )


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
        from greenroom.supervisor.cli.printed import BackedUp  # noqa: PLC0415

        print_json(BackedUp(made.file, path, made.bytes, made.made_at, took))
    else:
        print(clean(f"{made.file}: {say_bytes(made.bytes)}, whole and checked, in {say_duration(took)}"))


def restore(
    file: FileArgument, config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Put a backup in the database's place. What is there now is kept beside it, under a name that is told.

    Nothing may serve the database (`greenroom stop`). A process that was frozen, and wakes later, ends and says
    nothing more. What was open when the backup was made is taken up by the next start: docs/data.md.
    """
    from greenroom.storage.restoring import Heir, put_back  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.cli.progress import watched  # noqa: PLC0415
    from greenroom.supervisor.version import VERSION  # noqa: PLC0415

    heir = Heir(secrets.token_hex(4), os.getpid(), VERSION, time.time())
    with watched() as advance:
        done = put_back(
            choose_database(config, db),
            file.expanduser(),
            heir,
            told=lambda done, whole: advance(done, whole, "pages" if done < whole else "looking it over"),
        )
    _print_restored(done, as_json=json)


def _print_restored(done: Restored, *, as_json: bool) -> None:
    from greenroom.supervisor.cli.paper import clean, complain, count, print_json, say_age, say_time  # noqa: PLC0415
    from greenroom.supervisor.cli.printed import PutBack, TakenUp  # noqa: PLC0415

    status = done.status
    again = TakenUp(status.runs_open, status.inbound_waiting, status.deliveries_owed)
    if as_json:
        print_json(PutBack(done.database, done.backup, done.made_at, done.aside, done.fenced, status.epoch, again))
        return
    made = "which does not say of when it is"
    if done.made_at is not None:
        made = f"made {say_time(done.made_at)} ({say_age(done.made_at)})"
    stored = f"{count(status.sessions, 'session')}, {count(status.messages, 'message')}"
    open_again = f"{count(again.runs, 'run')}, {count(again.messages, 'message')} not yet handed to one"
    lines = [
        f"{done.database}: restored from {done.backup}, {made}; it holds {stored}",
        f"  kept      {'nothing: there was no database' if done.aside is None else f'what was there, as {done.aside}'}",
        "  missing   what was said since the backup; no platform sends that again, since it was told that it arrived",
        f"  taken up  by the next start: {open_again}, {count(again.deliveries, 'delivery')} owed",
    ]
    if any((again.runs, again.messages, again.deliveries)):
        lines.append(
            "            look first: greenroom sessions --only open, waiting or owing; suspend what is not to be"
        )
    print(clean("\n".join([*lines, "  next      greenroom up"])))
    if not done.fenced:
        complain(
            "the database that was there could not be read, so whoever still has it open was not told that it is over:"
            " make sure that no greenroom of it is left"
        )
