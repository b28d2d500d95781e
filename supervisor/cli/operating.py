"""What an operator does to one session: `release`, `cancel`, `suspend`, `resume`, `retry`, `send`.

Whoever serves the database is asked to do it, at once. Where nobody does, it is written down, and the next start
finds it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database

if TYPE_CHECKING:
    from pathlib import Path

    from greenroom.actors.facts import Fact
    from greenroom.storage.lock import Holder
    from greenroom.storage.views import SessionRow

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Its number, its key, or the beginning of it.")]

ID_MAX = 100
"""Longest name of an order, in characters."""


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    app.command(epilog="Examples: greenroom release 3; greenroom release telegram:me:42")(release)
    app.command(epilog="Examples: greenroom cancel 3; greenroom cancel telegram:me:42 --json")(cancel)
    app.command(epilog="Examples: greenroom suspend 3; greenroom suspend telegram:me:42 --json")(suspend)
    app.command(epilog="Examples: greenroom resume 3; greenroom resume telegram:me:42")(resume)
    app.command(epilog="Examples: greenroom retry 3; greenroom retry telegram:me:42")(retry)
    app.command(
        epilog="Examples: greenroom send 3 'We are back.'; greenroom send web:local:me 'Back at 5.' --id outage-7"
    )(send)


def release(
    session: SessionArgument, config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Give a session back that was set aside (quarantined or suspended); its work is decided again, as at a start.

    What was counted against it is forgotten. A process that serves the database is asked to do it, at once.
    """
    from greenroom.actors.facts import SessionReleased  # noqa: PLC0415 - only this command needs it
    from greenroom.storage.views import SessionState  # noqa: PLC0415
    from greenroom.supervisor.cli.paper import clean, print_json  # noqa: PLC0415

    path = choose_database(config, db)
    row, holder = _find(path, session)
    aside = row.state in {SessionState.QUARANTINED, SessionState.SUSPENDED}
    if aside:
        fact, show = SessionReleased(row.id, time.time()), f"show {row.id}"
        do(path, holder, fact, f"release {session}", look=show, order="release", session=row.id)
    then = "the next start decides about it" if holder is None else "its work is decided now"
    if json:
        from greenroom.supervisor.cli.printed import Released  # noqa: PLC0415

        print_json(Released(row.id, row.key, aside, row.state, row.reason))
    elif aside:
        print(clean(f"released {row.key} (session {row.id}), which was {row.state.value}; {then}"))
    else:
        print(clean(f"{row.key} (session {row.id}) was not set aside; nothing was changed"))


def cancel(
    session: SessionArgument, config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False
) -> None:
    """End what runs in one session, here and in the background, as `/stop` in its chat does; nothing resumes it.

    What waits there comes next. Exit code 1 if nothing runs. `greenroom stop` ends the whole service.
    """
    _order(choose_database(config, db), session, "stop", as_json=json)


def suspend(
    session: SessionArgument, config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Interrupt a session and begin nothing in it until it is resumed; what is written to it is kept.

    Its chat is told. Where nothing runs it is written down, and carried out by the next start before all else.
    """
    _order(choose_database(config, db), session, "suspend", as_json=json)


def resume(
    session: SessionArgument, config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Lift a session's suspension, and go on with what was interrupted in it, as `/resume` in its chat does.

    Exit code 1 if there is nothing to resume. Where nothing runs it is written down for the next start.
    """
    _order(choose_database(config, db), session, "resume", as_json=json)


def retry(
    session: SessionArgument, config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Run a session's last request again, however it ended, as `/retry` in its chat does.

    Exit code 1 if that cannot be now. Where nothing runs it is written down for the next start.
    """
    _order(choose_database(config, db), session, "retry", as_json=json)


def send(
    session: SessionArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is said; `-` reads it from stdin.")],
    id: Annotated[
        str, typer.Option("--id", metavar="NAME", help="Names it: sent again under this name, it is said once.")
    ] = "",
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Say something in a session's chat, exactly once. It answers nothing; the agent reads that you said it.

    Where nothing runs it is written down, and said by the next start.
    """
    import sys  # noqa: PLC0415

    said, path = sys.stdin.read() if text == "-" else text, choose_database(config, db)
    _check_length(said.strip("\n"), path, config, db)
    _order(path, session, "send", text=said.strip("\n"), order_id=id, as_json=json)


def _order(path: Path, name: str, word: str, *, as_json: bool, text: str = "", order_id: str = "") -> None:
    """Give an order to a session and print what came of it. Raises CommandFailed with the reason why nothing did."""
    from greenroom.actors.commands import Command  # noqa: PLC0415 - only these commands need them
    from greenroom.actors.facts import InboundStored  # noqa: PLC0415
    from greenroom.actors.model import SessionKey  # noqa: PLC0415
    from greenroom.supervisor.admission import clean as clean_text  # noqa: PLC0415
    from greenroom.supervisor.cli.paper import clean, print_json  # noqa: PLC0415
    from greenroom.supervisor.operations import order_inbound  # noqa: PLC0415

    text = clean_text(text)
    _check(word, text, order_id)
    row, holder = _find(path, name, ordered=word)
    given = order_id or uuid4().hex
    stored = InboundStored(order_inbound(SessionKey.parse(row.key), Command(word), text, given), time.time())
    typed, show = f"{_typed(word)} {name}", f"show {row.id}"
    answer = do(path, holder, stored, typed, look=show, order=word, chat=row.key, id=given, text=text)
    said = answer.get("said")
    if as_json:
        from greenroom.supervisor.cli.printed import Ordered  # noqa: PLC0415

        print_json(Ordered(row.id, row.key, word, said is not None, said))
    elif said is not None:
        print(clean(f"{row.key} (session {row.id}) was told: {said}"))
    else:
        when = "the next start carries it out: greenroom up" if holder is None else "it is carried out in a moment"
        print(clean(f"{row.key} (session {row.id}): `{word}` is written down; {when}"))


def _check(word: str, text: str, order_id: str) -> None:
    """Refuse what cannot be meant. Raises CommandFailed."""
    from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed  # noqa: PLC0415

    if word == "send" and not text.strip():
        raise CommandFailed("there is nothing to send; write some text", WRONG_USE)
    if len(order_id) > ID_MAX or not order_id.isprintable():
        raise CommandFailed(f"--id must be printable, and no longer than {ID_MAX} characters", WRONG_USE)


def _check_length(text: str, path: Path, config: Path | None, db: Path | None) -> None:
    """Refuse what is too long. Whoever serves the database judges itself; a database alone has the usual limit."""
    from greenroom.storage.lock import read_holder  # noqa: PLC0415 - only `send` needs them
    from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed  # noqa: PLC0415
    from greenroom.supervisor.daemon.config import load_config  # noqa: PLC0415
    from greenroom.supervisor.policy import Policy  # noqa: PLC0415

    if read_holder(path) is not None:
        return
    policy = Policy() if db is not None and config is None else load_config(config).policy
    if len(text) > policy.text_max:
        why = f"the text has {len(text):,} characters, the limit is {policy.text_max:,} (policy.text_max); send parts"
        raise CommandFailed(why, WRONG_USE)


def _find(path: Path, name: str, *, ordered: str | None = None) -> tuple[SessionRow, Holder | None]:
    """The session that is meant, and who serves the database. What is `ordered` is of the chat's current session."""
    from greenroom.storage.lock import read_holder  # noqa: PLC0415
    from greenroom.storage.session_names import read_current  # noqa: PLC0415
    from greenroom.storage.views import read_session  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415
    from greenroom.supervisor.cli.pages import reading  # noqa: PLC0415

    holder = read_holder(path)
    with reading(path) as views:
        row = read_session(views.db, views.find(name), live=holder is not None)
        if row is None:
            raise CommandFailed(f"session {name!r} was just removed")
        current = read_current(views.db, row.id)
    if ordered is not None and current != row.id:
        now = "no chat leads to it any more" if current is None else f"write: greenroom {_typed(ordered)} {current}"
        raise CommandFailed(f"session {row.id} is over, {row.key} has begun a new conversation; {now}")
    return row, holder


def _typed(order: str) -> str:
    """The word that gives an order, as a command and as a method of a room: `greenroom stop` ends the whole service."""
    return "cancel" if order == "stop" else order


def do(path: Path, holder: Holder | None, fact: Fact, command: str, *, look: str, **order: Any) -> dict[str, Any]:
    """Let the process that serves the database do it; where none does, write it down. Raises CommandFailed.

    `command` is what was typed after `greenroom`, `look` what to type there to see what became of it.
    """
    from greenroom.storage.offline import write_offline  # noqa: PLC0415
    from greenroom.storage.rows import Contradiction  # noqa: PLC0415
    from greenroom.supervisor.cli.ordering import TakesNoOrdersError, UnansweredError, give_order  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415

    try:
        if holder is not None:
            return give_order(path, **order)
        write_offline(path, fact)
    except Contradiction as error:
        raise CommandFailed(str(error)) from error
    except TakesNoOrdersError as error:
        method = f"room.{_typed(order['order'])}"
        msg = f"{error}; it is {holder}: stop it and `greenroom {command}`, or let it call `{method}`"
        raise CommandFailed(msg) from error
    except UnansweredError as error:
        raise CommandFailed(f"{error}: look with `greenroom {look}`") from error
    return {}
