"""Slack by the Events API: signed posts to an address of ours."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.platforms.slack_stage import ACK_S, ANN, DM, GROUP, chat_on, until, workspace
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import BusyError, Choices, Outgoing
from greenroom.platforms.chats.slack import SlackChat
from greenroom.platforms.chats.slack.hook import BODY_MAX_BYTES
from greenroom.platforms.fakes.slack import BOT_USER, FakeSlack
from greenroom.platforms.fakes.slack_poster import SlackPoster, sign
from greenroom.platforms.fakes.slack_wire import FakeSlackServer

SECRET = "signed by slack"
HOME = SessionKey("slack", "me", DM)
HELLO = b'{"type": "url_verification", "challenge": "c"}'


@pytest.fixture
def slack() -> FakeSlack:
    return workspace()


@pytest.fixture
async def chat(slack: FakeSlack, stage: Stage, tmp_path: Path) -> AsyncIterator[SlackChat]:
    async with FakeSlackServer(slack) as server:
        chat = chat_on(server, tmp_path, app_token=None, signing_secret=SECRET, port=0)
        async with running(chat, stage):
            yield chat


async def post(
    chat: SlackChat, body: bytes, *, at: float | None = None, secret: str = SECRET, signature: bytes | None = None
) -> httpx.Response:
    timestamp = str(int(time.time() if at is None else at))
    headers = {
        b"content-type": b"application/json",
        b"x-slack-request-timestamp": timestamp.encode(),
        b"x-slack-signature": sign(secret, body, timestamp).encode() if signature is None else signature,
    }
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        return await client.post(chat.address, content=body, headers=headers)


async def test_events_presses_and_slash_commands_are_taken_and_then_answered(
    chat: SlackChat, slack: FakeSlack, stage: Stage
) -> None:
    async with SlackPoster(slack, chat.address, SECRET, ack_s=WAIT_S) as poster:
        slack.say(DM, "hello", user=ANN)
        await until(lambda: not poster.envelopes.pending)
        ts = await chat.send(Outgoing(HOME, "k", "Deploy?", choices=Choices("1.1.answer", ("yes", "no"))))
        slack.press(DM, ts, "yes", user=ANN)
        await until(lambda: not poster.envelopes.pending)
        slack.order(DM, "/bot", "status", user=ANN)
        await until(lambda: not poster.envelopes.pending)
        assert set(poster.answers) == {200}
    assert [(each.text, each.answers) for each in stage.accepted] == [
        ("hello", None),
        ("yes", "1.1.answer"),
        ("/status", None),
    ]


async def test_what_cannot_be_stored_is_answered_503_and_comes_again(
    chat: SlackChat, slack: FakeSlack, stage: Stage
) -> None:
    stage.open_for_business = BusyError("the disk is full")
    async with SlackPoster(slack, chat.address, SECRET, ack_s=ACK_S) as poster:
        slack.say(GROUP, f"<@{BOT_USER}> hello", user=ANN)
        await until(lambda: 503 in poster.answers)
        assert stage.accepted == []
        stage.open_for_business = None
        await until(lambda: not poster.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["hello"]


async def test_slack_proves_the_address_with_a_challenge(chat: SlackChat) -> None:
    answer = await post(chat, HELLO)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "c"})


@pytest.mark.parametrize("signature", [b"", b"v0=00", b"v0=\xfc"])
async def test_what_slack_did_not_sign_is_refused(chat: SlackChat, signature: bytes) -> None:
    assert (await post(chat, HELLO, signature=signature)).status_code == 401
    assert (await post(chat, HELLO, secret="another secret")).status_code == 401


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_what_was_signed_long_ago_or_in_the_future_is_refused(chat: SlackChat, minutes: float) -> None:
    assert (await post(chat, HELLO, at=time.time() + 60 * minutes)).status_code == 401


async def test_a_timestamp_that_is_no_number_is_refused(chat: SlackChat) -> None:
    headers = {"x-slack-request-timestamp": "soon", "x-slack-signature": sign(SECRET, HELLO, "soon")}
    async with httpx.AsyncClient() as client:
        assert (await client.post(chat.address, content=HELLO, headers=headers)).status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b'"text"'])
async def test_what_is_signed_and_makes_no_sense_is_answered_400(chat: SlackChat, body: bytes) -> None:
    assert (await post(chat, body)).status_code == 400


async def test_an_endless_body_is_refused(chat: SlackChat) -> None:
    assert (await post(chat, b" " * (BODY_MAX_BYTES + 1))).status_code == 413


async def test_an_event_that_cannot_be_read_is_acknowledged_and_said(
    chat: SlackChat, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"type": "event_callback", "event": {"type": "message", "channel": 7}}).encode()
    assert (await post(chat, body)).status_code == 200
    assert "it cannot be read" in caplog.text
    assert stage.accepted == []
