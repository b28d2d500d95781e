"""Of strangers nothing is kept, on every platform whose persons send files."""

import asyncio
from pathlib import Path

import pytest
from tests.platforms.conformance.counterpart import Ability, Attached
from tests.platforms.conformance.registry import ENTRIES, Entry
from tests.platforms.conformance.stand import standing

from greenroom import Policy

HAVING = {name: entry for name, entry in ENTRIES.items() if entry.has(Ability.ATTACHMENTS)}


@pytest.mark.parametrize("entry", HAVING.values(), ids=HAVING)
async def test_nothing_is_fetched_for_a_stranger(entry: Entry, tmp_path: Path) -> None:
    note, folder = tmp_path / "note.txt", tmp_path / "counterpart"
    note.write_text("buy milk", encoding="utf-8")
    folder.mkdir()
    async with entry.opens(folder) as person, standing(person, tmp_path, policy=Policy(allow=())) as stand:
        saying = asyncio.create_task(person.says("1", "my note", attached=Attached(note)))
        await stand.until_turned_away(1)
        saying.cancel()  # Whoever is refused may try for ever.
        await asyncio.gather(saying, return_exceptions=True)
    kept = [path for path in tmp_path.rglob("attachments/*") if path.is_file()]  # noqa: ASYNC240 - a small folder
    assert kept == []
