"""The `greenroom` command: the door that the console script opens. Commands import what they need when they run."""

import os
import sys

import typer

from greenroom.supervisor.cli import (
    auditing,
    beginning,
    benching,
    doctoring,
    exporting,
    forgetting,
    importing,
    keeping,
    letters,
    living,
    matrixing,
    operating,
    pairing,
    reading,
    sandboxing,
)
from greenroom.supervisor.cli.outcome import FAILED, CommandFailed, describe_refusal
from greenroom.supervisor.cli.paper import complain

app = typer.Typer(
    name="greenroom",
    help="Keep an agent's chat sessions alive through crashes and restarts.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 not running. `greenroom COMMAND --help` shows examples.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    """Print the version and leave, if it was asked for."""
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only needed here

        print(f"greenroom {version('greenroom')}")
        raise typer.Exit


@app.callback()
def greenroom(
    _version: bool = typer.Option(
        False, "--version", callback=print_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    """Hold the options that stand before any command."""


beginning.add_to(app)
auditing.add_to(app)
living.add_to(app)
reading.add_to(app)
operating.add_to(app)
keeping.add_to(app)
exporting.add_to(app)
importing.add_to(app)
letters.add_to(app)
forgetting.add_to(app)
doctoring.add_to(app)
pairing.add_to(app)
sandboxing.add_to(app)
matrixing.add_to(app)
benching.add_to(app)


def main() -> None:
    """Run the command line. Every expected refusal is one message on stderr and its exit code, never a traceback."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except CommandFailed as failure:
        complain(str(failure))
        sys.exit(failure.code)
    except BrokenPipeError:
        # The reader has seen enough. Nothing may be flushed into the closed pipe when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        # Invariant: what an operator can mend is told in one message; what only we can mend keeps its traceback.
        refusal = describe_refusal(error)
        if refusal is None:
            raise
        complain(str(refusal))
        sys.exit(refusal.code)
