"""The command that fills the table of promises from runs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.options import JsonOption
from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.matrix import Matrix


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command(epilog="Examples: greenroom matrix --alone; greenroom matrix --every 1 --write README.md")(matrix)


def matrix(
    every: Annotated[int, typer.Option(min=1, help="Try every nth moment of a turn; 1: all of them.")] = 8,
    tries: Annotated[int, typer.Option(min=1, help="How often other systems are killed at each point.")] = 1,
    alone: Annotated[bool, typer.Option("--alone", help="Leave other systems out, installed or not.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a README.")] = False,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the Markdown into this file, between its matrix markers.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Crash a turn at every point, on every kind of platform, and show what its person sees afterwards.

    Other systems stand beside it where they are installed: LangGraph, DBOS, OpenAI Agents, and always a plain loop as
    control. Exit code 1 if a cell is worse than what was promised.
    """
    from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415
    from greenroom.supervisor.sandbox.matrix_page import (  # noqa: PLC0415 - only needed here
        NoPlace,
        as_values,
        write_markdown,
        write_to,
    )

    made = _make(every, tries, alone)
    if write is not None:
        try:
            write_to(write, write_markdown(made))
        except NoPlace as error:
            raise CommandFailed(f"{write}: {error}; put them where the table shall stand", WRONG_USE) from error
    if json:
        print_json(as_values(made))
    elif markdown:
        print(write_markdown(made), end="")
    else:
        _print(made)
    failures = [cell for column in made.columns for cell in column.failures]
    if failures:
        told = "; ".join(f"{cell.point.value} on {cell.platform.value}" for cell in failures)
        raise CommandFailed(f"{len(failures)} cells are worse than promised, or were never tried: {told}")


def _make(every: int, tries: int, alone: bool) -> "Matrix":
    from rich.console import Console  # noqa: PLC0415

    from greenroom.supervisor.sandbox.matrix import Matrix  # noqa: PLC0415
    from greenroom.supervisor.sandbox.matrix_foreign import FOREIGN, DoesNotRun, try_foreign  # noqa: PLC0415
    from greenroom.supervisor.sandbox.matrix_house import column, try_house  # noqa: PLC0415

    absent = {}
    with Console(stderr=True).status("greenroom is cut off everywhere") as status:  # Silent unless it is a terminal.
        columns = [column(try_house(every=every))]
        for system in () if alone else FOREIGN:
            status.update(f"{system.name} is killed")
            try:
                columns.append(try_foreign(system, tries=tries))
            except DoesNotRun as error:
                absent[system.name] = str(error)
    return Matrix(tuple(columns), absent, datetime.now(UTC).date().isoformat())


def _print(made: "Matrix") -> None:
    from greenroom.supervisor.cli.paper import print_table  # noqa: PLC0415
    from greenroom.supervisor.sandbox.matrix_page import tables  # noqa: PLC0415

    for title, headings, rows in tables(made):
        print(f"{title}:\n")
        print_table(headings, rows)
        print()
    for column in made.columns:
        for cell in column.failures:
            for run in cell.broken:
                print(f"BROKEN  {cell.point.value}, {cell.platform.value}: {run.outcome.value}; {run.moment}")
    for name, why in made.absent.items():
        print(f"not tried: {name} ({why})")
