"""Prints docs/json.md from the types themselves: `python -m tests.supervisor.cli.json_page > docs/json.md`.

With `--promised` it prints what tests/supervisor/cli/promised.txt must hold: all that it holds, and what is new.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.supervisor.cli.printed_types import (
    PLAIN,
    all_promises,
    bare,
    fields_of,
    is_array,
    is_enum,
    is_null,
    is_object,
    is_record,
    is_union,
    parts,
    records,
)

from greenroom.supervisor.cli.printed_by import PRINTED_BY

HERE = Path(__file__).parent
EXAMPLES: dict[str, Any] = json.loads((HERE / "printed_examples.json").read_text(encoding="utf-8"))
"""An answer of each command; of those that print the same, of the first one."""

HEAD = """# What `--json` prints

This page is printed from the types by `tests/supervisor/cli/json_page.py`, and tests fail when it is not current, or when a command
prints anything else.

A command with `--json` prints one JSON value on stdout when it is done: on one line, or indented on a terminal. Progress, warnings and
errors go to stderr, as text for people, and the exit code says how it ended: 0 done, 1 failed, 2 wrong use, 3 not running. What could
not be done prints no value; where a value comes with an exit code other than 0, this page says so.

## What you may rely on

- Fields are added, never renamed or removed before a new major version; nor does one become null, or of another type, that was not.
  What a field means, and its unit, stay too.
- Ignore fields that you do not know, and be ready for words that are not listed here: lists of words grow as well.
- Sentences (`said`, `why_not`, `advice`, `means` and their like) are for people: show them, and do not read them.
- The keys of an object that maps names to values (of tables, faults, settings) are not promised; nor is the order of fields.
- Times are UTC epoch seconds, whole or not; other units stand beside the field.

`jq` reads it: `greenroom sessions --json | jq -r '.[] | select(.owed > 0) | .key'`.
"""

PARTS = """## Parts

What several values hold, or one holds many of.
"""


def main_type(hint: Any) -> type:
    """What a command prints, or prints a list of."""
    found = parts(hint)[0] if is_array(hint) else hint
    assert is_record(found)
    return found  # type: ignore[no-any-return]


def groups() -> Iterator[tuple[list[str], Any]]:
    """Commands that print the same, together."""
    found: dict[Any, list[str]] = {}
    for command, hint in PRINTED_BY.items():
        found.setdefault(hint, []).append(command)
    for hint, commands in found.items():
        yield commands, hint


def say(hint: Any) -> str:
    """A type in words, with a link to what is described elsewhere."""
    hint = bare(hint)
    if is_union(hint):
        return " or ".join(say(each) for each in sorted(parts(hint), key=is_null))
    if is_null(hint):
        return "null"
    if is_record(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if is_array(hint):
        return f"array of {say(parts(hint)[0])}"
    if is_object(hint):
        return f"object of {say(parts(hint)[1])}"
    if is_enum(hint):
        return "one of " + ", ".join(f"`{each.value}`" for each in hint)
    return PLAIN[hint]


def table(record: type) -> str:
    rows = (f"| `{it.name}` | {say(it.hint)} | {it.unit} | {it.sentence} |" for it in fields_of(record))
    return "\n".join(("| field | type | unit | what it says |", "|---|---|---|---|", *rows)) + "\n"


def about(record: type) -> str:
    return " ".join((record.__doc__ or "").split()).replace("None", "null")


def section(commands: list[str], hint: Any) -> str:
    record = main_type(hint)
    names = ", ".join(f"`greenroom {command}`" for command in commands)
    what = (
        f"An array, which may be empty, with an object for each. {about(record)}" if is_array(hint) else about(record)
    )
    link = f"Its fields: [{record.__name__}](#{record.__name__.lower()}).\n"
    fields = link if shown_apart(record) else table(record)
    return f"### {names}\n\n{what}\n\n{fields}\n```json\n{json.dumps(EXAMPLES[commands[0]], ensure_ascii=False)}\n```\n"


def shown_apart(record: type) -> bool:
    """Whether it is also part of something else, and so has a section of its own."""
    return any(record in held(main_type(hint)) for hint in PRINTED_BY.values())


def held(record: type) -> set[type]:
    """All records in it."""
    return {each for field in fields_of(record) for each in records(field.hint)}


def page() -> str:
    apart = {
        each: None for hint in PRINTED_BY.values() for each in sorted(held(main_type(hint)), key=lambda it: it.__name__)
    }
    described = (
        f"### {each.__name__}\n\n{about(each)}\n\n{table(each)}" for each in sorted(apart, key=lambda it: it.__name__)
    )
    commands = (section(names, hint) for names, hint in groups())
    return "\n".join((HEAD, "## Commands\n", *commands, PARTS, *described))


def promised() -> list[str]:
    """What was promised until now; nothing is ever taken from it by this program."""
    return (HERE / "promised.txt").read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    if "--promised" in sys.argv:
        sys.stdout.write("\n".join(sorted({*promised(), *all_promises()})) + "\n")
    else:
        sys.stdout.write(page())
