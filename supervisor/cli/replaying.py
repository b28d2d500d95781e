"""The command that tells the story of one seed: as text, as a sequence chart, and shrunk to what matters in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.options import JsonOption
from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenroom.supervisor.sandbox.simulator import Report


def replay(
    seed: Annotated[int, typer.Argument(min=0, help="The seed to tell.")],
    omit: Annotated[str, typer.Option(metavar="PARTS", help="Leave these parts out, as in m2,life3.end.")] = "",
    shrink: Annotated[
        bool, typer.Option("--shrink", help="Leave out all that the broken promise does not need, and tell the rest.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the story as a sequence chart into this file.")
    ] = None,
    doublecheck: Annotated[bool, typer.Option("--doublecheck", help="Tell it twice; both must agree.")] = False,
    json: JsonOption = False,
) -> None:
    """Tell the story of one seed, line by line: when, who, what, in which rows; exit code 1 if a promise is broken."""
    from greenroom.supervisor.cli.paper import count  # noqa: PLC0415 - only needed here
    from greenroom.supervisor.sandbox.simulator import simulate  # noqa: PLC0415

    omitted: Sequence[str] = [part for part in omit.replace(",", " ").split() if part]
    if shrink:
        omitted, report = _shrink(seed, omitted)
    else:
        report = simulate(seed, history=True, omitted=omitted)
    again = simulate(seed, omitted=omitted) if doublecheck else report
    if svg is not None:
        _draw(report, svg)
    if json:
        _print_json(report, omitted)
    else:
        _print_story(report, omitted)
    if again.trace != report.trace:
        raise CommandFailed(f"seed {seed} is not the same run twice: {report.trace} and {again.trace}")
    if report.violations:
        raise CommandFailed(f"seed {seed} breaks {count(len(report.violations), 'promise')}")


def _shrink(seed: int, omitted: "Sequence[str]") -> "tuple[Sequence[str], Report]":
    from rich.console import Console  # noqa: PLC0415

    from greenroom.supervisor.sandbox.shrinking import KeepsItsPromises, shrink  # noqa: PLC0415

    with Console(stderr=True).status(f"seed {seed} is told again and again") as status:  # Silent unless a terminal.
        try:
            shrunk = shrink(
                seed, omitted=omitted, told=lambda tries, parts: status.update(f"telling {tries}: {parts} parts")
            )
        except KeepsItsPromises as error:
            raise CommandFailed(f"there is nothing to shrink: {error}", WRONG_USE) from error
    return shrunk.omitted, shrunk.report


def _draw(report: "Report", path: Path) -> None:
    from greenroom.supervisor.sandbox.chart import draw  # noqa: PLC0415

    path.write_text(draw(report.history, _title(report)), encoding="utf-8")


def _title(report: "Report") -> str:
    from greenroom.supervisor.cli.paper import count  # noqa: PLC0415

    lives, crashes, runs = (report.boots, report.crashes, report.runs)
    return f"seed {report.seed}: {count(lives, 'boot')}, {crashes} crashed, {count(runs, 'run')}"


def _print_story(report: "Report", omitted: "Sequence[str]") -> None:
    from greenroom.supervisor.cli.paper import clean  # noqa: PLC0415

    for each in report.history:
        print(clean(str(each), lines=False))
    print(f"{_title(report)}, trace {report.trace}")
    for violation in report.violations:
        print(f"BROKEN  {violation}")
    if omitted:
        print(f"parts   {' '.join(report.parts) or 'none'}")
        print(f"again   {_command(report, omitted)}")


def _print_json(report: "Report", omitted: "Sequence[str]") -> None:
    from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415
    from greenroom.supervisor.cli.printed_sandbox import Replayed  # noqa: PLC0415

    again = _command(report, omitted)
    print_json(
        Replayed(
            report.seed, tuple(omitted), report.parts, report.trace, again, report.history, tuple(report.violations)
        )
    )


def _command(report: "Report", omitted: "Sequence[str]") -> str:
    without = f" --omit {','.join(omitted)}" if omitted else ""
    return f"greenroom sandbox replay {report.seed}{without}"
