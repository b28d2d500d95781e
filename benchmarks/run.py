"""Run the benchmarks and print one table; each runs in a process of its own, so that memory figures are clean.

A benchmark is a file `benchmarks/bench_NAME.py` with `def run(quick: bool) -> Iterator[Figure]`.
"""

import argparse
import importlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
del sys.path[0]  # not this folder: its modules have one name each, benchmarks.*
sys.path.append(str(HERE.parent))  # last, so that our room `supervisor` shadows no installed package

from benchmarks.figures import Figure, number, table  # noqa: E402 - only now is it on the path

MARK = "figure: "
"""How a child's line that holds a figure begins; every other line is passed on as it is."""


def names() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def report(name: str, *, quick: bool) -> None:
    """Be the child: run one benchmark and print its figures as they come."""
    for figure in importlib.import_module(f"benchmarks.bench_{name}").run(quick):
        print(MARK + json.dumps(asdict(figure)), flush=True)


def measure(name: str, *, quick: bool) -> Iterator[Figure]:
    """Run one benchmark in a child. Raises CalledProcessError when it fails, after what it printed."""
    command = [sys.executable, __file__, "--child", name, *(["--quick"] if quick else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout or ():
            if line.startswith(MARK):
                yield Figure(**json.loads(line.removeprefix(MARK)))
            else:
                say(line.rstrip("\n"))
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)


def say(text: str) -> None:
    """Show progress beside the table: stdout holds the result alone."""
    print(text, file=sys.stderr, flush=True)


def run_all(chosen: Sequence[str], *, quick: bool) -> tuple[list[Figure], list[str]]:
    """Return every figure, and the names of the benchmarks that failed."""
    figures: list[Figure] = []
    failed: list[str] = []
    for position, name in enumerate(chosen, 1):
        say(f"[{position}/{len(chosen)}] {name} ...")
        started = time.perf_counter()
        try:
            for figure in measure(name, quick=quick):
                figures.append(figure)
                say(f"    {figure.what}: {number(figure.value)} {figure.unit}")
        except subprocess.CalledProcessError:
            failed.append(name)
            say(f"    {name} FAILED; what it raised stands above")
        say(f"    {time.perf_counter() - started:.1f} s")
    return figures, failed


def surroundings() -> dict[str, str]:
    return {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/bench", description="Measure greenroom beside its targets.")
    parser.add_argument("--quick", action="store_true", help="small sizes: about a minute; figures are rougher")
    parser.add_argument(
        "--only", action="append", choices=names(), metavar="NAME", help=f"one of: {', '.join(names())}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--child", choices=names(), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    asked = read_arguments()
    if asked.child:
        report(asked.child, quick=asked.quick)
        return 0
    figures, failed = run_all(asked.only or names(), quick=asked.quick)
    if asked.json:
        from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415 - only programs need them
        from greenroom.supervisor.cli.printed_sandbox import Measured, Measurement  # noqa: PLC0415

        measured = tuple(Measurement(**asdict(figure)) for figure in figures)
        result = Measured(**surroundings(), quick=asked.quick, failed=tuple(failed), figures=measured)
        print_json(result)
    else:
        print(f"\n{table(figures)}")
        missed = sum(figure.met is False for figure in figures)
        print(f"\n{len(figures)} figures, {missed} below target, {len(failed)} benchmarks failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
