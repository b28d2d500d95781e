import stat
from pathlib import Path

import pytest

from greenroom.platforms.agents.ledger_file import append_line, count_line


def test_lines_are_appended_one_each_and_counted_whole(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.txt"
    assert count_line(ledger, "milk") == 0
    for line in ("milk", "milk and bread", "milk", "süß 🙂"):
        append_line(ledger, line)
    assert ledger.read_text(encoding="utf-8") == "milk\nmilk and bread\nmilk\nsüß 🙂\n"
    assert (count_line(ledger, "milk"), count_line(ledger, "süß 🙂"), count_line(ledger, "bread")) == (2, 1, 0)


def test_whatever_a_line_holds_it_stays_one(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.txt"
    append_line(ledger, "one\ntwo\r\nthree\u2028four \ud800")
    assert len(ledger.read_bytes().splitlines()) == 1
    assert count_line(ledger, "one\ntwo\r\nthree\u2028four \ud800") == 1


def test_the_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.txt"
    append_line(ledger, "secret")
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600


def test_a_folder_that_is_not_there_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        append_line(tmp_path / "nowhere" / "ledger.txt", "lost")
