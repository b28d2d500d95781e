"""`greenroom dead`: what could not be delivered, or of which nobody knows; send it again, or give it up.

Whoever serves the database is asked to do it, at once. Where nobody does, it is written down, and the next start
finds it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from greenroom.supervisor.cli.confirming import YesOption, confirm
from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption, choose_database
from greenroom.supervisor.cli.outcome import WRONG_USE, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenroom.actors.facts import Fact
    from greenroom.actors.model import Delivery, DeliveryClass
    from greenroom.storage.letters import Letter
    from greenroom.storage.lock import Holder

LIMIT_MAX = 1_000
TEXT_SHOWN = 60

DeliveriesArgument = Annotated[
    list[str], typer.Argument(metavar="DELIVERY...", help="Their names, as `dead list` and `show --json` print them.")
]

dead_app = typer.Typer(
    name="dead", help="Dead letters: what could not be delivered. Send it again, or give it up.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    dead_app.command("list", epilog="Examples: greenroom dead list; greenroom dead list --json")(list_letters)
    dead_app.command("retry", epilog="Examples: greenroom dead retry 3.1.answer; greenroom dead retry command.7 --yes")(
        retry
    )
    dead_app.command(
        "purge", epilog="Examples: greenroom dead purge 3.1.answer; greenroom dead purge --all --yes --json"
    )(purge)
    app.add_typer(dead_app)


def list_letters(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=LIMIT_MAX, help="Print at most so many.")] = 50,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List what is dead (given up, or refused for ever), and what is tried again by itself.

    That is what may have been delivered or not (unknown), and what could not be sent yet (retry). What is dead waits
    for you.
    """
    from greenroom.storage.letters import read_letters  # noqa: PLC0415 - only this command needs it
    from greenroom.supervisor.cli import pages  # noqa: PLC0415
    from greenroom.supervisor.cli.paper import complain, print_json  # noqa: PLC0415

    with pages.reading(choose_database(config, db)) as views:
        letters = read_letters(views.db, limit)
    if json:
        print_json(letters)
    elif letters:
        _print_letters(letters)
    else:
        complain("there are no dead letters, and nothing waits to be tried again")


def _print_letters(letters: Sequence[Letter]) -> None:
    from greenroom.supervisor.cli.paper import print_table, say_age, shorten  # noqa: PLC0415

    headings = ("DELIVERY", "STATE", "CHAT", "KIND", "SINCE", "NEXT TRY", "WHY", "TEXT")
    rows = [
        (
            each.delivery,
            each.state.value,
            each.key,
            each.kind.value,
            say_age(each.at),
            _say_next(each),
            shorten(each.reason, TEXT_SHOWN),
            shorten(each.text, TEXT_SHOWN),
        )
        for each in letters
    ]
    print_table(headings, rows)


def _say_next(letter: Letter) -> str:
    from greenroom.actors.model import DeliveryState  # noqa: PLC0415 - only this command needs it
    from greenroom.supervisor.cli.paper import say_duration  # noqa: PLC0415

    if letter.state is DeliveryState.DEAD:
        return "-"
    wait_s = 0.0 if letter.retry_at is None else letter.retry_at - time.time()
    return f"in {say_duration(wait_s)}" if wait_s > 0 else "now"


def retry(
    deliveries: DeliveriesArgument,
    yes: YesOption = False,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Send dead letters again, or at once what waits for its next try. Where nothing runs, the next start does.

    Exactly once where the platform knows a repeat or lets messages be edited. Where it can do neither you are told, and
    asked: the person may then read it twice, the second time marked "(may be a repeat)".
    """
    from greenroom.actors.facts import DeliveryRevived  # noqa: PLC0415 - only this command needs it
    from greenroom.supervisor.cli.paper import clean, print_json  # noqa: PLC0415
    from greenroom.supervisor.cli.printed import Resent, Retried  # noqa: PLC0415

    path = choose_database(config, db)
    found, holder = _find(path, deliveries)
    promises = {each.key: _promise(each, rule) for each, rule in _with_rules(path, holder, found)}
    if doubtful := [words for words, once in promises.values() if not once]:
        confirm("\n".join(dict.fromkeys(doubtful)), yes=yes)
    done = []
    for each in found:
        _do(path, holder, DeliveryRevived(each, time.time()), each, order="resend")
        words, once = promises[each.key]
        done.append(Resent(each.key, str(each.session), each.state, once))
        if not json:
            then = "the next start sends it: greenroom up" if holder is None else "it is being sent"
            print(clean(f"{each.key} to {each.session}, which was {each.state.value}: {then}. {words}"))
    if json:
        print_json(Retried(tuple(done), holder is not None))


def purge(
    deliveries: DeliveriesArgument = [],  # noqa: B006 - typer makes a new one each time
    all_: Annotated[bool, typer.Option("--all", help="All dead letters; never what may still be delivered.")] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Forget dead letters. What is named and still owed (pending, retry, unknown) is given up for good.

    The transcript keeps the words; nobody is told. A call that is under way at this moment may still arrive.
    """
    from greenroom.actors.facts import DeliveryDropped  # noqa: PLC0415 - only this command needs it
    from greenroom.actors.model import DeliveryState  # noqa: PLC0415
    from greenroom.supervisor.cli.paper import clean, count, print_json  # noqa: PLC0415

    if all_ is bool(deliveries):
        raise CommandFailed("name the deliveries, or say --all; `greenroom dead list` names them", WRONG_USE)
    path = choose_database(config, db)
    found, holder = _find(path, deliveries or None)
    owed = [each for each in found if each.state is not DeliveryState.DEAD]
    if owed:
        words = ", ".join(f"{each.key} to {each.session} ({each.state.value})" for each in owed)
        confirm(f"This is still owed, and will never be sent: {words}", yes=yes)
    elif all_ and found:
        confirm(f"This forgets {count(len(found), 'dead letter')}; none of them can be listed any more", yes=yes)
    for each in found:
        _do(path, holder, DeliveryDropped(each, time.time()), each, order="drop")
        if not json:
            what = "its letter is forgotten" if each.state is DeliveryState.DEAD else "given up, it will not be sent"
            print(clean(f"{each.key} to {each.session}: {what}"))
    if json:
        from greenroom.supervisor.cli.printed import Dropped, Purged  # noqa: PLC0415

        print_json(Purged(tuple(Dropped(each.key, each.state) for each in found)))
    elif not found:
        print("there are no dead letters; nothing was changed")


def _find(path: Path, names: Sequence[str] | None) -> tuple[list[Delivery], Holder | None]:
    """The deliveries of these names (None: all dead letters), and who serves the database. Raises CommandFailed."""
    from greenroom.storage.letters import read_dead_keys, read_delivery_named  # noqa: PLC0415
    from greenroom.storage.lock import read_holder  # noqa: PLC0415
    from greenroom.supervisor.cli import pages  # noqa: PLC0415

    holder, found = read_holder(path), []
    with pages.reading(path) as views:
        for name in dict.fromkeys(read_dead_keys(views.db) if names is None else names):
            delivery = read_delivery_named(views.db, name)
            if delivery is None:
                advice = "`greenroom dead list` and `greenroom show SESSION` name them"
                raise CommandFailed(f"there is no delivery {name!r}; {advice}; nothing was changed")
            found.append(delivery)
    return found, holder


def _with_rules(
    path: Path, holder: Holder | None, found: Sequence[Delivery]
) -> list[tuple[Delivery, DeliveryClass | None]]:
    """What the platform of each offers against repeats; None where no process says."""
    from greenroom.supervisor.cli.ordering import ask_connections  # noqa: PLC0415 - only `retry` needs it

    connections = (None if holder is None else ask_connections(path)) or []
    rules = {(each.platform, each.account): each.delivery for each in connections}
    return [(each, rules.get((each.session.platform, each.session.account))) for each in found]


def _promise(delivery: Delivery, rule: DeliveryClass | None) -> tuple[str, bool]:
    """What a repeat comes to, in a sentence, and whether it is certain to be seen once only."""
    from greenroom.actors.model import DeliveryClass  # noqa: PLC0415 - only `retry` needs it

    account = f"{delivery.session.platform}:{delivery.session.account}"
    match rule:
        case DeliveryClass.NATIVE_KEY:
            return f"{account} recognises its key: it is shown once", True
        case DeliveryClass.EDIT_ANCHOR:
            return "Its message is edited, or a placeholder first: the words are shown once", True
        case DeliveryClass.RECONCILE:
            return "It is looked for first: it is shown once", True
        case DeliveryClass.NONE:
            return (
                f"{account} cannot recognise a repeat: if {delivery.key} did arrive, its person reads it twice, the "
                'second time marked "(may be a repeat)"'
            ), False
        case _:
            return (
                f"Nobody says whether {account} recognises repeats, since it is not served now. If it does not, and "
                f'{delivery.key} did arrive, its person reads it twice, the second time marked "(may be a repeat)"'
            ), False


def _do(path: Path, holder: Holder | None, fact: Fact, delivery: Delivery, *, order: str) -> dict[str, Any]:
    from greenroom.supervisor.cli.operating import do  # noqa: PLC0415 - only what changes something needs it

    typed = f"dead {'retry' if order == 'resend' else 'purge'} {delivery.key}"
    return do(path, holder, fact, typed, look=f"show {delivery.session}", order=order, delivery=delivery.key)
