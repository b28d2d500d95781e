"""A stage for Slack: the fake workspace with Ann and Bob in it, and the platform before a door."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.platforms.chats.slack import SlackChat, SlackSettings
from greenroom.platforms.fakes.slack import FakeSlack
from greenroom.platforms.fakes.slack_wire import FakeSlackServer

DM, GROUP = "DANN", "CGROUP"
ANN, BOB = "UANN", "UBOB"
PING_S = 0.1
ACK_S = 0.2


def workspace() -> FakeSlack:
    slack = FakeSlack()
    slack.open_channel(DM, "im")
    slack.open_channel(GROUP)
    slack.invite(ANN, "Ann")
    slack.invite(BOB, "Bob")
    return slack


def chat_on(server: FakeSlackServer, folder: Path, **settings: Any) -> SlackChat:
    told = {"bot_token": server.bot_token, "app_token": server.app_token, "api_url": server.api_url}
    return SlackChat(SlackSettings(**{**told, **settings}), folder, ping_s=PING_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - the wire rings no bell
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def connected(server: FakeSlackServer, stage: Stage, folder: Path, **settings: Any) -> AsyncIterator[SlackChat]:
    """Run the platform while the block runs, from when it is connected."""
    chat = chat_on(server, folder, **settings)
    async with running(chat, stage):
        yield chat
