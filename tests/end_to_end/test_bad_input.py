"""What no chat should ever send, sent to the real daemon: each gets one clear answer, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from greenroom.supervisor.sandbox.storm_daemon import Daemon, free_port, living
from greenroom.supervisor.sandbox.storm_people import RECONNECT_S, Person, watched
from greenroom.supervisor.sandbox.storm_talk import NUMBER

WAIT_S = 60.0

REFUSED: dict[str, tuple[str | bytes, int, str]] = {
    "an empty message": (json.dumps({"id": "a", "text": ""}), 400, "nothing to read"),
    "blanks": (json.dumps({"id": "a", "text": " \n\t"}), 400, "nothing to read"),
    "control characters alone": (json.dumps({"id": "a", "text": "\x00\x1b\x7f"}), 400, "nothing to read"),
    "1 MB of text": (json.dumps({"id": "a", "text": "x" * 1_000_000}), 413, "larger than"),
    "more text than a message holds": (json.dumps({"id": "a", "text": "ø" * 40_000}), 413, "split it or send a link"),
    "invalid UTF-8": (b'{"id": "a", "text": "\xff\xfe\x80"}', 400, "UTF-8"),
    "half a character": (b'{"id": "a", "text": "\xe2\x98"}', 400, "UTF-8"),
    "no JSON": (b"hello", 400, "not JSON"),
    "an empty body": (b"", 400, "not JSON"),
    "a list": (b"[]", 400, "send {"),
    "a number for a text": (b'{"id": "a", "text": 5}', 400, "send {"),
    "no id": (b'{"text": "hello"}', 400, "send {"),
    "an id that is none": (json.dumps({"id": "a/b c", "text": "hello"}), 400, "UUID"),
    "JSON without end": (b"[" * 100_000, 400, "send {"),
}


def numbers_in(texts: list[str]) -> list[int]:
    """All message numbers that these texts speak of, one for each paragraph."""
    return [int(found[1]) for text in texts for found in map(NUMBER.search, text.split("\n\n")) if found]


async def test_whatever_cannot_be_a_message_is_refused_in_words_and_leaves_no_trace(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, free_port())
    async with (
        living(daemon),
        httpx.AsyncClient(timeout=WAIT_S) as client,
        watched(Person(daemon.address, "oslo")) as person,
    ):
        url = f"{daemon.address}/chats/oslo/messages"
        for what, (body, status, words) in REFUSED.items():
            answer = await client.post(url, content=body, headers={"content-type": "application/json"})
            assert (what, answer.status_code, words in answer.json()["error"]) == (what, status, True), answer.text
        for chat, status in {"x" * 300: 400, "%00": 400, "a%0ab": 400}.items():
            answer = await client.post(f"{daemon.address}/chats/{chat}/messages", json={"id": "a", "text": "hi"})
            assert (chat, answer.status_code) == (chat, status), answer.text
        assert await person.say(client, "m1", "message #1#") is False
        await person.until(lambda: numbers_in(person.answers) == [1], WAIT_S)
        assert await daemon.stop() == 0
    assert read(daemon.database, "SELECT text FROM inbox") == ["message #1#"]
    assert read(daemon.database, "SELECT key FROM sessions") == ["web:local:oslo"]
    assert not [line for line in daemon.said if "Traceback" in line or '"error"' in line], daemon.said


async def test_what_is_odd_but_a_message_is_cleaned_stored_and_answered_once(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, free_port())
    odd = {
        "m1": ("\x1b[2J\x1b]0;title\x07 #1#\x00", "[2J]0;title #1#"),
        "m2": ("line\r\nline\rline #2#", "line\nline\nline #2#"),
        "m3": ("e\u0301 \u202e right-to-left \u2066 #3#", "e\u0301 \u202e right-to-left \u2066 #3#"),
        "m4": ("\U0001f469\u200d\U0001f680 '; DROP TABLE inbox; -- <script>#4#</script>", None),
        "m5": ("#5# " + "x" * 65_000, None),
    }
    async with (
        living(daemon),
        httpx.AsyncClient(timeout=WAIT_S) as client,
        watched(Person(daemon.address, "oslo")) as person,
    ):
        for name, (text, _) in odd.items():
            assert await person.say(client, name, text) is False
            assert await person.say(client, name, text), "the same again is recognised"
        again = await person.offer(client, "m1", "other words under an id that is taken")
        assert (again.status_code, "stored before with another text" in again.text) == (403, True)
        await person.until(lambda: {5} <= set(numbers_in(person.answers)), WAIT_S)
        assert await daemon.stop() == 0
    stored = read(daemon.database, "SELECT text FROM inbox ORDER BY id")
    assert stored == [text if cleaned is None else cleaned for text, cleaned in odd.values()]
    assert numbers_in(person.answers) == [1, 2, 3, 4, 5]
    assert not [line for line in daemon.said if "Traceback" in line]


SENDERS = 64
WIDE_OPEN = "[policy]\nchat_burst = 100000\nburst = 100000\n"


async def offer_all(person: Person, messages: int) -> dict[int, httpx.Response]:
    """Send every message once, with as many connections as a crowd has; what was said to each."""

    async def offer_share(start: int) -> dict[int, httpx.Response]:
        async with httpx.AsyncClient(timeout=WAIT_S) as client:
            return {n: await person.offer(client, f"m{n}", f"#{n}#") for n in range(start, messages, SENDERS)}

    shares = await asyncio.gather(*map(offer_share, range(SENDERS)))
    return {number: answer for share in shares for number, answer in share.items()}


async def be_served_meanwhile(daemon: Daemon, flood: asyncio.Task[dict[int, httpx.Response]]) -> int:
    """Talk in other chats for as long as the flood lasts; how many were answered before it ended."""
    served = 0
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        while not flood.done():
            async with watched(Person(daemon.address, f"neighbour{served}")) as neighbour:
                await neighbour.say(client, "m0", "message #0#")
                await neighbour.until(lambda: numbers_in(neighbour.answers) == [0], WAIT_S)
                served += not flood.done()
            await asyncio.sleep(RECONNECT_S)
    return served


@pytest.mark.timeout(420)
@pytest.mark.parametrize("messages", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_a_flood_is_put_off_taken_when_it_comes_again_and_costs_the_others_nothing(
    tmp_path: Path, messages: int
) -> None:
    daemon = Daemon(tmp_path, free_port())
    async with living(daemon):
        flood = asyncio.create_task(offer_all(Person(daemon.address, "crowd"), messages))
        assert await be_served_meanwhile(daemon, flood) > 0
        first = await flood
        assert await daemon.stop() == 0
        taken = {number for number, answer in first.items() if answer.status_code == 202}
        put_off = [answer for number, answer in first.items() if number not in taken]
        assert taken
        assert put_off
        assert {answer.status_code for answer in put_off} == {503}
        assert all(answer.headers["retry-after"] for answer in put_off)
        assert all("too many messages at once from this chat" in answer.json()["error"] for answer in put_off)
        daemon.config.write_text(daemon.config.read_text() + WIDE_OPEN)
        await daemon.start()
        again = await offer_all(Person(daemon.address, "crowd"), messages)
        assert {number for number, answer in again.items() if answer.json().get("repeated")} == taken
        assert {answer.status_code for answer in again.values()} == {200, 202}
        async with watched(Person(daemon.address, "crowd")) as late, httpx.AsyncClient(timeout=WAIT_S) as client:
            await late.say(client, "last", f"#{messages}#")
            await late.until(lambda: any(f"#{messages}#" in text for text in late.answers), WAIT_S)
        assert await daemon.stop() == 0
    key = "JOIN sessions s ON s.id = session_id WHERE s.key = 'web:local:crowd'"
    inbox = read(daemon.database, f"SELECT text FROM inbox {key} ORDER BY inbox.id")
    said = read(daemon.database, f"SELECT text FROM messages {key} AND role = 'user' ORDER BY seq")
    assert sorted(numbers_in(inbox)) == list(range(messages + 1)), "none lost, none twice"
    assert numbers_in(said) == numbers_in(inbox), "in the order in which they came"
    assert len(said) == messages + 1
    last = read(daemon.database, f"SELECT max(seq) FROM messages {key} AND role = 'user'")
    assert read(daemon.database, f"SELECT max(answers_upto) FROM messages {key}") == last, "all of it is answered"
    assert read(daemon.database, "SELECT count(*) FROM inbox WHERE generation IS NULL") == [0]
    assert read(daemon.database, "SELECT count(*) FROM deliveries WHERE state <> 'delivered'") == [0]


def read(database: Path, query: str) -> list[Any]:
    """The only column of a query on what the daemon left behind."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    rows = [value for (value,) in db.execute(query)]
    db.close()
    return rows
