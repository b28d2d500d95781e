"""A relay before a home server: it passes requests on, and fails as networks do, before the effect or after it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web
from yarl import URL

from greenroom.platforms.fakes.platform import Fault

WAIT_S = 20.0
LOOK_S = 0.01
RETRY_AFTER_MS = 200
_REFUSALS = {
    Fault.NOT_SENT: (503, {"errcode": "M_UNKNOWN", "error": "overloaded"}),
    Fault.RETRY_LATER: (
        429,
        {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": RETRY_AFTER_MS},
    ),
    Fault.REFUSED: (403, {"errcode": "M_FORBIDDEN", "error": "you are not in this room"}),
}
_BEFORE, _AFTER = {Fault.BREAKS_BEFORE, Fault.HANGS_BEFORE}, {Fault.BREAKS_AFTER, Fault.HANGS_AFTER}


class Relay:
    """Faults are planned by what a request does: `send`, `edit`, or the last word of its path, such as `sync`."""

    def __init__(self, upstream: str, session: ClientSession) -> None:
        self.url = ""
        self.seen: list[tuple[str, str]] = []
        """What each request did, and its path."""
        self.answered: Callable[[str], bool] | None = None
        """Called with what a request did when it had its effect: whether its answer is lost."""
        self.forwarding: Callable[[str], object] | None = None
        """Called with what it does when a request is under way."""
        self.rewound: str | None = None
        """From where the next /sync is answered, whatever it asks for: what was delivered comes again."""
        self._upstream, self._session = upstream, session
        self._answers: list[tuple[str, int, dict[str, str]]] = []
        self._faults: list[tuple[str, Fault]] = []
        self._open: dict[int, tuple[str, web.Request]] = {}

    def fail(self, does: str, fault: Fault) -> None:
        """Let the next request of this kind fail. A GET that breaks is repeated once by aiohttp, unasked."""
        self._faults.append((does, fault))

    def answer(self, does: str, status: int, said: dict[str, str]) -> None:
        """Let the next request of this kind be answered with this instead."""
        self._answers.append((does, status, said))

    def cut(self, does: str) -> int:
        """Break the connections on which this is asked now; how many."""
        cut = [request for doing, request in self._open.values() if doing == does]
        for request in cut:
            _break(request)
        return len(cut)

    async def until_seen(self, does: str) -> None:
        """Wait until this was asked."""
        async with asyncio.timeout(WAIT_S):
            while all(each != does for each, _ in self.seen):  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(LOOK_S)

    async def cut_when_asked(self, does: str) -> int:
        """Wait until this is being asked, and break those connections; how many."""
        async with asyncio.timeout(WAIT_S):
            while not (cut := self.cut(does)):  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(LOOK_S)
        return cut

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        does = _does(request, body)
        self.seen.append((does, request.path))
        for planned in self._answers:
            if planned[0] == does:
                self._answers.remove(planned)
                return web.json_response(planned[2], status=planned[1])
        fault = next((fault for kind, fault in self._faults if kind == does), None)
        if fault is not None:
            self._faults.remove((does, fault))
        self._open[id(request)] = (does, request)
        try:
            return await self._pass_on(request, body, does, fault)
        finally:
            del self._open[id(request)]

    async def _pass_on(self, request: web.Request, body: bytes, does: str, fault: Fault | None) -> web.StreamResponse:
        if fault in _REFUSALS:
            status, said = _REFUSALS[fault]
            return web.json_response(said, status=status)
        if fault in _BEFORE:
            await _fail(request, fault)
        asking = asyncio.create_task(self._ask(request, body))
        if self.forwarding is not None:
            await asyncio.sleep(0)
            self.forwarding(does)
        try:
            answer = await asking
        except OSError:
            _break(request)
            raise
        if fault in _AFTER:
            await _fail(request, fault)
        if self.answered is not None and self.answered(does):
            await _fail(request, Fault.BREAKS_AFTER)
        return answer

    async def _ask(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url = URL(self._upstream + request.raw_path, encoded=True)
        if "since" in url.query and self.rewound is not None:
            since, self.rewound = self.rewound, None
            url = url.update_query(since=since)
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            content = await answer.read()
            kind = {"Content-Type": answer.headers.get("Content-Type", "application/octet-stream")}
            return web.Response(status=answer.status, body=content, headers=kind)


def _does(request: web.Request, body: bytes) -> str:
    if request.method != "PUT" or "/send/m.room.message/" not in request.path:
        return request.path.rpartition("/")[2]
    return "edit" if "m.new_content" in json.loads(body) else "send"


async def _fail(request: web.Request, fault: Fault | None) -> None:
    if fault in {Fault.HANGS_BEFORE, Fault.HANGS_AFTER}:
        await asyncio.Event().wait()
    _break(request)
    raise ConnectionResetError("cut by the relay")


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


@asynccontextmanager
async def relaying(upstream: str) -> AsyncIterator[Relay]:
    """Keep a relay on a port of its own while the block runs."""
    async with ClientSession() as session:
        relay = Relay(upstream, session)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", relay.pass_on)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        try:
            await site.start()
            relay.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield relay
        finally:
            await runner.cleanup()
