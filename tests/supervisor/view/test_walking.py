"""Every route of the live view, as the application has them, asked in ways that nobody thought of."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.routing import Route
from tests.fuzz.asking import Answered, Asked, Asker, Known, ask, plain_asks, routes_of
from tests.supervisor.view.view_stage import HERE, TOKEN, Visitor, at_the_door, echo

from greenroom import Supervisor
from greenroom.supervisor.feed import Feed
from greenroom.supervisor.view.gate import COOKIE, READING, SAFE_HEADERS, is_open
from greenroom.supervisor.view.offers import OF_LETTERS, OF_SESSIONS
from greenroom.supervisor.view.session_pages import CHART_POLICY

CANARY = "what-only-this-chat-may-know"
"""It stands in the chat's key, in what was said and in what was answered."""

ORDER = "/sessions/{number}/order/{word}"
LETTER = "/letters/order/{word}"
PARTS: Mapping[str, Mapping[str, str]] = {
    "": {"number": "1", "run": "1", "name": "view.css"},
    ORDER: {"word": "suspend"},
    LETTER: {"word": "drop"},
}
"""What stands in a path: a new one has to be told here, or the walk fails."""

TURNED_AWAY = frozenset({303, 400, 401, 403, 413, 415, 421, 429})
OF_THEIR_OWN = {"content-security-policy": CHART_POLICY, "cache-control": "max-age=3600"}

HEADERS = {
    "host": ["127.0.0.1:8764", "localhost", "evil.example", "[::1", "["],
    "origin": [HERE, "http://localhost", "null", "http://[", "https://[::1]:x", "http://evil.example"],
    "sec-fetch-site": ["same-origin", "none", "cross-site"],
    "accept": ["text/html", "*/*"],
    "hx-request": ["true"],
    "content-type": ["application/json", ";"],
    "cookie": ["", f"{COOKIE}=x", "=", ";;"],
    "authorization": [f"Bearer {TOKEN}", "Bearer x", "Bearer"],
}


@dataclass
class Walk:
    """A live view over a room that is closed, so that whatever changes its file is the view."""

    visitor: Visitor
    delivery: str
    orders: list[dict[str, Any]]
    addresses: Iterator[str]

    @property
    def routes(self) -> list[Route]:
        return list(routes_of(self.visitor.app))

    @property
    def known(self) -> Known:
        parts = {part for row in PARTS.values() for part in row.values()} | OF_SESSIONS.keys() | OF_LETTERS.keys()
        always = {"host": "localhost", "content-type": "application/x-www-form-urlencoded", "cookie": "COOKIE"}
        return Known(sorted(parts), self.fields, HEADERS, always)

    @property
    def fields(self) -> dict[str, list[str]]:
        return {
            "delivery": [self.delivery],
            "proof": ["PROOF", "PROOF", "made up"],
            "token": [TOKEN, "another"],
            "to": ["/feed", "//evil.example"],
            "name": ["an-order", "x" * 200],
            "text": ["hello", "  ", "\x00"],
            "intent": ["restart", "shutdown"],
            "state": ["owing", "idle"],
            "platform": ["web"],
            "q": [CANARY[:5], "%", "'"],
            "before": ["2", "9" * 18, "9" * 19],
            "seen": ["0-1800000000", "-5-1799999999", "7-nan", "1-inf"],
        }

    async def goes(self, asked: Asked) -> Answered:
        """Ask as one who has just signed in would, where COOKIE and PROOF are asked for; judge the answer."""
        sign_ins, address = self.visitor.desk.sign_ins, next(self.addresses)
        key = sign_ins.sign_in(TOKEN, address=address, name="")
        signed_in = sign_ins.find(key if isinstance(key, str) else None)
        assert signed_in is not None
        asked = Asked(
            asked.method,
            asked.path,
            asked.query,
            tuple((name, f"{COOKIE}={key}".encode() if value == b"COOKIE" else value) for name, value in asked.headers),
            asked.body.replace(b"proof=PROOF", f"proof={signed_in.proof}".encode()),
        )
        self.orders.clear()
        answered = await ask(self.visitor.app, asked, address)
        cookie = asked.header.get("cookie") == f"{COOKIE}={key}"
        judge(asked, answered, cookie=cookie)
        if asked.method != "POST" or not cookie or f"proof={signed_in.proof}".encode() not in asked.body:
            assert not self.orders
        return answered


def judge(asked: Asked, answered: Answered, *, cookie: bool) -> None:
    """What holds of every answer."""
    assert answered.status < 500
    assert not answered.says("Traceback")
    assert not answered.says(TOKEN)
    for name, value in SAFE_HEADERS.items():
        assert answered.headers.get(name) in {value, OF_THEIR_OWN.get(name, value)}
    to = answered.headers.get("location", "/")
    assert to[:1] == "/"
    assert to[1:2] not in {"/", "\\"}
    if cookie or (asked.header.get("authorization") == f"Bearer {TOKEN}" and asked.method in READING):
        return
    assert not answered.says(CANARY)
    if not is_open(asked.scope("")["path"]):
        assert answered.status in TURNED_AWAY
        assert "set-cookie" not in answered.headers
        assert to.startswith("/sign-in") or to == "/"


@asynccontextmanager
async def walking(folder: Path) -> AsyncIterator[Walk]:
    """Let a chat be had, and go."""
    path, feed, orders = folder / "room.db", Feed(), list[dict[str, Any]]()
    async with Supervisor(path, agent=echo, on_committed=feed.hear) as room:
        inbox_id = await room.accept(chat=f"web:me:{CANARY}", id="a", text=CANARY)
        await room.answer(inbox_id)

    async def note(order: dict[str, Any]) -> Mapping[str, Any]:
        orders.append(order)
        return {"said": "<b>done</b>"}

    addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count())
    async with at_the_door(path, feed, carry_out=note) as visitor:
        walk = Walk(visitor, "", orders, addresses)
        page = await walk.goes(Asked("GET", "/sessions/1").having(host="localhost", cookie="COOKIE"))
        walk.delivery = page.body.decode().partition('<tr id="delivery-')[2].partition('"')[0]
        assert walk.delivery
        yield walk


def kept(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if "-shm" not in file.name}


async def test_every_route_is_there_for_who_may_and_for_nobody_else(tmp_path: Path) -> None:
    async with walking(tmp_path) as walk:
        told = 0
        for plain in plain_asks(walk.routes, PARTS):
            fields = urlencode({"proof": "PROOF", "intent": "restart", "delivery": walk.delivery, "token": TOKEN})
            asked = Asked(plain.method, plain.path, f"delivery={walk.delivery}".encode(), body=fields.encode())
            asked = asked.having(host="localhost", content_type="application/x-www-form-urlencoded")
            told += (await walk.goes(asked)).says(CANARY)
            answered = await walk.goes(asked.having(cookie="COOKIE"))
            assert answered.status < 400, (asked, answered)
            told += answered.says(CANARY)
            assert bool(walk.orders) is (plain.method == "POST" and not plain.path.startswith("/sign-"))
        assert told > 5


@pytest.mark.parametrize("times", [600, pytest.param(100_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
async def test_whatever_is_asked_nothing_breaks_nothing_is_written_and_nothing_is_told(
    tmp_path: Path, times: int
) -> None:
    async with walking(tmp_path) as walk:
        before, seen = kept(tmp_path), Counter[int]()
        for seed in range(times):
            asked = Asker(Random(seed), walk.routes, walk.known).ask()
            try:
                seen[(await walk.goes(asked)).status] += 1
            except Exception as error:
                raise AssertionError(f"seed {seed}: {asked}") from error
        assert kept(tmp_path) == before
    assert {200, 303, 401, 403, 404, 421} <= seen.keys(), seen
