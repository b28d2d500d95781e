"""The command that lets the process die at every point of the stories, one after the other."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.options import JsonOption
from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenroom.supervisor.sandbox.exhausting import Wrong
    from greenroom.supervisor.sandbox.scripts import Script

LISTED_MAX = 20
"""Stories that are printed; the JSON has them all."""


def exhaust(
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Let it die twice, at every two points; of itself only in short stories.")
    ] = False,
    only: Annotated[str, typer.Option(metavar="SCRIPT", help="Tell only this story, such as S065.")] = "",
    json: JsonOption = False,
) -> None:
    """Kill the process at every operation of the disk and every call to the platform, in each story.

    Nothing is sampled. Exit code 1 if a person does not read the same as without the death, or a promise is broken.
    """
    from greenroom.supervisor.cli.paper import count  # noqa: PLC0415 - only needed here
    from greenroom.supervisor.sandbox.scripts import SCRIPTS, SHORT  # noqa: PLC0415

    chosen = [it for it in SCRIPTS if it.row == only or (not only and (not pairs or it.row in SHORT))]
    if not chosen:
        raise CommandFailed(f"no story is called {only!r}; there are {', '.join(it.row for it in SCRIPTS)}", WRONG_USE)
    began = time.perf_counter()
    told, wrong = _tell(chosen, pairs)
    if json:
        _print_json(told, wrong, time.perf_counter() - began)
    else:
        _print(told, wrong)
    if wrong:
        raise CommandFailed(f"{count(len(wrong), 'story')} ended otherwise than without a death; first: {wrong[0]}")


def _tell(scripts: "Sequence[Script]", pairs: bool) -> "tuple[dict[str, int], list[Wrong]]":
    """How often each story was told, and those that went wrong."""
    from greenroom.supervisor.cli.progress import watched  # noqa: PLC0415
    from greenroom.supervisor.sandbox.exhausting import walk  # noqa: PLC0415

    told = dict.fromkeys((script.row for script in scripts), 0)
    wrong: list[Wrong] = []
    with watched() as advance:
        for script in scripts:

            def hear(done: int, known: int, row: str = script.row) -> None:
                told[row] = done
                advance(done, known, f"{row}, {len(wrong)} wrong")

            wrong.extend(walk(script, pairs=pairs, heard=hear))
    return told, wrong


def _print_json(told: dict[str, int], wrong: "list[Wrong]", seconds: float) -> None:
    from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415
    from greenroom.supervisor.cli.printed_sandbox import Exhausted, WalkedScript, WrongStory  # noqa: PLC0415

    scripts = tuple(WalkedScript(row, number) for row, number in told.items())
    stories = tuple(WrongStory(it.script, tuple(map(str, it.points)), it.what) for it in wrong)
    print_json(Exhausted(sum(told.values()), len(wrong), round(seconds, 1), scripts, stories))


def _print(told: dict[str, int], wrong: "list[Wrong]") -> None:
    from greenroom.supervisor.cli.paper import clean, print_table  # noqa: PLC0415

    rows = [(row, number, sum(each.script == row for each in wrong)) for row, number in told.items()]
    print_table(("SCRIPT", "STORIES", "WRONG"), rows)
    for each in wrong[:LISTED_MAX]:
        print(f"BROKEN  {clean(str(each), lines=False)}")
    print(f"{sum(told.values())} stories, {len(wrong)} ended otherwise than without a death")
