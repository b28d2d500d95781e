"""The `greenroom` command: the door that the console script opens."""

from importlib.metadata import version
from typing import Annotated

import typer

app = typer.Typer(name="greenroom", no_args_is_help=True, pretty_exceptions_enable=False)


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"greenroom {version('greenroom')}")
        raise typer.Exit


@app.callback()
def greenroom(
    _version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Keep an agent's chat sessions alive through crashes and restarts."""


def main() -> None:
    app()
