"""The command that looks for what is not safe: `audit`."""

from __future__ import annotations

import typer

from greenroom.supervisor.cli.options import ConfigOption, DatabaseOption, JsonOption


def add_to(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(
        epilog="Exit code 1 if something is wrong. Examples: greenroom audit; greenroom audit --json; "
        "greenroom audit -c /etc/greenroom/greenroom.toml"
    )(audit)


def audit(config: ConfigOption = None, db: DatabaseOption = None, json: JsonOption = False) -> None:
    """Look for what is not safe: modes and owners of files, who reaches what, who may write, what agents may do.

    Each finding names its check and what to do. Notes may be meant so. Run it as the user who runs greenroom.
    """
    from greenroom.supervisor.cli.outcome import CommandFailed  # noqa: PLC0415 - only this command needs them
    from greenroom.supervisor.cli.paper import clean, count, print_json  # noqa: PLC0415
    from greenroom.supervisor.daemon.audit import audit as look  # noqa: PLC0415
    from greenroom.supervisor.daemon.audited import Verdict  # noqa: PLC0415
    from greenroom.supervisor.daemon.offering import load_checked  # noqa: PLC0415

    found = look(load_checked(config, database=db))
    wrong = sum(each.verdict is Verdict.WRONG for each in found)
    if json:
        from greenroom.supervisor.cli.printed import Audit  # noqa: PLC0415

        print_json(Audit(wrong, tuple(found)))
    else:
        for each in sorted(found, key=lambda each: list(Verdict).index(each.verdict)):
            print(clean(f"{each.verdict.value:<6} {each.check}: {each.what}"))
            if each.fix:
                print(clean(f"{'':<6}   fix: {each.fix}"))
    if wrong:
        raise CommandFailed(f"{count(wrong, 'thing')} wrong; mend what is marked so, and run it again")
