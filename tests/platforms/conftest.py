"""What tests of platforms share: a home server for the whole session of a worker."""

from collections.abc import Iterator

import pytest
from tests.platforms.synapse import Synapse, serving


@pytest.fixture(scope="session")
def homeserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """One for each worker: it starts in three seconds, and takes 120 MB."""
    with serving(tmp_path_factory.mktemp("synapse")) as server:
        yield server
