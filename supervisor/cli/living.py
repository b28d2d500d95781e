"""Commands that start and end the living thing: up, chat, stop."""

from typing import Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database

STOP_TIMEOUT_S = 120.0


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    app.command(epilog="Examples: greenroom up; greenroom up --config ./greenroom.toml --db /srv/bot.db")(up)
    app.command(epilog="Examples: greenroom chat; echo 'count to 3' | greenroom chat --name errands")(chat)
    app.command(epilog="Exit code 3 when nothing runs. Examples: greenroom stop; greenroom stop --now")(stop)


def up(config: ConfigOption = None, db: DatabaseOption = None) -> None:
    """Serve until told to stop: the web chat, the agent, and what the last life left unfinished.

    SIGTERM or ctrl-C drains: running work gets policy.drain_s to finish. A second one ends at once, and that is
    safe. SIGUSR2 drains for a restart (systemd: RestartKillSignal=SIGUSR2).
    SIGHUP reads the configuration again. SIGUSR1 prints what every thread and session is doing.
    """
    from greenroom.supervisor.daemon.daemon import serve  # noqa: PLC0415 - pydantic takes its time
    from greenroom.supervisor.daemon.offering import load_checked  # noqa: PLC0415

    raise typer.Exit(serve(load_checked(config, database=db), named=config))


def chat(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Which conversation; each name has its own.")] = (
        "me"
    ),
    config: ConfigOption = None,
    db: DatabaseOption = None,
) -> None:
    """Talk to the agent in this terminal. What is said is kept, and goes on with the next start."""
    from greenroom.supervisor.cli.chatting import chat_here  # noqa: PLC0415
    from greenroom.supervisor.daemon.config import load_config  # noqa: PLC0415

    raise typer.Exit(chat_here(load_config(config, database=db), name))


def stop(
    now: Annotated[bool, typer.Option("--now", help="Do not let running work finish. Nothing is lost.")] = False,
    for_restart: Annotated[
        bool,
        typer.Option("--for-restart", help="It is started again at once: what is cut short is told so."),
    ] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Give up waiting after.")] = STOP_TIMEOUT_S,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """End the greenroom that runs on this database: running work may finish, what is owed is sent.

    That ends it for every chat. What runs in one session ends `greenroom cancel SESSION`.
    """
    from greenroom.supervisor.cli.stopping import stop_holder  # noqa: PLC0415

    stop_holder(choose_database(config, db), now=now, for_restart=for_restart, timeout_s=timeout, as_json=json)
