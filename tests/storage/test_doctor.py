"""The doctor on real files: what is whole, each thing that can be wrong, and what is mended or saved of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace
from tests.storage.store_house import House, inbound, opened, said
from tests.storage.test_statements import DELIVERY, LIFE, G, S

from greenroom.actors.facts import (
    DeliveryMoved,
    DeliveryOpened,
    Fact,
    InboundTaken,
    RunClosed,
    SessionSucceeded,
)
from greenroom.actors.model import DeliveryState, Ending, InboxId, Seq
from greenroom.storage.doctor import FINDINGS_MAX, Finding, examine
from greenroom.storage.invariants import INVARIANTS
from greenroom.storage.lock import Held
from greenroom.storage.repairing import Repaired, repair
from greenroom.storage.restoring import Heir
from greenroom.storage.sqlite import PAGE_BYTES, CannotOpen

HEIR = Heir(uid="new-uid", pid=7, version="9.9", now=1_800_000_000.0)
MESSAGES = 1_200


def nobody(_done: int, _whole: int, _what: str) -> None:
    """Nobody watches."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a whole life in it."""
    house = House(tmp_path / "bot.db")
    for fact in LIFE:
        if type(fact) is SessionSucceeded:
            continue
        house.write(fact)
    house.close()
    return tmp_path / "bot.db"


def bad(findings: tuple[Finding, ...]) -> dict[str, tuple[str, ...]]:
    return {each.check: each.found for each in findings if not each.good}


def do(path: Path, sql: str) -> None:
    """As somebody does it by hand, whom no trigger and no foreign key keeps from it."""
    db = apsw.Connection(str(path))
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    db.execute(sql)
    db.close()


def test_what_is_whole_is_said_to_be_whole_and_each_check_has_its_sentence(path: Path) -> None:
    findings = examine(path, served=False)
    assert bad(findings) == {}
    names = [each.check for each in findings]
    assert len(set(names)) == len(names) == len(INVARIANTS) + 5
    assert all(each.sentence and each.means and each.do for each in findings)


HARM = {
    "the_owner_is_known": "DELETE FROM meta",
    "nothing_is_of_the_future": "UPDATE ownership SET epoch = 0; UPDATE runs SET epoch = 7",
    "no_row_points_nowhere": "INSERT INTO decisions VALUES (99, 99, 1, 1, 'r', 'o', '{}', 1.0)",
    "one_run_is_open_at_most": "UPDATE sessions SET generation = 4; UPDATE runs SET open = 1",
    "generations_are_counted": "UPDATE sessions SET generation = 4",
    "transcripts_have_no_gap": "UPDATE messages SET seq = 3",
    "answers_cover_what_was_said": "UPDATE messages SET answers_upto = 9",
    "what_was_taken_is_in_the_transcript": "UPDATE inbox SET seq = 9 WHERE seq IS NOT NULL",
    "a_chat_leads_to_its_newest_session": "DELETE FROM routes",
    "what_waits_can_be_answered": "UPDATE inbox SET generation = NULL; DELETE FROM routes",
    "what_is_owed_has_its_row": "UPDATE deliveries SET state = 'retry', delivered_at = NULL WHERE kind = 'answer'",
    "a_letter_is_of_a_dead_delivery": "INSERT INTO dead_letters SELECT 1, key, 1, 'gone', 1.0 FROM deliveries"
    " WHERE state = 'delivered'",
    "lists_can_be_read": "UPDATE deliveries SET message_ids = 'm1'",
    "the_schema_is_this_releases": "DROP TRIGGER fence_runs; DROP INDEX inbox_waiting; CREATE TABLE mine (x)",
}
FOR_EVER = {
    "transcripts_have_no_gap",
    "answers_cover_what_was_said",
    "what_was_taken_is_in_the_transcript",
    "what_is_owed_has_its_row",
    "lists_can_be_read",
    "the_schema_is_this_releases",  # A table too many is left alone; the trigger and the index are made again.
}


def test_every_invariant_has_its_harm() -> None:
    assert {each.name for each in INVARIANTS} <= HARM.keys()


@pytest.mark.parametrize("check", HARM)
def test_each_harm_is_found_told_and_mended_if_it_can_be(path: Path, check: str) -> None:
    do(path, HARM[check])
    found = bad(examine(path, served=False))
    assert check in found
    assert found[check]
    before = path.read_bytes()
    assert path.read_bytes() == before
    done = repair(path, HEIR, nobody)
    assert done.kept == path.with_name("bot.db.before-repair-20270115-080000")
    left = bad(done.after)
    assert check in left if check in FOR_EVER else left == {}
    assert check in bad(examine(done.kept, served=False))
    if check == "the_schema_is_this_releases":
        assert left[check] == ("table mine is not ours",)


def test_what_is_mended_can_be_served_again(path: Path) -> None:
    do(path, "DELETE FROM routes; DELETE FROM meta; DELETE FROM ownership")
    assert bad(repair(path, HEIR, nobody).after) == {}
    house = House(path)
    house.write(inbound(9))
    house.close()
    assert bad(examine(path, served=False)) == {}


def test_files_that_others_can_read_and_a_journal_that_was_left_are_told(path: Path) -> None:
    path.chmod(0o644)
    db = apsw.Connection(str(path))
    db.execute("UPDATE runs SET attempt = 9")
    journal = Path(f"{path}-wal").read_bytes()
    db.close()
    Path(f"{path}-wal").write_bytes(journal)
    Path(f"{path}-wal").chmod(0o600)
    findings = {each.check: each for each in examine(path, served=False)}
    assert "bot.db has mode 644" in findings["the_files_are_private"].found
    assert findings["no_journal_is_left"].count == 1
    assert findings["no_journal_is_left"].good
    assert examine(path, served=True)[1].count == 0


def test_a_search_that_is_behind_or_damaged_is_told_and_is_no_problem(path: Path) -> None:
    index = Path(f"{path}.search")
    for content, says in ((None, "there is no index"), (b"nonsense" * 200, "the index is damaged")):
        index.unlink(missing_ok=True)
        if content is not None:
            index.write_bytes(content)
        findings = {each.check: each for each in examine(path, served=False)}
        assert findings["the_search_knows_all"].found[0].startswith(says)
        assert findings["the_search_knows_all"].good
        assert findings["the_search_knows_all"].do.count("--repair") == 1


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A database whose transcript fills many pages."""
    path = tmp_path / "bot.db"
    house = House(path)
    epoch = house.store.epoch
    house.write(inbound())
    house.write(opened(epoch), InboundTaken(S, InboxId(1), G, Seq(1)))
    facts: list[Fact] = [said(epoch, n, f"number {n} " + "words " * 40) for n in range(1, MESSAGES + 1)]
    house.write(*facts)
    owed = replace(DELIVERY, text="number 1 is owed", state=DeliveryState.PENDING)
    house.write(DeliveryOpened(epoch, G, owed), DeliveryMoved(replace(owed, state=DeliveryState.DEAD), 5.0, "gone"))
    house.write(RunClosed(S, G, Ending.ANSWERED, 6.0))
    house.close()
    return path


def pages_of(path: Path, name: str) -> list[int]:
    """The pages of a table or an index, its root first."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).get
    db.close()
    data = path.read_bytes()
    assert isinstance(root, int)
    page = data[(root - 1) * PAGE_BYTES : root * PAGE_BYTES]
    if page[0] not in {2, 5}:
        return [root]
    cells = int.from_bytes(page[3:5])
    starts = [int.from_bytes(page[12 + 2 * n : 14 + 2 * n]) for n in range(cells)]
    return [root, *(int.from_bytes(page[at : at + 4]) for at in starts)]


def overwrite(path: Path, page: int, fill: Callable[[int], bytes] = lambda size: b"\xa5" * size) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(fill(PAGE_BYTES))


def saved(done: Repaired) -> dict[str, tuple[int, int]]:
    assert done.salvaged is not None
    return {each.table: (each.rows, each.lost) for each in done.salvaged.tables}


def test_of_a_damaged_file_all_is_saved_but_what_lay_on_the_damaged_pages(large: Path) -> None:
    leaves = pages_of(large, "messages")[1:]
    assert len(leaves) > 20
    for page in (leaves[3], leaves[4], leaves[-2]):
        overwrite(large, page)
    assert list(bad(examine(large, served=False))) == ["the_file_is_whole"]
    done = repair(large, HEIR, nobody)
    rows, lost = saved(done)["messages"]
    assert rows + lost == MESSAGES
    assert 3 * 10 < lost < 3 * 40
    assert {table: count for table, count in saved(done).items() if table not in {"messages", "boots"}} == {
        table: (rows, 0) for table, (rows, _) in saved(done).items() if table not in {"messages", "boots"}
    }
    assert saved(done)["deliveries"] == saved(done)["dead_letters"] == (1, 0)
    assert list(bad(done.after)) == ["transcripts_have_no_gap"]
    assert done.kept is not None
    assert list(bad(examine(done.kept, served=False))) == ["the_file_is_whole"]
    assert sorted(each.name for each in large.parent.iterdir() if "salvaged" in each.name) == []
    house = House(large)
    house.write(inbound(2))
    house.close()


def test_a_damaged_index_costs_no_row(large: Path) -> None:
    overwrite(large, pages_of(large, "sqlite_autoindex_messages_1")[-1])
    assert "the_file_is_whole" in bad(examine(large, served=False))
    done = repair(large, HEIR, nobody)
    assert saved(done)["messages"] == (MESSAGES, 0)
    assert bad(done.after) == {}


def test_lost_sessions_are_made_again_from_the_routes_to_them(large: Path) -> None:
    overwrite(large, pages_of(large, "sessions")[0], lambda size: b"\x0d" + bytes(size - 1))
    overwrite(large, pages_of(large, "ownership")[0])
    done = repair(large, HEIR, nobody)
    assert "1 sessions made again from their chats' routes" in done.done
    assert saved(done)["messages"] == (MESSAGES, 0)
    assert bad(done.after) == {}


def test_a_file_whose_end_is_cut_off_is_saved_as_far_as_it_goes(large: Path) -> None:
    os.truncate(large, large.stat().st_size * 3 // 4)
    done = repair(large, HEIR, nobody)
    rows, lost = saved(done)["messages"]
    assert 0 < rows < MESSAGES
    assert rows + lost >= MESSAGES - 1
    assert "the_file_is_whole" not in bad(done.after)


def test_where_nothing_can_be_read_nothing_is_changed(large: Path) -> None:
    overwrite(large, 1)
    before = large.read_bytes()
    with pytest.raises(CannotOpen):
        repair(large, HEIR, nobody)
    assert large.read_bytes() == before
    assert sorted(each.name for each in large.parent.iterdir() if "salvaged" in each.name) == []


def test_what_is_served_is_not_repaired(path: Path) -> None:
    house = House(path)
    with pytest.raises(Held):
        repair(path, HEIR, nobody)
    assert bad(examine(path, served=True)) == {}
    house.close()


def test_many_findings_are_counted_and_a_few_are_told(large: Path) -> None:
    do(large, "UPDATE messages SET attachments = 'none'")
    (finding,) = [each for each in examine(large, served=False) if not each.good]
    assert (finding.check, finding.count, len(finding.found)) == ("lists_can_be_read", MESSAGES, FINDINGS_MAX)
