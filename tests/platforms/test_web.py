import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import BusyError, Outgoing, Platform, RefusedError
from greenroom.platforms.chats.web import WebChat
from greenroom.platforms.chats.web.codec import BODY_MAX_BYTES

KITCHEN = SessionKey("web", "local", "kitchen")


class Events:
    """A browser's event stream, read line by line."""

    def __init__(self, response: httpx.Response) -> None:
        self.lines = response.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        """Read the next event, or ("end", None)."""
        kind = ""
        async with asyncio.timeout(WAIT_S):
            async for line in self.lines:
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    return kind, json.loads(line.removeprefix("data: "))
        return "end", None

    async def until(self, **wanted: object) -> Any:
        while True:
            kind, row = await self.next()
            assert kind == "upsert"
            if all(row[name] == value for name, value in wanted.items()):
                return row


@contextlib.asynccontextmanager
async def looking(client: httpx.AsyncClient, chat: str = "kitchen") -> AsyncIterator[Events]:
    async with client.stream("GET", f"/chats/{chat}/events") as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)


async def say(client: httpx.AsyncClient, text: str, id: str = "m1", chat: str = "kitchen") -> httpx.Response:
    return await client.post(f"/chats/{chat}/messages", json={"id": id, "text": text})


def test_it_is_a_platform_whose_answers_are_edited_in_place(stage: Stage) -> None:
    chat = WebChat(stage, account="me")
    assert isinstance(chat, Platform)
    assert (chat.name, chat.account, chat.traits.delivery) == ("web", "me", DeliveryClass.EDIT_ANCHOR)


async def test_a_message_is_acknowledged_with_its_receipt(client: httpx.AsyncClient, stage: Stage) -> None:
    answer = await say(client, "hello")
    assert (answer.status_code, answer.json()) == (202, {"id": "m1", "inbox_id": 1, "repeated": False})
    assert [(inbound.key, inbound.text) for inbound in stage.accepted] == [(KITCHEN, "hello")]


async def test_nothing_is_acknowledged_while_nothing_is_on_disk(client: httpx.AsyncClient, stage: Stage) -> None:
    stage.open_for_business = BusyError("the disk is full")
    answer = await say(client, "hello")
    assert (answer.status_code, answer.json()) == (503, {"error": "the disk is full"})
    assert answer.headers["retry-after"] == "1"
    stage.open_for_business = None
    assert (await say(client, "hello")).status_code == 202


async def test_a_message_that_comes_again_is_known(client: httpx.AsyncClient, stage: Stage) -> None:
    await say(client, "hello")
    again = await say(client, "hello")
    assert (again.status_code, again.json()) == (200, {"id": "m1", "inbox_id": 1, "repeated": True})
    assert len(stage.accepted) == 1


async def test_two_chats_may_use_the_same_id(client: httpx.AsyncClient, stage: Stage) -> None:
    for chat in ("kitchen", "garden"):
        assert (await say(client, f"to the {chat}", chat=chat)).status_code == 202
    assert [inbound.key.chat for inbound in stage.accepted] == ["kitchen", "garden"]


async def test_an_id_that_says_something_else_is_refused_and_the_first_text_stands(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    async with looking(client) as events:
        await events.next()
        await say(client, "first")
        other = await say(client, "second")
        assert (other.status_code, "another text" in other.text) == (403, True)
        assert (await events.next())[1]["text"] == "first"
    assert [inbound.text for inbound in stage.accepted] == ["first"]


async def test_what_is_not_allowed_is_refused_in_words(client: httpx.AsyncClient, stage: Stage) -> None:
    stage.open_for_business = RefusedError("ask the owner to pair this chat")
    answer = await say(client, "hello")
    assert (answer.status_code, answer.json()) == (403, {"error": "ask the owner to pair this chat"})


@pytest.mark.parametrize("text", ["", "   ", "\x00\x01"])
async def test_a_message_that_says_nothing_is_refused(client: httpx.AsyncClient, stage: Stage, text: str) -> None:
    answer = await say(client, text)
    assert answer.status_code == 400
    assert "nothing to read" in answer.json()["error"]
    assert stage.accepted == []


async def test_invalid_utf8_is_refused_in_words(client: httpx.AsyncClient, stage: Stage) -> None:
    body = b'{"id": "a", "text": "\xc3\x28"}'
    answer = await client.post("/chats/kitchen/messages", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]
    assert stage.accepted == []


async def test_an_overlong_message_is_refused(client: httpx.AsyncClient, stage: Stage) -> None:
    answer = await say(client, "x" * 70_000)
    assert answer.status_code == 413
    assert "65536" in answer.json()["error"]
    assert stage.accepted == []


async def test_an_endless_body_is_refused_before_it_ends(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * BODY_MAX_BYTES:
            sent += 65_536
            yield b" " * 65_536

    kind = {"content-type": "application/json"}
    try:
        answer = await client.post("/chats/kitchen/messages", content=endless(), headers=kind)
        assert answer.status_code == 413
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        pass  # The server closed on us while we were still writing: refused as well.
    assert sent < 100 * BODY_MAX_BYTES


@pytest.mark.parametrize("name", ["%01", "x" * 256, "%0A"])
async def test_a_chat_that_no_session_key_can_name_is_refused(client: httpx.AsyncClient, name: str) -> None:
    assert (await say(client, "hello", chat=name)).status_code == 400
    assert (await client.get(f"/chats/{name}/events")).status_code == 400


async def test_only_json_is_taken_so_that_no_plain_form_of_another_site_gets_through(client: httpx.AsyncClient) -> None:
    answer = await client.post("/chats/kitchen/messages", content=b'{"id": "a", "text": "b"}')
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"host": "evil.example"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_other_sites_are_refused(
    client: httpx.AsyncClient, stage: Stage, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/chats/kitchen/messages", json={"id": "a", "text": "b"}, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert (await client.get("/chats/kitchen/events", headers=headers)).status_code == status
    assert stage.accepted == []


async def test_the_page_of_this_server_may_write(chat: WebChat, client: httpx.AsyncClient) -> None:
    origin = chat.address.rstrip("/")
    answer = await client.post("/chats/kitchen/messages", json={"id": "a", "text": "b"}, headers={"origin": origin})
    assert answer.status_code == 202


async def test_the_page_and_all_its_parts_come_from_here_and_nothing_else_may(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for part in ("chat.css", "chat.js", "ids.js", "log.js", "outbox.js", "rich.js", "stream.js", "icon.svg"):
        assert (await client.get(f"/page/{part}")).status_code == 200, part
    for part in ("../chat.py", "..%2fchat.py", "__init__.py", "nothing.js"):
        assert (await client.get(f"/page/{part}")).status_code == 404, part


async def test_it_says_that_it_lives(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).status_code == 200


async def test_it_says_whether_messages_can_be_stored_and_answered(stage: Stage) -> None:
    problems: list[str | None] = ["bot.db: the disk is full", None]

    async def ready() -> str | None:
        return problems.pop(0)

    chat = WebChat(stage, port=0, ready=ready)
    async with running(chat, stage), httpx.AsyncClient(base_url=chat.address, timeout=WAIT_S) as client:
        red, green = await client.get("/readyz"), await client.get("/readyz")
    assert (red.status_code, red.text) == (503, "bot.db: the disk is full\n")
    assert (green.status_code, green.text) == (200, "ready\n")


async def test_what_is_wrong_is_told_to_all_who_look_and_to_who_comes_later(
    client: httpx.AsyncClient, chat: WebChat
) -> None:
    async with looking(client) as events:
        assert (await events.next())[1]["notice"] is None
        chat.announce("cannot save right now")
        assert await events.next() == ("notice", {"text": "cannot save right now"})
        async with looking(client, "garden") as later:
            assert (await later.next())[1]["notice"] == "cannot save right now"
            chat.announce(None)
            for each in (events, later):
                assert await each.next() == ("notice", {"text": None})


async def test_a_stream_begins_with_all_that_is_visible(client: httpx.AsyncClient, stage: Stage) -> None:
    await say(client, "hello")
    stage.stored(KITCHEN, "d1", "Hi!")
    async with looking(client) as events:
        kind, told = await events.next()
    assert kind == "snapshot"
    assert [(row["id"], row["mine"], row["text"], row["final"]) for row in told["messages"]] == [
        ("m1", True, "hello", True),
        ("d1", False, "Hi!", True),
    ]


async def test_an_answer_streams_into_one_message_and_is_final_when_the_store_says_so(
    client: httpx.AsyncClient, chat: WebChat, stage: Stage
) -> None:
    async with looking(client) as events:
        await events.next()
        message_id = await chat.send(Outgoing(KITCHEN, "d1", "..."))
        assert await chat.send(Outgoing(KITCHEN, "d1", "...")) == message_id == "d1"
        await events.until(id="d1", text="...", final=False)
        stage.stored(KITCHEN, "d1", "", final=False)
        await chat.edit(KITCHEN, message_id, "It is")
        await events.until(id="d1", text="It is", final=False)
        stage.stored(KITCHEN, "d1", "It is sunny.")
        await chat.edit(KITCHEN, message_id, "It is sunny.")
        await events.until(id="d1", text="It is sunny.", final=True)


async def test_two_browsers_see_one_chat_and_a_third_sees_another(client: httpx.AsyncClient, chat: WebChat) -> None:
    async with looking(client) as one, looking(client) as two, looking(client, "garden") as other:
        for events in (one, two, other):
            assert (await events.next())[0] == "snapshot"
        await say(client, "hello")
        await say(client, "elsewhere", chat="garden")
        for events in (one, two):
            await events.until(id="m1", mine=True, text="hello")
        assert (await other.next())[1]["text"] == "elsewhere"


async def test_who_comes_in_the_middle_of_an_answer_sees_the_words_so_far(
    client: httpx.AsyncClient, chat: WebChat, stage: Stage
) -> None:
    stage.stored(KITCHEN, "d1", "", final=False)
    await chat.edit(KITCHEN, "d1", "So far")
    async with looking(client) as events:
        _, told = await events.next()
        assert [row["text"] for row in told["messages"]] == ["So far"]
    stage.stored(KITCHEN, "d1", "So far so good")
    async with looking(client) as events:
        _, told = await events.next()
        assert [row["text"] for row in told["messages"]] == ["So far so good"]


async def test_a_quiet_stream_beats(stage: Stage) -> None:
    chat = WebChat(stage, port=0, beat_s=0.01)
    async with running(chat, stage), httpx.AsyncClient(base_url=chat.address) as client, looking(client) as events:
        assert [(await events.next())[0] for _ in range(3)] == ["snapshot", "beat", "beat"]


async def test_a_browser_that_does_not_read_is_sent_away_and_delays_nobody(
    client: httpx.AsyncClient, chat: WebChat
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(chat.address).port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /chats/kitchen/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with looking(client) as events:
        await events.next()
        while chat.watched("kitchen") < 2:
            await events_are_due()
        number = 0
        while chat.watched("kitchen") == 2:
            number += 1
            assert number < 5000
            await chat.send(Outgoing(KITCHEN, f"d{number}", f"{number} " + "x" * 200_000))
            await events.until(id=f"d{number}")
        assert chat.watched("kitchen") == 1
        await say(client, "still here")
        await events.until(text="still here")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    assert reader is not None


async def events_are_due() -> None:
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def test_a_store_that_cannot_be_read_asks_browsers_to_come_again_and_still_acknowledges(
    client: httpx.AsyncClient, chat: WebChat, stage: Stage
) -> None:
    await say(client, "hello")
    stage.unreadable = OSError("the disk is away")
    refused = await client.get("/chats/kitchen/events")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "the disk is away" in refused.json()["error"]
    assert (await say(client, "hello")).json()["repeated"] is True
    assert chat.watched("kitchen") == 0


async def test_more_browsers_than_fit_are_asked_to_come_again(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.platforms.chats.web.board.STREAMS_MAX", 1)
    async with looking(client) as events:
        await events.next()
        refused = await client.get("/chats/kitchen/events")
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
