"""Fixtures of the storage tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.storage.store_house import House


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "room" / "bot.db"


@pytest.fixture
def house(path: Path) -> Iterator[House]:
    lived = House(path)
    yield lived
    lived.close()
