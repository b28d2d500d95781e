"""What tests of platforms share: a home server for all tests of a process, a stage, and the web chat on it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.platforms.stage import WAIT_S, Stage, running
from tests.platforms.synapse import Synapse, shared_server

from greenroom.platforms.chats.web import WebChat


@pytest.fixture(scope="session")
def homeserver() -> Synapse:
    return shared_server()


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def chat(stage: Stage) -> AsyncIterator[WebChat]:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        yield chat


@pytest.fixture
async def client(chat: WebChat) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=chat.address, timeout=WAIT_S) as client:
        yield client
