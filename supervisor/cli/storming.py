"""The command that lets a storm loose on the real daemon."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.options import JsonOption
from greenroom.supervisor.cli.outcome import CommandFailed
from greenroom.supervisor.daemon.config_problems import install
from greenroom.supervisor.sandbox.storm_tally import Plan, ServerKind, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

SAY_EVERY_S = 10.0
SHOWN_MAX = 20


def storm(
    minutes: Annotated[float, typer.Option(min=0.0, help="How long it rages; then everything owed must be done.")] = 1,
    chats: Annotated[int, typer.Option(min=1, max=200, help="How many people write.")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, help="Draws what is said and done. Otherwise a new one.")] = None,
    server: Annotated[
        ServerKind | None, typer.Option(help="Half of the people use this chat server, which is killed as well.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Kill the real daemon at random moments while people write; exit code 1 if a promise was broken.

    A process of its own, on a new database, a free port and the demo agent; the disk is the real one. What it left is
    kept if a promise was broken.
    """
    from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415

    drawn = time.time_ns() % 1_000_000 if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="greenroom-storm-"))
    tally = _rage(Plan(minutes * 60.0, chats=chats, seed=drawn, server=server), folder)
    kept = folder if tally.violations else None
    if json:
        from greenroom.supervisor.cli.printed_sandbox import Storm  # noqa: PLC0415

        print_json(Storm(drawn, minutes, chats, kept, **asdict(tally)))
    else:
        _print(tally, drawn)
    if tally.violations:
        raise CommandFailed(f"{len(tally.violations)} broken promises; the evidence is in {folder}")
    shutil.rmtree(folder)


def _rage(plan: Plan, folder: Path) -> Tally:
    try:
        from greenroom.supervisor.sandbox.storm import Storm  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise CommandFailed(f"a storm needs {error.name}, for the people at the web chat; {install('web')}") from error
    from greenroom.supervisor.sandbox.storm_daemon import NotReadyError  # noqa: PLC0415

    try:
        with _telling(plan.seconds) as tell:
            return asyncio.run(Storm(plan, folder, tell).run())
    except NotReadyError as error:
        raise CommandFailed(f"{error}\nwhat it left is in {folder}") from error


@contextmanager
def _telling(seconds: float) -> "Iterator[Callable[[Tally], None]]":
    """On a terminal a bar, elsewhere a line now and then; both on stderr."""
    began = time.monotonic()
    if not sys.stderr.isatty():
        said_at = began

        def say(tally: Tally) -> None:
            nonlocal said_at
            if time.monotonic() - said_at >= SAY_EVERY_S:
                said_at = time.monotonic()
                print(f"{said_at - began:6.0f} s  {_brief(tally)}", file=sys.stderr, flush=True)

        yield say
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=seconds)
        yield lambda tally: bar.update(task, completed=time.monotonic() - began, description=_brief(tally))


def _brief(tally: Tally) -> str:
    return f"{tally.messages} messages, {tally.kills} kills, {len(tally.violations)} broken promises"


def _print(tally: Tally, seed: int) -> None:
    print(
        f"seed {seed}: {tally.messages} messages ({tally.redelivered} sent twice, {tally.questions} made it ask back), "
        f"each answered once and in order"
        if not tally.violations
        else f"seed {seed}: {tally.messages} messages"
    )
    print(
        f"{tally.kills} kills ({tally.kills_in_boot} during a start), {tally.server_kills} of the chat server, "
        f"{tally.drains} orderly ends, {tally.boots} starts, {tally.resumes} runs resumed"
    )
    print(
        f"{tally.orders} orders, {tally.presses} presses, {tally.silences} silences listened to; "
        f"{tally.processes} processes asked for, {tally.orphans} outlived a killed daemon until the next one's start"
    )
    print(
        f"{tally.freezes} times frozen, {tally.second_daemons_refused} second daemons refused; "
        f"slowest recovery {tally.slowest_recovery_s:.1f} s"
    )
    for violation in tally.violations[:SHOWN_MAX]:
        print(f"BROKEN  {violation}")
    print(f"{len(tally.violations)} broken promises")
