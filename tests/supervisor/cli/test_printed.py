"""What programs are promised of `--json`: all of it is declared, documented, and only ever grows."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.supervisor.cli.json_page import EXAMPLES, groups, page, promised
from tests.supervisor.cli.printed_types import (
    WITHOUT_UNIT,
    Field,
    all_promises,
    check_printed,
    fields_of,
    parts,
    records,
)

from greenroom.supervisor.cli.main import app
from greenroom.supervisor.cli.printed_by import PRINTED_BY

DOCS = Path(__file__).parents[3] / "docs"
STABLE = (
    "docs/json.md promises that fields are added, never renamed or removed before a new major version, and that none becomes null or"
    " of another type that was not. Programs rely on what is gone here: keep it, and add the new beside it"
)
GROWN = "fields were added: run `python -m tests.supervisor.cli.json_page --promised > promised.txt`, and put that in the file's place"


def with_json(command: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    """The commands that take `--json`, by the words that are typed."""
    if any("--json" in option.opts for option in command.params):
        yield " ".join(words)
    for name, each in getattr(command, "commands", {}).items():
        yield from with_json(each, (*words, name))


def all_fields() -> dict[str, Field]:
    kinds = {record for hint in PRINTED_BY.values() for record in records(hint)}
    return {f"{record.__name__}.{field.name}": field for record in kinds for field in fields_of(record)}


def test_every_command_that_prints_json_says_what() -> None:
    declared = {" ".join(word for word in command.split() if not word.startswith("-")) for command in PRINTED_BY}
    assert set(with_json(typer.main.get_command(app))) == declared


def test_the_page_is_current() -> None:
    hint = "run `python -m tests.supervisor.cli.json_page > docs/json.md`"
    assert (DOCS / "json.md").read_text(encoding="utf-8") == page(), hint


def test_every_field_has_its_sentence_and_every_number_that_is_no_count_its_unit() -> None:
    fields = all_fields()
    assert [name for name, field in fields.items() if not field.sentence] == []
    assert {
        name for name, field in fields.items() if float in (field.hint, *parts(field.hint)) and not field.unit
    } == WITHOUT_UNIT


def test_no_two_parts_have_one_name() -> None:
    kinds = {record for hint in PRINTED_BY.values() for record in records(hint)}
    assert len({record.__name__ for record in kinds}) == len(kinds)


def test_each_example_is_what_its_command_prints() -> None:
    assert list(EXAMPLES) == [commands[0] for commands, _ in groups()]
    for command, value in EXAMPLES.items():
        check_printed(command.split(), json.dumps(value))


@pytest.mark.parametrize(
    "out",
    [
        '{"stopped": true, "pid": 1, "took_s": 0.5, "why": "left over"}',
        '{"stopped": true, "pid": 1}',
        '{"stopped": true, "pid": "1", "took_s": 0.5}',
        '{"stopped": true, "pid": null, "took_s": 0.5}',
    ],
)
def test_what_is_not_declared_is_refused(out: str) -> None:
    check_printed(["stop", "--json"], '{"stopped": true, "pid": 1, "took_s": 0.5}')
    with pytest.raises((AssertionError, ValueError)):
        check_printed(["stop", "--json"], out)


def test_what_was_promised_is_kept() -> None:
    gone = sorted(set(promised()) - set(all_promises()))
    assert gone == [], STABLE


def test_what_is_added_is_promised_from_then_on() -> None:
    new = sorted(set(all_promises()) - set(promised()))
    assert new == [], GROWN


def test_no_command_pays_for_the_types_before_it_prints_one() -> None:
    look = "import sys, greenroom.supervisor.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert "greenroom.supervisor.cli.main" in loaded
    assert [name for name in loaded if name.startswith("greenroom.supervisor.cli.printed")] == []
