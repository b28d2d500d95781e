"""`greenroom import`: conversations that were held elsewhere become readable here."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database


def add_to(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(
        "import",
        epilog="Examples: greenroom import ~/.hermes/state.db; greenroom import all.jsonl; "
        "greenroom import ~/.hermes/state.db --json",
    )(import_)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A state.db of Hermes, or an export of greenroom.")],
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Take in the transcripts of a Hermes state.db, or of what `greenroom export` wrote. Nothing is taken twice.

    They can be read and searched, and are over: nothing of them is resumed, answered or sent. Nothing may serve the
    database meanwhile (`greenroom stop`). What was left, and why, is told: docs/data.md.
    """
    from greenroom.storage.elsewhere import read_elsewhere  # noqa: PLC0415 - only this command needs them
    from greenroom.storage.importing import Imported, take_in  # noqa: PLC0415
    from greenroom.storage.restoring import Heir  # noqa: PLC0415
    from greenroom.supervisor.cli.paper import clean, count, print_json  # noqa: PLC0415
    from greenroom.supervisor.cli.progress import watched  # noqa: PLC0415
    from greenroom.supervisor.version import VERSION  # noqa: PLC0415

    path, file, done = choose_database(config, db), file.expanduser(), Imported()
    with watched() as advance:
        source, pasts = read_elsewhere(file, done.left, lambda at, whole: advance(at, whole, "read"))
        take_in(path, pasts, done, Heir(secrets.token_hex(4), os.getpid(), VERSION, time.time()))
    if json:
        from greenroom.supervisor.cli.printed import TakenIn  # noqa: PLC0415

        print_json(TakenIn(path, file, source.value, done.sessions, done.messages, done.left))
        return
    sessions, messages = count(done.sessions, "session"), count(done.messages, "message")
    print(clean(f"{path}: took {sessions} with {messages} from {file} ({source.value})"))
    for what, number in done.left.most_common():
        print(clean(f"  left {number:>7,}  {what}"))
    if done.sessions:
        print("  read them: greenroom sessions; greenroom show NUMBER. Search finds them after the next start")
