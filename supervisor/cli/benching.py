"""`greenroom bench`: the benchmarks of the clone that this greenroom runs from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from greenroom.supervisor.cli.options import JsonOption
from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed


def add_to(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(epilog="Examples: greenroom bench --quick; greenroom bench --only storage --json")(bench)


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: a minute.")] = False,
    only: Annotated[str | None, typer.Option(metavar="NAME", help="One benchmark, such as storage.")] = None,
    json: JsonOption = False,
) -> None:
    """Measure what this machine makes of greenroom, beside the targets and what else there is.

    The benchmarks are files of a clone, and are not installed with the package.
    """
    import subprocess  # noqa: PLC0415 - only this command needs it
    import sys  # noqa: PLC0415

    file = find_benchmarks(Path(__file__))
    if file is None:
        raise CommandFailed(
            "the benchmarks are in a clone of greenroom, and this one was installed: run bin/bench there"
        )
    if only is not None and only not in (names := sorted(_names(file))):
        raise CommandFailed(f"no benchmark is called {only!r}; there are {', '.join(names)}", WRONG_USE)
    options = [
        *(["--quick"] if quick else []),
        *([] if only is None else ["--only", only]),
        *(["--json"] if json else []),
    ]
    command = [sys.executable, str(file), *options]
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own file, and checked options


def _names(file: Path) -> list[str]:
    return [each.stem.removeprefix("bench_") for each in file.parent.glob("bench_*.py")]


def find_benchmarks(inside: Path) -> Path | None:
    """Find `benchmarks/run.py` beside the rooms of the clone that a file belongs to; None where there is none."""
    root = inside.resolve().parents[2]
    file = root / "benchmarks" / "run.py"
    return file if file.is_file() and (root / "bin" / "bench").is_file() else None
