from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.supervisor.view.view_stage import Stage, Visitor, at_the_door, viewing


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with at_the_door(tmp_path / "room.db") as before:
        yield before


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with viewing(tmp_path) as staged:
        yield staged
