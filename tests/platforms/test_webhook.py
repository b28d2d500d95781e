"""The webhook by HTTP: who may ask, what is asked for, and what a document in OpenAPI promises of both."""

from __future__ import annotations

import asyncio
import doctest
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from requests.auth import AuthBase
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom import Supervisor, Turn
from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import BusyError, MisconfiguredError, NotSentError, Outgoing, RefusedError, Shown
from greenroom.platforms.chats.webhook import Webhook, codec, receiver, signing
from greenroom.platforms.chats.webhook.openapi import describe
from greenroom.platforms.chats.webhook.settings import WebhookSettings
from greenroom.platforms.chats.webhook.signing import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE_S,
    BadSignatureError,
    sign,
    verify,
)

SECRET = "open sesame"


def webhook(stage: Stage, **rest: Any) -> Webhook:
    given = {"secret": SECRET, "port": 0, **rest}
    return Webhook(WebhookSettings.model_validate(given), stage)


class Client:
    """A program that knows the secret."""

    def __init__(self, wire: httpx.AsyncClient) -> None:
        self.wire = wire

    async def post(self, what: str, told: object, request_id: str = "r1", **changed: str) -> httpx.Response:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        headers = {"content-type": "application/json", **sign(SECRET, request_id, time(), body)}
        return await self.wire.post(f"/v1/{what}", content=body, headers=headers | changed)


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    platform = webhook(stage)
    async with running(platform, stage), httpx.AsyncClient(base_url=platform.address, timeout=WAIT_S) as wire:
        yield Client(wire)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(signing).failed == doctest.testmod(codec).failed == 0


async def test_what_is_said_is_taken_once_under_its_id(stage: Stage, client: Client) -> None:
    told = {"chat": "c1", "thread": "t", "text": "hello\r\n\x1b", "author": "Ann"}
    first, again = [await client.post("messages", told, "u1") for _ in range(2)]
    assert (first.status_code, first.json()) == (202, {"id": "u1", "repeated": False})
    assert (again.status_code, again.json()) == (200, {"id": "u1", "repeated": True})
    (inbound,) = stage.accepted
    assert (inbound.key, inbound.update_id) == (SessionKey("webhook", "me", "c1", "t"), "c1/t/u1")
    assert (inbound.text, inbound.author, inbound.reply_to) == ("hello\n", "Ann", "u1")


async def test_two_chats_may_use_the_same_id(stage: Stage, client: Client) -> None:
    for chat in ("c1", "c2"):
        assert (await client.post("messages", {"chat": chat, "text": "hi"}, "u1")).status_code == 202
    assert len(stage.accepted) == 2


WRONG: dict[str, tuple[object, dict[str, str], int, str]] = {
    "no signature": ({"chat": "c"}, {SIGNATURE: ""}, 401, SIGNATURE),
    "another signature": ({"chat": "c"}, {SIGNATURE: "v1,c2VzYW1l"}, 401, SIGNATURE),
    "an unknown version": ({"chat": "c"}, {SIGNATURE: "v9,c2VzYW1l"}, 401, SIGNATURE),
    "another id": ({"chat": "c"}, {ID: "r2"}, 401, SIGNATURE),
    "no id that is one": ({"chat": "c"}, {ID: "a b"}, 401, ID),
    "no time": ({"chat": "c"}, {TIMESTAMP: "soon"}, 401, TIMESTAMP),
    "an absurd time": ({"chat": "c"}, {TIMESTAMP: "9" * 400}, 401, TIMESTAMP),
    "no JSON": (b"{", {}, 400, "not JSON"),
    "not UTF-8": (b'{"chat": "\xff"}', {}, 400, "JSON in UTF-8"),
    "another type": ({"chat": 3}, {}, 400, "Expected `str`"),
    "an unknown key": ({"chat": "c", "txt": "x"}, {}, 400, "txt"),
    "no chat": ({"text": "x"}, {}, 400, "chat"),
    "a chat with a slash": ({"chat": "a/b"}, {}, 400, "chat"),
    "a file of this machine": ({"chat": "c", "attachments": [{"url": "/etc/passwd"}]}, {}, 400, "url"),
    "a change of nothing": ({"chat": "c", "change": {"kind": "edit"}}, {}, 400, "of"),
    "no JSON by its type": ({"chat": "c"}, {"content-type": "text/plain"}, 415, "application/json"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_not_right_is_refused_with_the_reason(stage: Stage, client: Client, what: str) -> None:
    told, changed, status, word = WRONG[what]
    answer = await client.post("messages", told, "r1", **changed)
    assert (answer.status_code, word in answer.json()["error"]) == (status, True), answer.text
    assert SECRET not in answer.text
    assert not stage.accepted


@pytest.mark.parametrize("off_s, status", [(-TOLERANCE_S - 60, 401), (TOLERANCE_S + 60, 401), (-60, 202), (60, 202)])
async def test_a_signature_is_good_for_minutes(client: Client, off_s: int, status: int) -> None:
    body = b'{"chat": "c", "text": "x"}'
    answer = await client.post("messages", body, "r1", **sign(SECRET, "r1", time() + off_s, body))
    assert answer.status_code == status


def test_a_secret_without_a_key_is_none() -> None:
    with pytest.raises(ValidationError, match="behind whsec_ stands no key"):
        WebhookSettings.model_validate({"secret": "whsec_"})
    body = b"{}"
    with pytest.raises(BadSignatureError, match="holds no key"):  # As of a file that was emptied later.
        verify("whsec_", sign("whsec_", "r1", time(), body), body, time())


def test_a_secret_that_is_no_base64_is_taken_as_it_is() -> None:
    body = b"{}"
    for secret in ("whsec_\N{SNOWMAN}", "whsec_a"):
        assert verify(secret, sign(secret, "r1", time(), body), body, time()) == "r1"


async def test_one_good_signature_among_several_is_enough(client: Client) -> None:
    body = b'{"chat": "c", "text": "x"}'
    good = sign(SECRET, "r1", time(), body)
    old = sign("the secret of last year", "r1", time(), body)[SIGNATURE]
    both = good | {SIGNATURE: f"{old} {good[SIGNATURE]}"}
    assert (await client.post("messages", body, "r1", **both)).is_success


async def test_what_the_door_says_is_passed_on(stage: Stage, client: Client) -> None:
    for error, status in ((BusyError("the disk is full"), 503), (RefusedError("not allowed"), 403)):
        stage.open_for_business = error
        answer = await client.post("messages", {"chat": "c", "text": "x"})
        assert (answer.status_code, answer.json()["error"]) == (status, str(error))
        assert ("retry-after" in answer.headers) is (status == 503)


class ReadStage(Stage):
    """It can be waited for that somebody reads what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.read = asyncio.Event()

    async def shown(self, session: SessionKey, last: int) -> Sequence[Shown]:
        self.read.set()
        return await super().shown(session, last)


async def test_who_asks_is_told_what_is_new_or_waits_for_it() -> None:
    stage = ReadStage()
    platform, key = webhook(stage), SessionKey("webhook", "me", "c1")
    async with running(platform, stage), httpx.AsyncClient(base_url=platform.address, timeout=WAIT_S) as wire:
        client = Client(wire)
        stage.stored(key, "d1", "one")
        asked = {"chat": "c1"}
        assert [each["id"] for each in (await client.post("answers", asked)).json()["answers"]] == ["d1"]
        assert (await client.post("answers", asked | {"after": "d1"})).json() == {"answers": []}
        stage.read.clear()
        waiting = asyncio.create_task(client.post("answers", asked | {"after": "d1", "wait_s": WAIT_S}))
        await asyncio.wait_for(stage.read.wait(), WAIT_S)
        await platform.send(Outgoing(key, "d2", "two"))
        (answer,) = (await waiting).json()["answers"]
        assert (answer["id"], answer["text"]) == ("d2", "two")
        stage.stored(key, "d2", "two")
        both = (await client.post("answers", asked | {"after": "lost"})).json()["answers"]
        assert [each["id"] for each in both] == ["d1", "d2"]
        assert not platform._waiting
        stage.unreadable = RuntimeError("the store is closed")
        assert (await client.post("answers", asked)).status_code == 503


async def test_who_watches_is_told_as_it_comes(stage: Stage) -> None:
    platform, key = webhook(stage), SessionKey("webhook", "me", "c1")
    async with running(platform, stage), httpx.AsyncClient(base_url=platform.address, timeout=WAIT_S) as wire:
        stage.stored(key, "d1", "one")
        body = b'{"chat": "c1"}'
        headers = {"content-type": "application/json", **sign(SECRET, "r1", time(), body)}
        async with wire.stream("POST", "/v1/events", content=body, headers=headers) as stream:
            lines = stream.aiter_lines()
            assert [await anext(lines), await anext(lines)] == ["id: d1", "event: message"]
            await platform.send(Outgoing(key, "d2", "two"))
            rest = [await anext(lines) for _ in range(6)]
            assert rest[2] == "id: d2"
            assert json.loads(rest[4].removeprefix("data: "))["text"] == "two"


async def test_a_taken_port_is_for_a_person_to_cure(stage: Stage) -> None:
    first = webhook(stage)
    port = int(first.bind().rpartition(":")[2])
    async with running(first, stage):
        with pytest.raises(MisconfiguredError, match="another program uses port"):
            await webhook(stage, port=port).run(stage)


async def test_what_cannot_be_posted_was_certainly_not_sent(stage: Stage) -> None:
    message = Outgoing(SessionKey("webhook", "me", "c1"), "d1", "one")
    platform = webhook(stage, callback="http://127.0.0.1:9/hook?token=sesame-in-the-address")
    with pytest.raises(NotSentError):
        await platform.send(message)
    async with running(platform, stage):
        with pytest.raises(NotSentError) as caught:
            await platform.send(message)
        assert "sesame" not in repr(caught.getrepr(style="native"))


@pytest.mark.parametrize("chunk", [b"x" * 65_536, b""], ids=["endless", "silent"])
async def test_a_reply_that_never_ends_counts_by_its_status(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, chunk: bytes
) -> None:
    monkeypatch.setattr(receiver, "REST_S", WAIT_S if chunk else 0.01)
    hung_up = asyncio.Event()

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with suppress(ConnectionError):
            while chunk:
                writer.write(chunk)
                await writer.drain()
            while await reader.read(65_536):
                pass  # The post itself, then the end.
        writer.close()
        hung_up.set()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    async with server:
        platform = webhook(stage, callback=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        async with running(platform, stage):
            assert await platform.send(Outgoing(SessionKey("webhook", "me", "c1"), "d1", "one")) == "d1"
            await asyncio.wait_for(hung_up.wait(), WAIT_S)


def test_its_class_is_what_the_receiver_is_said_to_know(stage: Stage) -> None:
    url = "https://example.org/hook"
    assert webhook(stage).traits.delivery is DeliveryClass.NATIVE_KEY
    assert webhook(stage, callback=url).traits.delivery is DeliveryClass.NONE
    assert webhook(stage, callback=url, callback_knows_ids=True).traits.delivery is DeliveryClass.NATIVE_KEY
    with pytest.raises(ValidationError, match="says something of a callback"):
        webhook(stage, callback_knows_ids=True)


class Signed(AuthBase):
    """Sign whatever a tool makes up."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        body = r.body.encode() if isinstance(r.body, str) else r.body or b""
        assert isinstance(body, bytes)
        r.headers.update(sign(SECRET, "r1", time(), body))
        return r


@contextmanager
def served(folder: Path) -> Iterator[str]:
    async def agent(turn: Turn) -> str:
        return turn.text

    with Supervisor(folder / "bot.db", agent=agent) as room:
        platform = Webhook(WebhookSettings.model_validate({"secret": SECRET, "port": 0}), room.history)
        address = platform.bind()
        room.attach(platform)
        yield address


def test_it_does_what_its_document_says_whatever_it_is_sent(tmp_path: Path) -> None:
    document = describe()
    del document["paths"]["/v1/events"]  # A stream has no end that a tool could wait for.
    for operation in document["paths"].values():
        del operation["post"]["parameters"]  # They are made of the body.
    document["components"]["schemas"]["Asked"]["properties"]["wait_s"]["maximum"] = 0
    operations: list[Any] = [made.ok() for made in schemathesis.openapi.from_dict(document).get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) == 2
    with served(tmp_path) as address, requests.Session() as session:

        @settings(max_examples=40, deadline=None, derandomize=True, database=None)
        @given(case=st.one_of([each.as_strategy() for each in operations]))
        def check(case: Any) -> None:
            case.call_and_validate(base_url=address, session=session, auth=Signed())

        check()


async def test_its_document_can_be_read_by_anyone(client: Client) -> None:
    answer = await client.wire.get("/openapi.json")
    assert answer.json() == describe()
    assert (await client.wire.get("/livez")).text == "alive\n"
