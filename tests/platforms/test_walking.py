"""Every route of the chats that listen, as their applications have them, asked in ways that nobody thought of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from time import time
from typing import Any

import httpx
import pytest
from tests.fuzz.asking import Answered, Asked, Asker, Known, ask, plain_asks, routes_of
from tests.fuzz.chats import CHATS
from tests.fuzz.garbling import garble
from tests.platforms.slack_stage import chat_on, workspace
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.platforms.chats.web import WebChat
from greenroom.platforms.chats.web.guard import SAFE_HEADERS
from greenroom.platforms.chats.webhook import Webhook
from greenroom.platforms.chats.webhook.settings import WebhookSettings
from greenroom.platforms.chats.webhook.signing import sign
from greenroom.platforms.fakes.slack_poster import sign as sign_as_slack
from greenroom.platforms.fakes.slack_wire import FakeSlackServer

SECRET = "a secret that stands in no answer"
PARTS: Mapping[str, Mapping[str, str]] = {"": {"chat": "kitchen", "name": "chat.css"}}
HEADERS = {
    "host": ["localhost", "127.0.0.1:1", "evil.example", "[::1", "["],
    "origin": ["http://localhost", "null", "http://[", "http://evil.example"],
    "sec-fetch-site": ["same-origin", "none", "cross-site"],
    "content-type": ["text/plain", "application/json; charset=x", ";"],
    "last-event-id": ["1"],
}
KNOWN = Known(
    ["kitchen", "chat.css", "index.html"],
    {"x": ["1"]},
    HEADERS,
    {"host": "localhost", "content-type": "application/json"},
)
TIMES = [300, pytest.param(50_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]


def made_up(app: Any, seed: int, samples: tuple[bytes, ...]) -> Asked:
    dice = Random(seed)
    asked = Asker(dice, list(routes_of(app)), KNOWN).ask()
    body = dice.choice(samples)
    return replace(asked, body=garble(body, dice) if dice.random() < 0.7 else body)


def judge(answered: Answered) -> None:
    assert answered.status < 500
    assert not answered.says("Traceback")
    assert not answered.says(SECRET)


@pytest.mark.parametrize("times", TIMES)
async def test_the_web_chat_answers_whatever_it_is_asked(stage: Stage, times: int) -> None:
    chat, seen = WebChat(stage, port=0), Counter[int]()
    async with running(chat, stage):
        for plain in plain_asks(list(routes_of(chat._app)), PARTS):
            body = CHATS["web"].samples[0]
            answered = await ask(
                chat._app, replace(plain, body=body).having(host="localhost", content_type="application/json")
            )
            assert answered.status < 400, (plain, answered)
        for seed in range(times):
            asked = made_up(chat._app, seed, CHATS["web"].samples)
            answered = await ask(chat._app, asked)
            judge(answered)
            assert SAFE_HEADERS.items() <= dict(answered.headers).items(), (seed, asked)
            seen[answered.status] += 1
    assert {200, 202, 400, 404, 405, 415, 421, 403} <= seen.keys(), seen


@pytest.mark.parametrize("times", TIMES)
async def test_the_webhook_takes_nothing_that_is_not_signed_and_answers_whatever_is(stage: Stage, times: int) -> None:
    hook, seen = Webhook(WebhookSettings.model_validate({"secret": SECRET, "port": 0}), stage), Counter[int]()
    samples = (*CHATS["webhook"].samples, b'{"chat": "c"}')
    async with running(hook, stage):
        for seed in range(times):
            asked = made_up(hook._app, seed, samples)
            unsigned = await ask(hook._app, asked)
            judge(unsigned)
            assert asked.method != "POST" or unsigned.status not in {200, 202}
            signed = {
                name.replace("-", "_"): value for name, value in sign(SECRET, f"r{seed}", time(), asked.body).items()
            }
            answered = await ask(hook._app, asked.having(**signed))
            judge(answered)
            seen[answered.status] += 1
    assert {200, 202, 400, 404, 405, 415} <= seen.keys(), seen
    assert stage.accepted


ODD = (b'{"type": "url_verification", "challenge": NaN}', b'{"type": "url_verification", "challenge": "\\ud800"}')


async def test_what_slack_signed_is_taken_or_refused_and_breaks_nothing(stage: Stage, tmp_path: Path) -> None:
    kinds = {"application/json": "slack", "application/x-www-form-urlencoded": "slack forms"}
    seen = Counter[int]()
    async with FakeSlackServer(workspace()) as server:
        chat = chat_on(server, tmp_path, app_token=None, signing_secret=SECRET, port=0)
        async with running(chat, stage), httpx.AsyncClient(timeout=WAIT_S) as client:

            async def post(body: bytes, kind: str = "application/json") -> int:
                at = str(int(time()))
                signature = sign_as_slack(SECRET, body, at)
                headers = {"content-type": kind, "x-slack-request-timestamp": at, "x-slack-signature": signature}
                return (await client.post(chat.address, content=body, headers=headers)).status_code

            for seed in range(40):
                dice = Random(seed)
                kind = dice.choice(list(kinds))
                body = garble(dice.choice(CHATS[kinds[kind]].samples), dice)
                status = await post(body, kind)
                assert status in {200, 400, 401}, (seed, body)
                seen[status] += 1
            assert [await post(odd) for odd in ODD] == [200, 200]
    assert {200, 400} <= seen.keys()
