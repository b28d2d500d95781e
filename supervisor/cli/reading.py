"""Commands that only read: status, sessions, show, explain, search, config check. They never create a database."""

from typing import Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database
from greenroom.supervisor.cli.outcome import NOT_RUNNING, WRONG_USE, CommandFailed

LIMIT_MAX = 1_000

SessionArgument = Annotated[
    str, typer.Argument(metavar="SESSION", help="Its number, its key, or the beginning of its key.")
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=LIMIT_MAX, help="Print at most so many.")]

config_app = typer.Typer(name="config", help="Look at the configuration.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    app.command(epilog="Exit code 3 when nothing runs. Examples: greenroom status --json; greenroom status --ready")(
        status
    )
    app.command(epilog="Examples: greenroom sessions -n 20; greenroom sessions --only open --json")(sessions)
    app.command(epilog="Examples: greenroom show 3; greenroom show web:local:ab12 --last 100; greenroom show 3 --json")(
        show
    )
    app.command(epilog="Examples: greenroom explain 3; greenroom explain telegram:me:42 --json")(explain)
    app.command(epilog="Example: greenroom search 'train to Oslo'")(search)
    app.command(epilog="Examples: greenroom top; greenroom top --db /srv/bot.db")(top)
    config_app.command("check", epilog="Example: greenroom config check --config ./greenroom.toml")(config_check)
    app.add_typer(config_app)


def status(
    ready: Annotated[
        bool,
        typer.Option("--ready", help="Only ask whether it can store and answer messages now: exit code 0, 1 or 3."),
    ] = False,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether greenroom runs, and what is open in its database."""
    from greenroom.storage.lock import read_holder  # noqa: PLC0415 - only this command needs it
    from greenroom.supervisor.cli import pages  # noqa: PLC0415
    from greenroom.supervisor.cli.ordering import ask_connections  # noqa: PLC0415

    path = choose_database(config, db)
    holder = read_holder(path)
    if ready:
        pages.print_ready(path, holder, as_json=json)
        return
    if holder is None and not path.exists():
        raise CommandFailed(f"nothing runs, and there is no database at {path}; `greenroom up` makes one", NOT_RUNNING)
    with pages.reading(path) as views:
        pages.print_status(views, holder, None if holder is None else ask_connections(path), as_json=json)
    if holder is None:
        raise typer.Exit(NOT_RUNNING)


def sessions(
    only: Annotated[str | None, typer.Option(metavar="open|waiting|owing|aside", help="Narrow the list.")] = None,
    before: Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="Go on below this number.")] = None,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List sessions with their state, the newest first."""
    from greenroom.storage.views import Only  # noqa: PLC0415
    from greenroom.supervisor.cli import pages  # noqa: PLC0415

    if only is not None and only not in set(Only):
        raise typer.BadParameter(f"{only!r} is none of {', '.join(Only)}", param_hint="--only")
    with pages.reading(choose_database(config, db)) as views:
        pages.print_sessions(views, None if only is None else Only(only), before, limit, as_json=json)


def show(
    session: SessionArgument,
    last: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="Show the last so many rows of everything.")] = 20,
    before: Annotated[int | None, typer.Option(min=1, metavar="SEQ", help="Messages before this one.")] = None,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show a session: its transcript, runs, tool calls, questions and deliveries."""
    from greenroom.supervisor.cli import pages, session_page  # noqa: PLC0415

    with pages.reading(choose_database(config, db)) as views:
        session_page.print_session(views, session, last=last, before=before, as_json=json)


def explain(
    session: SessionArgument,
    last: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="Show the last so many decisions.")] = 5,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Say why a session was resumed after an interruption, or was not."""
    from greenroom.supervisor.cli import pages, session_page  # noqa: PLC0415

    with pages.reading(choose_database(config, db)) as views:
        session_page.print_decisions(views, session, last=last, as_json=json)


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words that a message must hold.")],
    limit: LimitOption = 20,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Find messages by their words."""
    from greenroom.supervisor.cli import pages  # noqa: PLC0415

    with pages.reading(choose_database(config, db)) as views:
        pages.print_found(views, text, limit, as_json=json)


def top(config: ConfigOption = None, db: DatabaseOption = None) -> None:
    """Watch the sessions, and what becomes true, in this terminal; one can be looked into, suspended, resumed.

    Keys are named in the last line: f narrows the list, enter opens a session, q leaves.
    """
    import sys  # noqa: PLC0415 - only this command needs it

    path = choose_database(config, db)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandFailed(
            "top needs a terminal; `greenroom status --json` and `sessions --json` are for programs", WRONG_USE
        )
    try:
        from greenroom.supervisor.cli.top.app import watch_at  # noqa: PLC0415
    except ModuleNotFoundError as error:
        from greenroom.supervisor.daemon.config_problems import install  # noqa: PLC0415

        raise CommandFailed(f"top needs {error.name}; {install('top')}") from error
    watch_at(path)


def config_check(
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
    whole: Annotated[bool, typer.Option("--all", help="Also what is at its default.")] = False,
) -> None:
    """Check the configuration and print what was set, and where. With --all or --json: all that is in force.

    The agent and the summariser that it names are imported, as `greenroom up` does.
    """
    from greenroom.supervisor.cli.config_page import print_config  # noqa: PLC0415
    from greenroom.supervisor.daemon.composing import load_agent, load_summariser  # noqa: PLC0415
    from greenroom.supervisor.daemon.offering import load_checked  # noqa: PLC0415

    found = load_checked(config, database=db)
    load_agent(found)
    load_summariser(found)
    print_config(found, as_json=json, whole=whole)
