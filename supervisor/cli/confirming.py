"""What cannot be taken back is asked before it is done."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def confirm(what: str, *, yes: bool) -> None:
    """Ask on the terminal whether to do this; returns if so. Raises CommandFailed if not, or if nobody can be asked."""
    from greenroom.supervisor.cli.paper import clean  # noqa: PLC0415 - only a question needs it

    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(f"{what}\nNobody can be asked here; say --yes if that is what you want", WRONG_USE)
    print(clean(what), file=sys.stderr)
    if not typer.confirm("Do it?", err=True):
        raise CommandFailed("nothing was changed")
