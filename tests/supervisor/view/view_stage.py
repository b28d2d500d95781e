"""The live view as a browser without a screen sees it: at the door alone, or over a real supervisor."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from greenroom import AsyncRoom, Supervisor
from greenroom.actors.model import SessionId
from greenroom.actors.store import GroupCommitted
from greenroom.platforms.chats.web.guard import AllowedHosts
from greenroom.supervisor.daemon.obeying import obey
from greenroom.supervisor.daemon.orders import Orders
from greenroom.supervisor.feed import Feed
from greenroom.supervisor.metrics import CONTENT_TYPE, Metrics
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.view.app import make_app
from greenroom.supervisor.view.desk import Desk, Viewed
from greenroom.supervisor.view.gate import COOKIE
from greenroom.supervisor.view.hour import Hour
from greenroom.supervisor.view.lately import Lately
from greenroom.supervisor.view.metering import metrics_route
from greenroom.supervisor.view.reading import Reading
from greenroom.supervisor.view.sign_ins import SignIns

TOKEN = "the-token-of-these-tests"
HERE = "http://127.0.0.1:8764"
NOW = 1_800_000_000.0
WAIT_S = 30.0


async def echo(turn: Any) -> str:
    return f"echo: {turn.text}"


async def nothing_to_obey(_: dict[str, Any]) -> Mapping[str, Any]:
    return {"problem": "there is no room"}


async def here(_: Request) -> Response:
    """A page that needs nothing but to be let in."""
    return PlainTextResponse("here")


@dataclass
class Visitor:
    """A browser before the live view; nobody is signed in yet."""

    desk: Desk
    browser: httpx.AsyncClient
    clock: list[float]
    problem: list[str]
    app: ASGIApp

    async def sign_in(self, token: str = TOKEN, **more: str) -> httpx.Response:
        return await self.browser.post("/sign-in", data={"token": token, **more})

    async def see(self, path: str, *, status: int = 200, **headers: str) -> str:
        page = await self.browser.get(path, headers={"accept": "text/html", **headers})
        assert page.status_code == status, page.text
        return page.text

    @property
    def proof(self) -> str:
        """What stands in each form of whoever is signed in."""
        signed_in = self.desk.sign_ins.find(self.browser.cookies.get(COOKIE))
        assert signed_in is not None
        return signed_in.proof


async def no_timers(_: SessionId) -> Mapping[str, float]:
    return {}


@contextlib.asynccontextmanager
async def at_the_door(
    path: Path,
    feed: Feed | None = None,
    room: Viewed | None = None,
    carry_out: Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]] = nothing_to_obey,
    hour: Hour | None = None,
    lately: Lately | None = None,
    monotonic: Callable[[], float] | None = None,
) -> AsyncIterator[Visitor]:
    """Stand before the live view of a database, which need not be there. Without `monotonic` time stands still."""
    heard, clock, counted, problem = feed or Feed(), [1000.0], itertools.count(), list[str]()

    async def ready() -> str | None:
        return problem[0] if problem else None

    with ThreadPoolExecutor(1) as one_thread:
        loop = asyncio.get_running_loop()

        async def aside(work: Callable[[], Any]) -> Any:
            return await loop.run_in_executor(one_thread, work)

        desk = Desk(
            database=path,
            text_max=Policy().text_max,
            sign_ins=SignIns(SecretStr(TOKEN), now=lambda: clock[0], draw=lambda: f"drawn-{next(counted)}"),
            hosts=AllowedHosts("127.0.0.1", ()),
            feed=heard,
            reading=Reading(path, heard, aside, monotonic or (lambda: clock[0])),
            now=lambda: NOW,
            draw=lambda: f"drawn-{next(counted)}",
            hour=hour or Hour(),
            lately=lately or Lately(),
            connections=tuple if room is None else lambda: tuple(room.connections()),
            outboxes=partial(aside, dict if room is None else room.outboxes),
            timers=no_timers if room is None else room.timers,
            depths=dict if room is None else room.depths,
            ready=ready,
            obey=carry_out,
        )
        further = [metrics_route(partial(aside, Metrics().text), CONTENT_TYPE), Route("/here", here)]
        app = make_app(desk, further)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as browser:
            yield Visitor(desk, browser, clock, problem, app)
        await desk.reading.close()


@dataclass
class Stage:
    """A room that runs, and a browser that is signed in to its live view."""

    room: AsyncRoom
    orders: Orders
    visitor: Visitor
    said: int = 0

    async def see(self, path: str, **more: Any) -> str:
        return await self.visitor.see(path, **more)

    async def say(self, chat: str, text: str) -> str:
        """Say something and wait for the answer."""
        self.said += 1
        closed = self.told("run closed")
        async with asyncio.timeout(WAIT_S):
            answer = await self.room.answer(await self.room.accept(chat=chat, id=f"said-{self.said}", text=text))
        await self.hears("run closed", closed + 1)
        return answer

    def told(self, what: str) -> int:
        """How often the feed told of something."""
        return sum(entry.what.startswith(what) for entry in self.visitor.desk.feed.since(0))

    async def hears(self, what: str, times: int = 1) -> None:
        """Wait until the feed told of something so often: that it is on disk is known a little before."""
        loop, rang = asyncio.get_running_loop(), asyncio.Event()

        def ring() -> None:
            loop.call_soon_threadsafe(rang.set)

        leave = self.visitor.desk.feed.listen(ring)
        try:
            async with asyncio.timeout(WAIT_S):
                while self.told(what) < times:
                    await rang.wait()
                    rang.clear()
        finally:
            leave()


@contextlib.asynccontextmanager
async def viewing(
    folder: Path, agent: Any = echo, monotonic: Callable[[], float] | None = None
) -> AsyncIterator[Stage]:
    """Stage a room and look at it."""
    path, feed, orders, hour, lately = folder / "room.db", Feed(), Orders(), Hour(), Lately()

    def hear(group: GroupCommitted) -> None:
        feed.hear(group)
        hour.hear(group)
        lately.hear(group)

    async with (
        Supervisor(path, agent=agent, on_committed=hear) as room,
        at_the_door(path, feed, room, partial(obey, room, orders), hour, lately, monotonic) as visitor,
    ):
        await visitor.sign_in()
        yield Stage(room, orders, visitor)
