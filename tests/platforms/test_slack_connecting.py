"""Slack's socket mode: connections that are lost, replaced, refused or shared."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.platforms.slack_stage import ACK_S, ANN, DM, chat_on, connected, until, workspace
from tests.platforms.stage import WAIT_S, Stage

from greenroom.actors.ports import BusyError, MisconfiguredError, NotSentError
from greenroom.platforms.fakes.slack import FakeSlack
from greenroom.platforms.fakes.slack_wire import FakeSlackServer


@pytest.fixture
def slack() -> FakeSlack:
    return workspace()


@pytest.fixture
async def server(slack: FakeSlack) -> AsyncIterator[FakeSlackServer]:
    async with FakeSlackServer(slack, ack_s=ACK_S) as server:
        yield server


async def test_a_connection_that_is_cut_is_made_again(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        await server.cut()
        assert await asyncio.wait_for(stage.connections.get(), WAIT_S) == "the socket was lost"
        assert await asyncio.wait_for(stage.connections.get(), WAIT_S) == "connected"
        slack.say(DM, "still there?", user=ANN)
        await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["still there?"]


async def test_a_connection_that_slack_wants_replaced_is_closed_when_all_it_brought_is_acknowledged(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        stage.open_for_business = BusyError("not yet")
        server.envelopes.ack_s = 600.0
        slack.say(DM, "one", user=ANN)
        await until(
            lambda: server.envelopes.pending != {} and all(e.attempts for e in server.envelopes.pending.values())
        )
        await server.refresh()
        await until(lambda: server.connections == 1)
        stage.open_for_business = None
        await until(lambda: not server.envelopes.pending)
        slack.say(DM, "two", user=ANN)
        await until(lambda: not server.envelopes.pending)
        assert stage.connections.empty(), "nobody was disconnected"
    assert [each.text for each in stage.accepted] == ["one", "two"]


@pytest.mark.parametrize(
    "method, code, words",
    [
        ("auth.test", "invalid_auth", "Slack does not know this token"),
        ("auth.test", "account_inactive", "install the app again"),
        ("apps.connections.open", "not_allowed_token_type", "app_token with xapp-"),
    ],
)
async def test_a_token_that_slack_refuses_is_told_in_words(
    server: FakeSlackServer, stage: Stage, tmp_path: Path, method: str, code: str, words: str
) -> None:
    server.fail(method, code)
    with pytest.raises(MisconfiguredError, match=words) as refused:
        await chat_on(server, tmp_path).run(stage)
    assert "xoxb-fake" not in str(refused.getrepr())
    assert "xapp-fake" not in str(refused.getrepr())


async def test_an_app_that_is_shut_out_says_so(server: FakeSlackServer, stage: Stage, tmp_path: Path) -> None:
    chat = chat_on(server, tmp_path)
    running = asyncio.create_task(chat.run(stage))
    assert await asyncio.wait_for(stage.connections.get(), WAIT_S) == "connected"
    await server.refresh("link_disabled")
    with pytest.raises(MisconfiguredError, match="socket mode was switched off"):
        await asyncio.wait_for(running, WAIT_S)


async def test_a_slack_that_cannot_be_reached_is_told_without_a_secret(stage: Stage, tmp_path: Path) -> None:
    server = FakeSlackServer(FakeSlack())
    chat = chat_on(server, tmp_path, api_url="http://127.0.0.1:9/api/")
    with pytest.raises(NotSentError, match="cannot be reached") as refused:
        await chat.run(stage)
    assert "xoxb-fake" not in str(refused.getrepr())


async def test_who_shares_the_app_token_is_warned(
    server: FakeSlackServer, stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(server, stage, tmp_path):
        assert "Slack tells each message to only one" not in caplog.text
        async with connected(server, Stage(), tmp_path):
            assert "1 more connections are open with this app token" in caplog.text
