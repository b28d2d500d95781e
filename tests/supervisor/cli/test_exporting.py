"""`greenroom export`, as people type it."""

import json
import stat

from tests.storage.store_house import House, inbound
from tests.supervisor.cli.shell import Typed


def make(typed: Typed) -> None:
    house = House(typed.home / "room.db")
    for chat in ("1", "2"):
        house.write(inbound(1, chat))
    house.close()


def test_lines_go_to_stdout_where_no_file_is_named(typed: Typed) -> None:
    make(typed)
    found = [json.loads(line) for line in typed("export").out.splitlines()]
    assert [line["type"] for line in found] == ["export", "session", "inbound", "session", "inbound", "end"]
    found = [json.loads(line) for line in typed("export web:bot:2").out.splitlines()]
    assert [line.get("session") for line in found] == [None, 2, 2, None]


def test_a_file_is_private_and_told_of(typed: Typed) -> None:
    make(typed)
    assert "all.jsonl: 6 lines, " in typed("export --out all.jsonl").out
    assert stat.S_IMODE((typed.home / "all.jsonl").stat().st_mode) == 0o600
    shown = json.loads(typed("export 1 --out one.jsonl --json").out)
    assert (shown["lines"], shown["bytes"]) == (4, (typed.home / "one.jsonl").stat().st_size)


def test_a_file_that_is_there_is_replaced_only_with_force(typed: Typed) -> None:
    make(typed)
    (typed.home / "all.jsonl").write_text("precious")
    assert "say --force to replace it" in typed("export --out all.jsonl", code=1).err
    assert (typed.home / "all.jsonl").read_text() == "precious"
    typed("export --out all.jsonl --force")
    assert "precious" not in (typed.home / "all.jsonl").read_text()


def test_what_cannot_be_exported_is_refused_with_what_to_do(typed: Typed) -> None:
    assert "room.db: there is no database here" in typed("export", code=1).err
    make(typed)
    assert "no session 'nobody'; `greenroom sessions` lists them" in typed("export nobody --out a.jsonl", code=1).err
    assert "there is no folder" in typed("export --out no/such/a.jsonl", code=1).err
    assert not list(typed.home.glob("*.jsonl"))
