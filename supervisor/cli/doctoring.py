"""`greenroom doctor`: is the database whole, and is true what must be of its rows; `--repair` mends it."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database
from greenroom.supervisor.cli.outcome import FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenroom.storage.doctor import Finding, Told
    from greenroom.storage.repairing import Repaired


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command(
        epilog="Exit code 1 if there is a problem. Examples: greenroom doctor; greenroom doctor --json; "
        "greenroom doctor --repair"
    )(doctor)


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be; first what is there is copied. Nothing may run.")
    ] = False,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Look the database over: its file, and all that must be true of its rows. Nothing is changed.

    It can be asked while greenroom runs. With --repair a damaged file is read row by row into a new one.
    """
    from greenroom.storage.doctor import examine  # noqa: PLC0415 - only this command needs them
    from greenroom.storage.lock import read_holder  # noqa: PLC0415
    from greenroom.storage.sqlite import CannotOpen  # noqa: PLC0415
    from greenroom.supervisor.cli.progress import watched  # noqa: PLC0415

    path = choose_database(config, db)
    if not path.is_file():
        raise CannotOpen(f"{path}: there is no database here; start greenroom once, or name the right file")
    with watched() as advance:
        repaired = _repair(path, advance) if repair else None
        served = read_holder(path) is not None
        findings = examine(path, served=served, told=advance) if repaired is None else repaired.after
    whole = all(each.good for each in findings)
    if json:
        _print_json(path, findings, repaired, whole=whole)
    else:
        if repaired is not None:
            _print_repaired(repaired)
        _print_findings(str(path), findings, whole=whole)
    if not whole:
        raise typer.Exit(FAILED)


def _repair(path: Path, advance: Told) -> Repaired:
    from greenroom.storage.repairing import repair  # noqa: PLC0415 - only this command needs them
    from greenroom.storage.restoring import Heir  # noqa: PLC0415
    from greenroom.supervisor.version import VERSION  # noqa: PLC0415

    return repair(path, Heir(secrets.token_hex(4), os.getpid(), VERSION, time.time()), advance)


def _print_json(path: Path, findings: Sequence[Finding], repaired: Repaired | None, *, whole: bool) -> None:
    from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415 - only programs need them
    from greenroom.supervisor.cli.printed import Check, Doctored, Mended  # noqa: PLC0415

    checks = (Check(e.check, e.good, e.problem, e.sentence, e.count, e.found, e.means, e.do) for e in findings)
    mended = None
    if repaired is not None:
        mended = Mended(repaired.kept, repaired.done, repaired.salvaged.tables if repaired.salvaged else ())
    print_json(Doctored(path, whole, tuple(checks), mended))


def _print_findings(path: str, findings: Sequence[Finding], *, whole: bool) -> None:
    from greenroom.supervisor.cli.paper import clean  # noqa: PLC0415 - only this command needs it

    for each in findings:
        mark = "ok  " if not each.count else ("BAD " if each.problem else "note")
        print(clean(f"{mark}  {each.check}: {each.sentence}"))
        if each.count:
            for line in each.found:
                print(clean(f"        - {line}"))
            if each.count > len(each.found):
                print(f"        - and {each.count - len(each.found):,} more")
            print(f"      means: {each.means}")
            print(f"      do:    {each.do}")
    bad = sum(not each.good for each in findings)
    print(clean(f"{path}: {'whole' if whole else f'{bad} of {len(findings)} checks found a problem'}"))


def _print_repaired(repaired: Repaired) -> None:
    from greenroom.supervisor.cli.paper import clean  # noqa: PLC0415 - only this command needs it

    print(clean(f"kept as it was: {repaired.kept}"))
    for line in repaired.done:
        print(clean(f"  - {line}"))
    if repaired.salvaged is not None:
        saved = repaired.salvaged.tables
        print(f"  - {sum(each.rows for each in saved):,} rows were saved into a new file")
        for each in saved:
            if each.lost:
                print(f"  - LOST from {each.table}: at most {each.lost:,} rows ({each.rows:,} were saved)")
