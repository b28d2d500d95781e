"""Options that several commands share, and the database that they lead to."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Read this greenroom.toml. Otherwise: $GREENROOM_CONFIG, ./greenroom.toml, the user's config folder.",
    ),
]
DatabaseOption = Annotated[
    Path | None, typer.Option("--db", metavar="FILE", help="Use this database, whatever the configuration says.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs: docs/json.md.")]


def choose_database(config: Path | None, database: Path | None) -> Path:
    """Find out which database is meant. Reads the configuration only when no option names one."""
    if database is not None:
        return database.expanduser().absolute()
    from greenroom.supervisor.daemon.config import load_config  # noqa: PLC0415 - pydantic takes its time

    return load_config(config).database
