"""What tests of platforms share: a home server for all tests of a process."""

import pytest
from tests.platforms.synapse import Synapse, shared_server


@pytest.fixture(scope="session")
def homeserver() -> Synapse:
    return shared_server()
