"""`greenroom pair`: who was let in by a code, who waits with one; let a chat in, or out again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database

if TYPE_CHECKING:
    from greenroom.actors.pairing import Pairing

pair_app = typer.Typer(
    name="pair",
    help="Let strangers in by the code that they were shown, or out again. Without a command: list them.",
    epilog="Examples: greenroom pair; greenroom pair approve ABCD-EFGH; greenroom pair revoke telegram:me:42",
)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    pair_app.callback(invoke_without_command=True)(pair)
    pair_app.command(epilog="Example: greenroom pair approve ABCD-EFGH")(approve)
    pair_app.command(epilog="Example: greenroom pair revoke telegram:me:42")(revoke)
    app.add_typer(pair_app)


def pair(
    context: typer.Context, config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False
) -> None:
    """Let strangers in by the code that they were shown, or out again. Without a command: list them."""
    if context.invoked_subcommand is None:
        _print_pairings(_read(choose_database(config, db)), as_json=json)


def approve(
    code: Annotated[str, typer.Argument(metavar="CODE", help="As the stranger was shown it.")],
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Let the chat in that was shown this code. It stays in across restarts, until it is revoked."""
    from greenroom.supervisor.cli.paper import clean, print_json  # noqa: PLC0415 - only this command needs it

    chat = _approve(choose_database(config, db), code)
    if json:
        from greenroom.supervisor.cli.printed import Approved  # noqa: PLC0415

        print_json(Approved(chat))
    else:
        print(clean(f"{chat} may write now"))


def revoke(
    chat: Annotated[str, typer.Argument(metavar="CHAT", help="Its key, as `greenroom pair` lists it.")],
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Make a chat a stranger's again that was let in by a code. What was said stays."""
    from greenroom.supervisor.cli.paper import clean, print_json  # noqa: PLC0415 - only this command needs it

    gone = _revoke(choose_database(config, db), chat)
    if json:
        from greenroom.supervisor.cli.printed import Revoked  # noqa: PLC0415

        print_json(Revoked(gone))
    else:
        print(clean(f"{gone} may not write any more"))


def _approve(path: Path, code: str) -> str:
    """Write it, or have it written by whoever serves the database. Raises CommandFailed."""
    from greenroom.actors.pairing import find_code  # noqa: PLC0415 - only this command needs them
    from greenroom.actors.pairing_facts import ChatPaired, CodeMissed  # noqa: PLC0415
    from greenroom.storage.lock import read_holder  # noqa: PLC0415
    from greenroom.storage.offline import write_offline  # noqa: PLC0415
    from greenroom.supervisor.access import WRONG_CODE  # noqa: PLC0415
    from greenroom.supervisor.cli.ordering import give_order  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415

    if read_holder(path) is not None:
        return str(give_order(path, order="pair", code=code)["paired"])
    pairings, now = _read(path), time.time()
    found = find_code(pairings, code, now)
    if found is None:
        write_offline(path, *(CodeMissed(each.chat, each.guesses + 1) for each in pairings if each.is_good(now)))
        raise CommandFailed(WRONG_CODE)
    write_offline(path, ChatPaired(found.chat, found.code_hash, now))
    return str(found.chat)


def _revoke(path: Path, name: str) -> str:
    """Write it, or have it written by whoever serves the database. Raises CommandFailed, InvalidKeyError."""
    from greenroom.actors.pairing import chat_of  # noqa: PLC0415 - only this command needs them
    from greenroom.actors.pairing_facts import ChatUnpaired  # noqa: PLC0415
    from greenroom.actors.session_key import InvalidKeyError, SessionKey  # noqa: PLC0415
    from greenroom.storage.lock import read_holder  # noqa: PLC0415
    from greenroom.storage.offline import write_offline  # noqa: PLC0415
    from greenroom.supervisor.cli.ordering import give_order  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415

    try:
        chat = chat_of(SessionKey.parse(name))
    except InvalidKeyError as error:
        raise CommandFailed(str(error)) from error
    if read_holder(path) is not None:
        return str(give_order(path, order="unpair", chat=str(chat))["unpaired"])
    if all(each.chat != chat for each in _read(path)):
        raise CommandFailed(f"{chat} was not let in by a code; `greenroom pair` lists those that were")
    write_offline(path, ChatUnpaired(chat))
    return str(chat)


def _read(path: Path) -> Sequence[Pairing]:
    from greenroom.storage.pairings import read_pairings  # noqa: PLC0415 - only these commands need it
    from greenroom.supervisor.cli import pages  # noqa: PLC0415

    with pages.reading(path) as views:
        return read_pairings(views.db)


def _print_pairings(pairings: Sequence[Pairing], *, as_json: bool) -> None:
    """Print who is in and who waits; a code is known to nobody but the chat that was shown it."""
    from greenroom.supervisor.cli.paper import complain, print_json, print_table, say_time  # noqa: PLC0415

    now = time.time()
    known = [each for each in pairings if each.approved_at is not None or each.is_good(now)]
    if as_json:
        from greenroom.supervisor.cli.printed import PairedChat  # noqa: PLC0415

        chats = [PairedChat(str(e.chat), e.author, e.offered_at, e.expires_at, e.approved_at) for e in known]
        print_json(chats)
        return
    if not known:
        complain("no chat was let in by a code, and none waits with one")
        return
    rows = [
        (
            each.chat,
            each.author or "-",
            f"waits with a code until {say_time(each.expires_at)}"
            if each.approved_at is None
            else f"in since {say_time(each.approved_at)}",
        )
        for each in known
    ]
    print_table(("CHAT", "WHO ASKED", "STATE"), rows)
