"""`greenroom forget`: every row of a conversation, or of all that a chat ever had, and the bytes that it leaves.

Whoever serves the database is asked to do it; where nobody does, it is done here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import convert

from greenroom.supervisor.cli.confirming import YesOption, confirm
from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database

if TYPE_CHECKING:
    from pathlib import Path

    from greenroom.actors.store import Kin
    from greenroom.storage.erasing import Held
    from greenroom.storage.lock import Holder
    from greenroom.storage.requests import Scrubbed

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Its number, its key, or the beginning of it.")]
FILES_SHOWN = 5

KEPT = (
    "backups and exports that were made before",
    "what the platform itself keeps of the chat, and what it sends again from there, which is then new",
    "lines of the log, which name chats and never say what was said",
    "blocks of the disk that the file system has freed",
)
"""What is not forgotten, because it is not in the files of the database."""


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command(epilog="Examples: greenroom forget 3; greenroom forget telegram:me:42 --chat --yes --json")(forget)


def forget(
    session: SessionArgument,
    chat: Annotated[
        bool, typer.Option("--chat", help="All that its chat ever had, not this one conversation only.")
    ] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Forget a conversation for good: all its rows, what the search knows of it, and the bytes in the files.

    What its agent does is stopped first. It cannot be taken back. What it cannot reach is said in the end.
    """
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.cli.paper import print_json  # noqa: PLC0415

    path = choose_database(config, db)
    kin, held, others, holder = _find(path, session, whole_chat=chat)
    confirm(f"{_describe(kin, held)} will be forgotten for good", yes=yes)
    scrubbed = _forget(path, holder, kin, session, whole_chat=chat)
    if remains := _read_remains(path, kin):
        raise CommandFailed(f"session {', '.join(map(str, remains))} is still there; try again")
    if json:
        from greenroom.supervisor.cli.printed import Forgotten  # noqa: PLC0415

        copies = tuple(_copies(path))
        print_json(Forgotten(str(kin.key), kin.ids, held.rows, others, copies, held.files, scrubbed, KEPT))
    else:
        _print_forgotten(kin, held, others, scrubbed)
        _print_kept(path, held)


def _find(path: Path, name: str, *, whole_chat: bool) -> tuple[Kin, Held, int, Holder | None]:
    from greenroom.storage.erasing import read_held, read_kin  # noqa: PLC0415 - only this command needs them
    from greenroom.storage.lock import read_holder  # noqa: PLC0415
    from greenroom.supervisor.cli import pages  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415

    holder = read_holder(path)
    with pages.reading(path) as views:
        found = views.find(name)
        kin, everything = (read_kin(views.db, found, whole_chat=whole) for whole in (whole_chat, True))
        if kin is None or everything is None:
            raise CommandFailed(f"session {name!r} was just removed")
        return kin, read_held(views.db, kin.ids), len(everything.ids) - len(kin.ids), holder


def _forget(path: Path, holder: Holder | None, kin: Kin, name: str, *, whole_chat: bool) -> Scrubbed:
    """Have it forgotten; what was scrubbed of which file. Raises CommandFailed."""
    from greenroom.storage.erasing import erase_unserved  # noqa: PLC0415 - only this command needs them
    from greenroom.storage.requests import Scrubbed  # noqa: PLC0415
    from greenroom.storage.rows import Contradiction  # noqa: PLC0415
    from greenroom.supervisor.cli.ordering import TakesNoOrdersError, UnansweredError, give_order  # noqa: PLC0415
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415

    try:
        if holder is not None:
            done = give_order(path, order="forget", session=kin.ids[-1], chat=whole_chat)
            return convert(done["scrubbed"], Scrubbed)
        return erase_unserved(path, kin.key, kin.ids, now=time.time())
    except Contradiction as error:
        advice = "`greenroom up` ends what a killed greenroom left behind; then forget it"
        raise CommandFailed(f"{error}, or nobody knows; {advice}") from error
    except TakesNoOrdersError as error:
        msg = f"{error}; it is {holder}: stop it and `greenroom forget {name}`, or let it call `room.forget`"
        raise CommandFailed(msg) from error
    except UnansweredError as error:
        raise CommandFailed(f"{error}: look with `greenroom show {name}`") from error


def _read_remains(path: Path, kin: Kin) -> list[int]:
    from greenroom.storage.erasing import read_kin  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.cli import pages  # noqa: PLC0415

    with pages.reading(path) as views:
        return [id_ for id_ in kin.ids if read_kin(views.db, id_, whole_chat=False) is not None]


def _describe(kin: Kin, held: Held) -> str:
    from greenroom.supervisor.cli.paper import count  # noqa: PLC0415 - only this command needs it

    numbers = ", ".join(map(str, kin.ids))
    rows = ", ".join(f"{number:,} of {table}" for table, number in held.rows.items())
    return (
        f"{kin.key}: {count(len(kin.ids), 'session')} ({numbers}) with {f'these rows: {rows}' if rows else 'no rows'}"
    )


def _print_forgotten(kin: Kin, held: Held, others: int, scrubbed: Scrubbed) -> None:
    from greenroom.supervisor.cli.paper import clean, count  # noqa: PLC0415 - only this command needs them

    print(clean(f"forgotten: {_describe(kin, held)}"))
    if others:
        print(f"its chat has {count(others, 'other session')}; `greenroom forget {kin.key} --chat` forgets all")
    if not scrubbed.file:
        print("the file is too large to be written anew while it is served, or could not be: its free space may hold")
        print("pieces until `greenroom stop` and `greenroom doctor --repair`")
    if not scrubbed.journal:
        print("somebody reads in the journal (-wal), which may hold pieces until that ends and more is written")


def _copies(path: Path) -> list[Path]:
    """What `restore`, `doctor --repair` and upgrades have kept beside the database."""
    return sorted(file for mark in ("before", "replaced") for file in path.parent.glob(f"{path.name}.{mark}-*"))


def _print_kept(path: Path, held: Held) -> None:
    from greenroom.supervisor.cli.paper import clean  # noqa: PLC0415 - only this command needs it

    print("not forgotten:")
    for line in KEPT:
        print(f"  - {line}")
    for copy in _copies(path):
        print(clean(f"  - a copy of the database: {copy}"))
    for where in held.files[:FILES_SHOWN]:
        print(clean(f"  - a file that came with a message: {where}"))
    if len(held.files) > FILES_SHOWN:
        print(f"  - {len(held.files) - FILES_SHOWN} more such files; --json names them all")
