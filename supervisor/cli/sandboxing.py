"""Commands of the sandbox: run seeds, replay one. Nothing here touches a real database, clock or network."""

import os
import time
from math import inf
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.exhausting import exhaust
from greenroom.supervisor.cli.options import JsonOption
from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed
from greenroom.supervisor.cli.replaying import replay
from greenroom.supervisor.cli.storming import storm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenroom.supervisor.sandbox.campaign import Tally

sandbox_app = typer.Typer(
    name="sandbox", help="Try the house under simulated crashes: one seed, one world.", no_args_is_help=True
)

LISTED_MAX = 20
"""Findings that are printed; the JSON has them all."""


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    sandbox_app.command(epilog="Examples: greenroom sandbox run --seeds 10000; greenroom sandbox run --jobs 0 --json")(
        run
    )
    sandbox_app.command(
        epilog="Examples: greenroom sandbox replay 264 --svg story.svg; greenroom sandbox replay 264 --shrink"
    )(replay)
    sandbox_app.command(epilog="Examples: greenroom sandbox exhaust; greenroom sandbox exhaust --pairs --only S065")(
        exhaust
    )
    sandbox_app.command(epilog="Examples: greenroom sandbox mutants; greenroom sandbox mutants --only resume --json")(
        mutants
    )
    sandbox_app.command(epilog="Example: greenroom sandbox storm --minutes 10 --server slack")(storm)
    app.add_typer(sandbox_app)


def run(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to try.")] = 1_000,
    start: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    jobs: Annotated[int, typer.Option(min=0, help="Processes to use; 0: one for each core.")] = 1,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Begin no more seeds after that, however many are left.")
    ] = None,
    doublecheck: Annotated[bool, typer.Option("--doublecheck", help="Run each seed twice; both must agree.")] = False,
    json: JsonOption = False,
) -> None:
    """Run many seeds and check every promise in each; exit code 1 if one is broken."""
    from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415
    from greenroom.supervisor.sandbox.campaign import campaign  # noqa: PLC0415 - only needed here

    began = time.perf_counter()
    wanted = range(start, start + seeds)
    ends_at = began + (inf if minutes is None else minutes * 60.0)
    tried = campaign(
        wanted, jobs=jobs or os.cpu_count() or 1, twice=doublecheck, time_is_up=lambda: time.perf_counter() >= ends_at
    )
    total = _watched(tried, len(wanted))
    if json:
        print_json(total.summary(time.perf_counter() - began))
    else:
        _print_report(total, time.perf_counter() - began)
    if total.findings:
        seed = total.findings[0].seed
        raise CommandFailed(
            f"{len(total.findings)} broken promises; `greenroom sandbox replay {seed}` tells the first story"
        )


def _watched(progress: "Iterator[Tally]", wanted: int) -> "Tally":
    from greenroom.supervisor.cli.progress import watched  # noqa: PLC0415 - only needed here
    from greenroom.supervisor.sandbox.campaign import Tally  # noqa: PLC0415

    total = Tally()
    with watched() as advance:
        for total in progress:
            advance(total.seeds, wanted, f"{total.crashes} crashes, {len(total.findings)} broken promises")
    return total


def _print_report(total: "Tally", seconds: float) -> None:
    from greenroom.supervisor.cli.paper import print_table  # noqa: PLC0415

    summary = total.summary(seconds)
    print(
        f"{total.seeds} seeds, {summary.seeds_per_minute} a minute; {summary.crashes_per_seed} crashes a seed, "
        f"{total.boots} boots, {total.runs} runs, {summary.virtual_hours} virtual hours"
    )
    print_table(("FAULT", "TIMES"), sorted(total.faults.items()))
    if total.findings:
        shown = total.findings[:LISTED_MAX]
        print_table(("SEED", "BROKEN", "WHERE"), [(it.seed, it.invariant, it.detail) for it in shown])
    print(f"{len(total.faults)} kinds of faults, {len(total.findings)} broken promises")


def mutants(
    only: Annotated[str, typer.Option(metavar="NAME", help="Only mutants whose names contain this.")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Seeds after which a mutant counts as a survivor.")] = 400,
    json: JsonOption = False,
) -> None:
    """Plant every known bug of the field, one at a time, and find it; exit code 1 if one survives."""
    from greenroom.supervisor.cli.paper import print_json, print_table  # noqa: PLC0415
    from greenroom.supervisor.sandbox.mutants import MUTANTS, hunt_all, named  # noqa: PLC0415 - only needed here

    wanted = named(only)
    if not wanted:
        names = ", ".join(mutant.name for mutant in MUTANTS)
        raise CommandFailed(f"no mutant has a name with {only!r} in it; there are {names}", WRONG_USE)
    hunted, seconds = [], []
    began = time.process_time()
    for each in hunt_all(wanted, seeds_max=seeds):
        hunted.append(each)
        seconds.append(time.process_time() - began)
        began = time.process_time()
    if json:
        from greenroom.supervisor.cli.printed_sandbox import Mutant, Mutants  # noqa: PLC0415

        print_json(Mutants(tuple(Mutant(it.name, it.caught, it.seeds, it.invariant) for it in hunted)))
    else:
        rows = [
            (it.name, it.invariant or "SURVIVED", str(it.seeds), f"{cpu_s:.2f}")
            for it, cpu_s in zip(hunted, seconds, strict=True)
        ]
        print_table(("MUTANT", "CAUGHT BY", "SEEDS", "CPU S"), rows)
    survivors = [each.name for each in hunted if not each.caught]
    if survivors:
        raise CommandFailed(f"{len(survivors)} mutants survive: {', '.join(survivors)}")
