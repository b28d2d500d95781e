"""What tests of platforms share: a home server for all tests of a process, a stage, the web chat on it, and a Slack."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.platforms.slack_stage import ACK_S, workspace
from tests.platforms.stage import WAIT_S, Stage, running
from tests.platforms.synapse import Synapse, shared_server

from greenroom.platforms.chats.web import WebChat
from greenroom.platforms.fakes.slack import FakeSlack
from greenroom.platforms.fakes.slack_wire import FakeSlackServer


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


@pytest.fixture
def slack() -> FakeSlack:
    return workspace()


@pytest.fixture
async def server(slack: FakeSlack) -> AsyncIterator[FakeSlackServer]:
    async with FakeSlackServer(slack, ack_s=ACK_S, slow_s=0.0) as server:
        yield server
